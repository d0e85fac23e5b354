//! A process of the extension that is in a database, as long as PostgreSQL counts it.

use crate::pg::process;
use std::time::{Duration, Instant};

/// The process of a worker.
#[derive(Clone, Copy, Debug)]
pub struct Occupant {
    pid: i32,
}

impl Occupant {
    pub(super) fn of(number: i32) -> Self {
        Occupant {
            pid: process::pid_of(number),
        }
    }

    /// Waits until it has left the array of processes, in which PostgreSQL looks for the users of a database. Returns false if it is still
    /// there after `patience`.
    pub fn wait_until_gone(self, patience: Duration) -> bool {
        const PAUSE: Duration = Duration::from_millis(5);
        let deadline = Instant::now() + patience;
        while self.pid != 0 && process::is_counted(self.pid) {
            if Instant::now() >= deadline {
                return false;
            }
            process::wait(None, PAUSE, c"ZentryNotifyWorkerLeaves");
            pgrx::check_for_interrupts!();
        }
        true
    }
}
