//! The process that is in a database for us, as long as PostgreSQL counts it.

use std::time::{Duration, Instant};

use pgrx::pg_sys;

/// A worker's process.
#[derive(Clone, Copy, Debug)]
pub struct Occupant {
    number: i32,
    pid: i32,
}

impl Occupant {
    pub(super) fn of(number: i32) -> Self {
        Occupant {
            number,
            pid: pid_at(number),
        }
    }

    /// Waits until it has left the array of processes, where PostgreSQL looks who is in a database. False: it is still there after
    /// `patience`.
    pub fn wait_until_gone(self, patience: Duration) -> bool {
        const PAUSE: i64 = 5;
        let deadline = Instant::now() + patience;
        while pid_at(self.number) == self.pid && self.pid != 0 {
            if Instant::now() >= deadline {
                return false;
            }
            // SAFETY: this process's own latch; interrupts are handled, so that the statement can be cancelled.
            unsafe {
                let events = (pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH) as i32;
                pg_sys::WaitLatch(pg_sys::MyLatch, events, PAUSE, pg_sys::PG_WAIT_EXTENSION);
                pg_sys::ResetLatch(pg_sys::MyLatch);
            }
            pgrx::check_for_interrupts!();
        }
        true
    }
}

/// The process at that place, 0: none.
fn pid_at(number: i32) -> i32 {
    // SAFETY: the array of processes has a fixed size and stays; `number` came from a process that has a place in it. The read is
    // volatile because others write it.
    unsafe {
        let process = (*pg_sys::ProcGlobal).allProcs.add(number as usize);
        std::ptr::read_volatile(&raw const (*process).pid)
    }
}
