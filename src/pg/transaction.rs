//! Transactions of the background processes, and the state of a session's transaction.

use std::ffi::CString;
use std::panic::AssertUnwindSafe;

use pgrx::PgTryBuilder;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

use super::subtransaction::Failure;

/// The isolation level of a transaction.
#[derive(Clone, Copy, Debug)]
pub enum Isolation {
    ReadCommitted,
    RepeatableRead,
}

/// Has pg_stat_activity show this process as idle.
pub fn report_idle() {
    // SAFETY: changes this process's own entry; without an entry, nothing.
    unsafe { pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, std::ptr::null()) };
}

/// Runs `f` in a transaction. `activity` is shown in pg_stat_activity. It is called in a background process, which may be connected to no database,
/// outside of a transaction.
///
/// # Errors
/// An error of `f` or of the commit; the transaction was rolled back.
pub fn run<T>(activity: &str, isolation: Isolation, f: impl FnOnce() -> T) -> Result<T, Failure> {
    let activity = CString::new(activity).unwrap_or_default();
    let isolation = match isolation {
        Isolation::ReadCommitted => pg_sys::XACT_READ_COMMITTED,
        Isolation::RepeatableRead => pg_sys::XACT_REPEATABLE_READ,
    };
    // SAFETY: the steps of a background worker's transaction, as in PostgreSQL's worker_spi.
    unsafe {
        // A cancel that came while nothing ran is void.
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
    // SAFETY: as above. pgstat_report_stat reports what was written to the statistics by which autovacuum goes.
    unsafe {
        if outcome.is_err() {
            // Also ends a subtransaction that may be left.
            pg_sys::AbortOutOfAnyTransaction();
        }
        pg_sys::pgstat_report_stat(true);
    }
    report_idle();
    outcome
}

/// Makes all constraints immediate. A deferred trigger that a user has put on a table would run at commit, with the worker's own rights; an
/// immediate one runs with its statement, as the role of that.
fn check_constraints_at_once() {
    let mut statement = pg_sys::ConstraintsSetStmt {
        type_: pg_sys::NodeTag::T_ConstraintsSetStmt,
        constraints: std::ptr::null_mut(),
        deferred: false,
    };
    // SAFETY: the statement is SET CONSTRAINTS ALL IMMEDIATE, within a transaction; it is only read.
    unsafe { pg_sys::AfterTriggerSetState(&raw mut statement) };
}

/// Returns when the session's transaction began, as now() does, in microseconds since 2000.
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

/// Whether the session's transaction is read-only.
pub fn is_read_only() -> bool {
    // SAFETY: a plain variable of this process.
    unsafe { pg_sys::XactReadOnly }
}

/// Transaction ids (64 bits, as `xid8`) that bound what runs.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    /// The oldest transaction that ran when the active snapshot was taken.
    pub oldest_running: u64,
    /// The id that is assigned next.
    pub next: u64,
}

/// Returns the bounds as of the active snapshot. It raises an error if there is none.
pub fn numbers() -> Numbers {
    // SAFETY: the pointer is null or to the active snapshot, which is not popped meanwhile; ReadNextFullTransactionId takes its own lock.
    unsafe {
        let Some(snapshot) = pg_sys::GetActiveSnapshot().as_ref() else {
            pgrx::error!("zentry_notify: there is no active snapshot");
        };
        let next = pg_sys::ReadNextFullTransactionId().value;
        // The snapshot's xmin lacks the epoch; it is not above the next id.
        let epoch = next & !u64::from(u32::MAX);
        let oldest = epoch | u64::from(snapshot.xmin.into_inner());
        Numbers {
            oldest_running: if oldest > next { oldest - (1 << 32) } else { oldest },
            next,
        }
    }
}

/// Has `ends` called at the end of each transaction of this process, with true if it has committed, and false if it was rolled back or prepared.
/// Called once in a process.
pub fn at_every_end(ends: fn(bool)) {
    AT_END.set(Some(ends));
    // SAFETY: the callback is a function, which lives as long as the process. What it calls raises no error and allocates nothing in
    // PostgreSQL's memory contexts, as is required after a commit.
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
