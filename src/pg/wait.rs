//! Waiting for a latch, a socket, the postmaster's death or a time.

use std::ffi::CStr;
use std::os::fd::RawFd;
use std::time::Duration;

use pgrx::prelude::*;

use super::version;

/// The events that a process waits for, registered once.
pub struct Waiter {
    set: *mut pg_sys::WaitEventSet,
    /// The wait event in pg_stat_activity.
    event: u32,
}

impl Waiter {
    /// Registers this process's latch, the postmaster's death, and `socket` when it can be read. `name` is the wait event in pg_stat_activity.
    /// The set is never freed, so a process has one; the socket has to stay open as long as [`Waiter::wait`] is called.
    pub fn new(socket: Option<RawFd>, name: &CStr) -> Waiter {
        // SAFETY: the set has room for three events and lives as long as the process; the latch is this process's own.
        unsafe {
            let set = version::create_wait_event_set(3);
            let add = |events: u32, fd: pg_sys::pgsocket, latch: *mut pg_sys::Latch| {
                pg_sys::AddWaitEventToSet(set, events, fd, latch, std::ptr::null_mut());
            };
            add(pg_sys::WL_LATCH_SET, version::NO_SOCKET, pg_sys::MyLatch);
            add(
                pg_sys::WL_EXIT_ON_PM_DEATH,
                version::NO_SOCKET,
                std::ptr::null_mut(),
            );
            if let Some(socket) = socket {
                add(pg_sys::WL_SOCKET_READABLE, socket, std::ptr::null_mut());
            }
            Waiter {
                set,
                event: version::wait_event(name),
            }
        }
    }

    /// Waits for an event, or for `timeout` (None: without a limit), and resets the latch. It handles interrupts, without which DROP DATABASE
    /// and others would wait for this process.
    pub fn wait(&self, timeout: Option<Duration>) {
        // Rounded up, since the last part of a millisecond would be spent spinning otherwise.
        let milliseconds = timeout.map_or(-1, |t| t.as_micros().div_ceil(1000).min(i32::MAX as u128) as i64);
        let mut event = pg_sys::WaitEvent::default();
        // SAFETY: the set and the latch live as long as the process.
        unsafe {
            pg_sys::WaitEventSetWait(self.set, milliseconds, &mut event, 1, self.event);
            pg_sys::ResetLatch(pg_sys::MyLatch);
        }
        check_for_interrupts();
    }
}

/// Handles interrupts between transactions, where a cancel has nothing to cancel and must not raise an error.
pub fn check_for_interrupts() {
    // SAFETY: a flag of this process (sig_atomic_t), which only signal handlers set.
    unsafe { pg_sys::QueryCancelPending = 0 };
    pgrx::check_for_interrupts!();
}
