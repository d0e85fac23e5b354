//! What a transaction has written is told at its commit.

use std::cell::RefCell;

use pgrx::prelude::*;

use super::{Work, registry};

thread_local! {
    /// What the running transaction has written.
    static WRITTEN: RefCell<Work> = const { RefCell::new(Work::NONE) };
}

/// Lets the worker look at these integrations once the running transaction has committed.
pub fn at_commit(change: impl FnOnce(&mut Work)) {
    WRITTEN.with_borrow_mut(change);
}

pub fn register_callbacks() {
    // SAFETY: once per process; the callback neither raises errors nor allocates.
    unsafe { pg_sys::RegisterXactCallback(Some(transaction_ends), std::ptr::null_mut()) };
}

#[pg_guard]
extern "C-unwind" fn transaction_ends(event: pg_sys::XactEvent::Type, _argument: *mut std::ffi::c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if !matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        return;
    }
    let written = WRITTEN.take();
    if event == XACT_EVENT_COMMIT
        && !written.is_empty()
        && let Some(registry) = registry()
    {
        // SAFETY: a plain variable of this process.
        registry.notify(unsafe { pg_sys::MyDatabaseId }, &written);
    }
}
