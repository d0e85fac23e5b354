//! A background process's transactions.

use std::ffi::CString;
use std::panic::AssertUnwindSafe;

use pgrx::PgTryBuilder;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

use super::subtransaction::Failure;

/// What a transaction sees of others that commit meanwhile.
#[derive(Clone, Copy, Debug)]
pub enum Isolation {
    ReadCommitted,
    RepeatableRead,
}

/// What pg_stat_activity shows while nothing runs.
pub fn report_idle() {
    // SAFETY: a plain report of this process's state.
    unsafe { pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, std::ptr::null()) };
}

/// Runs `f` in a transaction of its own. An error rolls it back and is returned; `activity` is what pg_stat_activity shows. For a background
/// process that is connected to a database, or to none, and is in no transaction.
pub fn run<T>(activity: &str, isolation: Isolation, f: impl FnOnce() -> T) -> Result<T, Failure> {
    let activity = CString::new(activity).unwrap_or_default();
    let isolation = match isolation {
        Isolation::ReadCommitted => pg_sys::XACT_READ_COMMITTED,
        Isolation::RepeatableRead => pg_sys::XACT_REPEATABLE_READ,
    };
    // SAFETY: the steps of a background worker's transaction, as in Postgres' own worker_spi.
    unsafe {
        // A cancel that came when nothing ran.
        pg_sys::QueryCancelPending = 0;
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::StartTransactionCommand();
        pg_sys::XactIsoLevel = isolation as i32;
        pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, activity.as_ptr());
    }
    let outcome = PgTryBuilder::new(AssertUnwindSafe(|| {
        // SAFETY: as above.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
        check_constraints_at_once();
        let result = f();
        // SAFETY: as above.
        unsafe {
            pg_sys::PopActiveSnapshot();
            pg_sys::CommitTransactionCommand();
        }
        Ok(result)
    }))
    .catch_others(|error| {
        Err(match error {
            CaughtError::PostgresError(report)
            | CaughtError::ErrorReport(report)
            | CaughtError::RustPanic { ereport: report, .. } => Failure::of(&report),
        })
    })
    .execute();
    // SAFETY: as above; without the report, autovacuum would not hear of what was written.
    unsafe {
        if outcome.is_err() {
            // Also out of a subtransaction, if one should be left.
            pg_sys::AbortOutOfAnyTransaction();
        }
        pg_sys::pgstat_report_stat(true);
    }
    report_idle();
    outcome
}

/// A deferred trigger that somebody has put on a table would run when the transaction commits, with the worker's own rights. Now
/// it runs with its statement, as whom that does.
fn check_constraints_at_once() {
    let mut statement = pg_sys::ConstraintsSetStmt {
        type_: pg_sys::NodeTag::T_ConstraintsSetStmt,
        constraints: std::ptr::null_mut(),
        deferred: false,
    };
    // SAFETY: SET CONSTRAINTS ALL IMMEDIATE within a transaction; the statement is only read.
    unsafe { pg_sys::AfterTriggerSetState(&raw mut statement) };
}

/// Returns when the session's transaction began, as now() does: microseconds since 2000.
pub fn began_at() -> i64 {
    // SAFETY: a plain variable of this process.
    unsafe { pg_sys::GetCurrentTransactionStartTimestamp() }
}

/// Returns how many (sub)transactions the session is in.
#[cfg(any(test, feature = "pg_test"))]
pub fn depth() -> i32 {
    // SAFETY: a plain variable of this process.
    unsafe { pg_sys::GetCurrentTransactionNestLevel() }
}

/// Whether the session's transaction may write nothing.
pub fn is_read_only() -> bool {
    // SAFETY: a plain variable of this process.
    unsafe { pg_sys::XactReadOnly }
}

/// The numbers of transactions that a snapshot's reader has to know.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    /// The oldest that ran when the active snapshot was taken.
    pub oldest_running: u64,
    /// The one that is given next.
    pub next: u64,
}

/// Returns the numbers as of the active snapshot; an error if there is none.
pub fn numbers() -> Numbers {
    // SAFETY: the snapshot is looked at if there is one; the other is a plain read under a lock of its own.
    unsafe {
        let Some(snapshot) = pg_sys::GetActiveSnapshot().as_ref() else {
            pgrx::error!("zentry_notify: there is no active snapshot");
        };
        let next = pg_sys::ReadNextFullTransactionId().value;
        // The snapshot's has no epoch; it is not above the next one.
        let epoch = next & !u64::from(u32::MAX);
        let oldest = epoch | u64::from(snapshot.xmin.into_inner());
        Numbers {
            oldest_running: if oldest > next { oldest - (1 << 32) } else { oldest },
            next,
        }
    }
}

/// Has `ends` called at the end of each transaction of this process with whether it was committed here; one that is prepared is not. Once in a
/// process.
pub fn at_every_end(ends: fn(bool)) {
    AT_END.set(Some(ends));
    // SAFETY: the callback lives as long as the process; what it calls neither raises errors nor allocates in Postgres' memory.
    unsafe { pg_sys::RegisterXactCallback(Some(transaction_ends), std::ptr::null_mut()) };
}

thread_local! {
    static AT_END: std::cell::Cell<Option<fn(bool)>> = const { std::cell::Cell::new(None) };
}

#[pg_guard]
extern "C-unwind" fn transaction_ends(event: pg_sys::XactEvent::Type, _argument: *mut std::ffi::c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE)
        && let Some(ends) = AT_END.get()
    {
        ends(event == XACT_EVENT_COMMIT);
    }
}
