//! A background process's way into its database.

use std::ffi::{CStr, CString};
use std::panic::AssertUnwindSafe;

use pgrx::PgTryBuilder;
use pgrx::bgworkers::BackgroundWorker;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

use super::pinned_settings;
use super::signals::InTransaction;
use crate::acting_as::ActingAs;
use crate::pg::setting;
use crate::pg::subtransaction::Failure;

/// Connects; None: to no database, for the shared catalogues alone. `application_name` is for pg_stat_activity.
pub fn connect(database: Option<pg_sys::Oid>, application_name: &CStr) {
    match database {
        Some(_) => BackgroundWorker::connect_worker_to_spi_by_oid(database, None),
        None => BackgroundWorker::connect_worker_to_spi(None, None),
    }
    pinned_settings::pin(application_name);
}

/// What pg_stat_activity shows while nothing runs.
pub fn report_idle() {
    // SAFETY: a plain report of this process's state.
    unsafe { pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, std::ptr::null()) };
}

/// Runs `f` in a transaction of its own, with the agent's rights. An error rolls it back and is returned with its SQLSTATE;
/// `activity` is what pg_stat_activity shows.
pub fn transaction<T>(activity: &str, f: impl FnOnce() -> T) -> Result<T, String> {
    attempt(activity, f).map_err(|failure| failure.describe())
}

/// The same for those that go by the kind of the error.
pub fn attempt<T>(activity: &str, f: impl FnOnce() -> T) -> Result<T, Failure> {
    as_whom(activity, Some(ActingAs::agent), pg_sys::XACT_READ_COMMITTED, f)
}

/// What waits for a lock gives up at once from now on, until the transaction ends.
pub fn be_impatient() {
    setting::set_in_transaction(c"lock_timeout", c"20ms");
}

/// The same with the worker's own rights, which are a superuser's: for look-ups in the catalogues, and to act as others.
pub fn transaction_as_self<T>(activity: &str, f: impl FnOnce() -> T) -> Result<T, String> {
    as_whom(activity, None, pg_sys::XACT_READ_COMMITTED, f).map_err(|failure| failure.describe())
}

/// As [`transaction_as_self`], with the database as it is at one moment. SIGTERM cancels it, and nothing waits for what it writes (numbers
/// of a sequence, that nobody has seen yet).
pub fn routing<T>(activity: &str, f: impl FnOnce() -> T) -> Result<T, String> {
    let _in_transaction = InTransaction::cancellable();
    let routed = run(activity, None, pg_sys::XACT_REPEATABLE_READ, || {
        setting::set_in_transaction(c"synchronous_commit", c"off");
        f()
    });
    routed.map_err(|failure| failure.describe())
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

fn as_whom<T>(
    activity: &str,
    whom: Option<fn() -> ActingAs>,
    isolation: u32,
    f: impl FnOnce() -> T,
) -> Result<T, Failure> {
    let _in_transaction = match whom {
        Some(_) => InTransaction::brief(),
        // What others have written may run in it.
        None => InTransaction::interruptible(),
    };
    run(activity, whom, isolation, f)
}

fn run<T>(
    activity: &str,
    whom: Option<fn() -> ActingAs>,
    isolation: u32,
    f: impl FnOnce() -> T,
) -> Result<T, Failure> {
    let activity = CString::new(activity).unwrap_or_default();
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
        let result = {
            let _role = whom.map(|act| act());
            f()
        };
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
