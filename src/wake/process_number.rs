//! The number of a process among those of the server, by which it is woken.

use crate::pg::process;

/// The process number that stands for no process.
pub const NOBODY: i32 = -1;

/// Wakes the process with this number. If it has ended, its successor may be woken for nothing; every waiter checks its condition again.
pub fn wake_process(number: i32) {
    if number == NOBODY {
        return;
    }
    process::wake(number);
}
