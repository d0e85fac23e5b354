//! What signals do to the background processes: flags that their loops read.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use pgrx::prelude::*;

use super::crash_note;
use super::version;

static TERMINATE: AtomicBool = AtomicBool::new(false);
static RELOAD: AtomicBool = AtomicBool::new(false);
/// SIGTERM ends what runs, as in any session.
static INTERRUPTIBLE: AtomicBool = AtomicBool::new(false);
/// SIGTERM cancels what runs, and a second one ends it.
static CANCELLABLE: AtomicBool = AtomicBool::new(false);
/// A second SIGTERM does.
static BRIEF: AtomicBool = AtomicBool::new(false);

pub fn install() {
    // SAFETY: handlers that only set flags and latches, or are Postgres' own; signals are unblocked once they are in place.
    unsafe {
        version::set_signal_handler(pg_sys::SIGTERM as i32, on_sigterm);
        version::set_signal_handler(pg_sys::SIGHUP as i32, on_sighup);
        version::set_signal_handler(nix::libc::SIGQUIT, on_sigquit);
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

/// Whether [`reload`] would read the configuration again.
pub fn asks_for_reload() -> bool {
    RELOAD.load(SeqCst)
}

/// Whether a signal has come that [`terminated`] or [`reload`] tell of. It may have set the latch within a transaction that waited, and so
/// used it up.
pub fn noticed() -> bool {
    TERMINATE.load(SeqCst) || RELOAD.load(SeqCst)
}

/// What SIGTERM does while a transaction runs; outside of one, the loop sees it.
pub struct InTransaction(&'static AtomicBool);

impl InTransaction {
    /// SIGTERM ends it.
    pub fn interruptible() -> Self {
        Self::enter(&INTERRUPTIBLE)
    }

    /// SIGTERM cancels it, so that what is in memory can be written down.
    pub fn cancellable() -> Self {
        Self::enter(&CANCELLABLE)
    }

    /// It is let finish, so that what was sent is written down and not sent again: it waits for a lock half a second at most.
    /// If it does not end all the same (a trigger of the DBA's may hang), a second SIGTERM ends it.
    pub fn brief() -> Self {
        Self::enter(&BRIEF)
    }

    fn enter(kind: &'static AtomicBool) -> Self {
        kind.store(true, SeqCst);
        InTransaction(kind)
    }
}

impl Drop for InTransaction {
    fn drop(&mut self) {
        self.0.store(false, SeqCst);
    }
}

// Not pg_guard: a signal handler must not unwind, and these can't.
extern "C-unwind" fn on_sigterm(signal: i32) {
    let again = TERMINATE.swap(true, SeqCst);
    // SAFETY: both are made to be called in signal handlers; MyLatch is set before signals are unblocked.
    unsafe {
        if INTERRUPTIBLE.load(SeqCst) || again && (BRIEF.load(SeqCst) || CANCELLABLE.load(SeqCst)) {
            version::die(signal);
        } else if CANCELLABLE.load(SeqCst) {
            version::cancel_statement(signal);
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

/// The server shuts down at once, or another process of it has crashed. As PostgreSQL's own handler in background processes
/// (SignalHandlerForCrashExit), but that what runs here is not to blame.
extern "C-unwind" fn on_sigquit(_signal: i32) {
    crash_note::end();
    // SAFETY: made to be called in signal handlers; so are pread and pwrite.
    unsafe { nix::libc::_exit(2) }
}
