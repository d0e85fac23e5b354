//! Signal handlers of the background processes: they set flags, which the loops of the processes read.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use pgrx::prelude::*;

use super::crash_note;
use super::version;

static TERMINATE: AtomicBool = AtomicBool::new(false);
static RELOAD: AtomicBool = AtomicBool::new(false);
/// SIGTERM terminates the process at its next check for interrupts, as in any session.
static INTERRUPTIBLE: AtomicBool = AtomicBool::new(false);
/// SIGTERM cancels the statement, and a second one terminates the process.
static CANCELLABLE: AtomicBool = AtomicBool::new(false);
/// The first SIGTERM waits for the transaction's end, and a second one terminates the process.
static BRIEF: AtomicBool = AtomicBool::new(false);

/// Installs the handlers of SIGTERM, SIGHUP and SIGQUIT, and unblocks signals.
pub fn install() {
    // SAFETY: the handlers do only what a signal handler may, and do not unwind; signals are unblocked once they are in place.
    unsafe {
        version::set_signal_handler(pg_sys::SIGTERM as i32, on_sigterm);
        version::set_signal_handler(pg_sys::SIGHUP as i32, on_sighup);
        version::set_signal_handler(nix::libc::SIGQUIT, on_sigquit);
        pg_sys::BackgroundWorkerUnblockSignals();
    }
    // The configuration may have changed before the handler was in place.
    RELOAD.store(true, SeqCst);
}

/// Whether SIGTERM has come.
pub fn terminated() -> bool {
    TERMINATE.load(SeqCst)
}

/// Reads the configuration files again if SIGHUP has come since the last time, and returns whether it did. It is called outside of a transaction.
pub fn reload() -> bool {
    let asked = RELOAD.swap(false, SeqCst);
    if asked {
        // SAFETY: called in a loop of a background process, on the main thread.
        unsafe { pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP) };
    }
    asked
}

/// Whether [`reload`] would read the configuration again.
pub fn asks_for_reload() -> bool {
    RELOAD.load(SeqCst)
}

/// Whether SIGTERM or SIGHUP has come and was not handled. A wait within a transaction may have reset the latch that the signal had set, so the
/// latch alone does not tell.
pub fn noticed() -> bool {
    TERMINATE.load(SeqCst) || RELOAD.load(SeqCst)
}

/// While it lives, SIGTERM acts on a transaction as its constructor says. Outside of a transaction, the loop reads [`terminated`].
pub struct InTransaction(&'static AtomicBool);

impl InTransaction {
    /// SIGTERM terminates the process.
    pub fn interruptible() -> Self {
        Self::enter(&INTERRUPTIBLE)
    }

    /// SIGTERM cancels the statement, so that what is in memory can still be written.
    pub fn cancellable() -> Self {
        Self::enter(&CANCELLABLE)
    }

    /// SIGTERM lets the transaction finish, so that the outcomes of requests are written and nothing is sent again. The transaction waits for a
    /// lock half a second at most; if it does not end all the same (a trigger that a DBA has made may hang), a second SIGTERM terminates
    /// the process.
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

// Without pg_guard: a signal handler must not unwind, and these cannot.
extern "C-unwind" fn on_sigterm(signal: i32) {
    let _errno = KeptErrno::now();
    let again = TERMINATE.swap(true, SeqCst);
    // SAFETY: PostgreSQL calls these functions in its own signal handlers. MyLatch is set before install() unblocks signals.
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
    let _errno = KeptErrno::now();
    RELOAD.store(true, SeqCst);
    // SAFETY: as above.
    unsafe { pg_sys::SetLatch(pg_sys::MyLatch) };
}

/// Exits at once: the server shuts down immediately, or another of its processes has crashed. It does what PostgreSQL's handler of background
/// processes does (SignalHandlerForCrashExit), after it has noted that nothing that runs here is to blame.
extern "C-unwind" fn on_sigquit(_signal: i32) {
    crash_note::end();
    // SAFETY: _exit is async-signal-safe, and so are pread and pwrite, which end() calls.
    unsafe { nix::libc::_exit(2) }
}

/// Keeps `errno` for the code that a signal has interrupted. (From 17 on, PostgreSQL does that around every handler.)
struct KeptErrno(i32);

impl KeptErrno {
    fn now() -> Self {
        KeptErrno(nix::errno::Errno::last_raw())
    }
}

impl Drop for KeptErrno {
    fn drop(&mut self) {
        nix::errno::Errno::set_raw(self.0);
    }
}
