//! A limit for how long code may run in a background process, by PostgreSQL's own statement timeout.

use std::ffi::c_int;
use std::time::Duration;

use pgrx::pg_sys;

/// PostgreSQL's statement timeout; `utils/timeout.h`, the same in all versions that we know.
const STATEMENT_TIMEOUT: c_int = 3;

unsafe extern "C" {
    fn enable_timeout_after(id: c_int, delay_ms: c_int);
    fn disable_timeout(id: c_int, keep_indicator: bool);
}

/// While it lives, what runs is cancelled when the time is over. One at a time, in a process without a statement timeout.
pub struct TimeLimit(());

impl TimeLimit {
    pub fn start(limit: Duration) -> Self {
        let milliseconds = c_int::try_from(limit.as_millis()).unwrap_or(c_int::MAX).max(1);
        // SAFETY: PostgreSQL has registered this timeout for every process that is connected to a database, and nobody else uses it here.
        unsafe { enable_timeout_after(STATEMENT_TIMEOUT, milliseconds) };
        TimeLimit(())
    }
}

impl Drop for TimeLimit {
    fn drop(&mut self) {
        // SAFETY: as above; a cancel that came too late must not hit what runs next.
        unsafe {
            disable_timeout(STATEMENT_TIMEOUT, false);
            pg_sys::QueryCancelPending = 0;
        }
    }
}
