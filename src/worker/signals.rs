//! What signals do to the background processes: flags that their loops read.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use pgrx::prelude::*;

use crate::version;

static TERMINATE: AtomicBool = AtomicBool::new(false);
static RELOAD: AtomicBool = AtomicBool::new(false);
/// In a transaction SIGTERM acts as in any session, so that a worker that waits for a lock can be ended.
static IN_TRANSACTION: AtomicBool = AtomicBool::new(false);

pub fn install() {
    // SAFETY: handlers that only set flags and latches, or are Postgres' own; signals are unblocked once they are in place.
    unsafe {
        version::set_signal_handler(pg_sys::SIGTERM as i32, on_sigterm);
        version::set_signal_handler(pg_sys::SIGHUP as i32, on_sighup);
        pg_sys::BackgroundWorkerUnblockSignals();
    }
    // What changed before the handler was there.
    RELOAD.store(true, SeqCst);
}

pub fn terminated() -> bool {
    TERMINATE.load(SeqCst)
}

/// Reads the configuration again when SIGHUP has asked for it; true when it did.
pub fn reload() -> bool {
    let asked = RELOAD.swap(false, SeqCst);
    if asked {
        // SAFETY: outside of a transaction, on the main thread.
        unsafe { pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP) };
    }
    asked
}

/// While it lives, SIGTERM interrupts what runs.
pub struct InTransaction(());

impl InTransaction {
    pub fn enter() -> Self {
        IN_TRANSACTION.store(true, SeqCst);
        InTransaction(())
    }
}

impl Drop for InTransaction {
    fn drop(&mut self) {
        IN_TRANSACTION.store(false, SeqCst);
    }
}

// Not pg_guard: a signal handler must not unwind, and these can't.
extern "C-unwind" fn on_sigterm(signal: i32) {
    TERMINATE.store(true, SeqCst);
    // SAFETY: both are made to be called in signal handlers; MyLatch is set before signals are unblocked.
    unsafe {
        if IN_TRANSACTION.load(SeqCst) {
            pg_sys::die(signal);
        } else {
            pg_sys::SetLatch(pg_sys::MyLatch);
        }
    }
}

extern "C-unwind" fn on_sighup(_signal: i32) {
    RELOAD.store(true, SeqCst);
    // SAFETY: as above.
    unsafe { pg_sys::SetLatch(pg_sys::MyLatch) };
}
