//! The end of a transaction: what it kept back is written, or forgotten with what was rolled back.

use pgrx::prelude::*;

use super::session::session;
use super::{Missing, deliver, tables};
use crate::{subtransaction, wake};

pub fn register_callbacks() {
    // SAFETY: once per process, and the callbacks live as long as it does.
    unsafe {
        pg_sys::RegisterXactCallback(Some(transaction_callback), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(subtransaction_callback), std::ptr::null_mut());
    }
}

#[pg_guard]
extern "C-unwind" fn transaction_callback(event: pg_sys::XactEvent::Type, _argument: *mut std::ffi::c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_PRE_COMMIT, XACT_EVENT_PRE_PREPARE};
    match event {
        XACT_EVENT_PRE_COMMIT | XACT_EVENT_PRE_PREPARE => write_unwritten(),
        XACT_EVENT_ABORT => drop(session(|s| s.unwritten.take())),
        _ => {}
    }
}

#[pg_guard]
extern "C-unwind" fn subtransaction_callback(
    event: pg_sys::SubXactEvent::Type,
    subtransaction: pg_sys::SubTransactionId,
    parent: pg_sys::SubTransactionId,
    _argument: *mut std::ffi::c_void,
) {
    use pg_sys::SubXactEvent::{SUBXACT_EVENT_ABORT_SUB, SUBXACT_EVENT_COMMIT_SUB};
    match event {
        SUBXACT_EVENT_ABORT_SUB => session(|s| s.unwritten.subtransaction_aborted(subtransaction)),
        SUBXACT_EVENT_COMMIT_SUB => session(|s| s.unwritten.subtransaction_committed(subtransaction, parent)),
        _ => {}
    }
}

/// What was kept for the commit is written now, within the transaction. It must not make the commit fail.
fn write_unwritten() {
    let level = session(|s| s.unwritten.take());
    if level.held.is_empty() && level.notes.is_empty() {
        return;
    }
    let written = subtransaction::attempt(|| {
        // SAFETY: push and pop in pairs; an error in between pops it with the subtransaction.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
        for held in &level.held {
            deliver(&held.source, &held.source.restore(&held.values), Missing::Accept);
        }
        if !level.notes.is_empty() {
            tables::write_notes(&level.notes);
            wake::at_commit(|work| work.progress = true);
        }
        // SAFETY: as above.
        unsafe { pg_sys::PopActiveSnapshot() };
    });
    if let Err(reason) = written {
        pgrx::warning!("zentry_notify: notifications of this transaction could not be written: {reason}");
    }
}
