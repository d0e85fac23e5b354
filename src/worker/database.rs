//! Connecting a background process to its database, and running transactions there.

use std::ffi::CStr;

use pgrx::bgworkers::BackgroundWorker;
use pgrx::prelude::*;

use super::pinned_settings;
use crate::acting_as::ActingAs;
use crate::installation::Installation;
use crate::pg::setting;
use crate::pg::signals::InTransaction;
use crate::pg::subtransaction::Failure;
use crate::pg::transaction::{self, Isolation};

/// Connects to the database. None: to no database, for the shared catalogues alone. `application_name` is for pg_stat_activity.
pub fn connect(database: Option<pg_sys::Oid>, application_name: &CStr) {
    match database {
        Some(_) => BackgroundWorker::connect_worker_to_spi_by_oid(database, None),
        None => BackgroundWorker::connect_worker_to_spi(None, None),
    }
    pinned_settings::pin(application_name);
}

/// Runs `f` in a transaction of its own, with the agent's rights. An error rolls it back and is returned as text with its SQLSTATE.
/// `activity` is what pg_stat_activity shows.
pub fn transaction<T>(activity: &str, f: impl FnOnce() -> T) -> Result<T, String> {
    attempt(activity, f).map_err(|failure| failure.describe())
}

/// Does the same, for callers that need to know the kind of error.
pub fn attempt<T>(activity: &str, f: impl FnOnce() -> T) -> Result<T, Failure> {
    as_whom(activity, Some(ActingAs::agent), Isolation::ReadCommitted, f)
}

/// Makes lock waits fail at once until the transaction ends.
pub fn be_impatient() {
    setting::set_in_transaction(c"lock_timeout", c"20ms");
}

/// Does the same with the worker's own rights, which are a superuser's: to read the catalogues and to act as other roles.
pub fn transaction_as_self<T>(activity: &str, f: impl FnOnce() -> T) -> Result<T, String> {
    as_whom(activity, None, Isolation::ReadCommitted, f).map_err(|failure| failure.describe())
}

/// Does as [`transaction_as_self`], with the database as it is at one moment. SIGTERM cancels it, and its commit waits for no WAL flush
/// (all it writes are numbers of a sequence that nobody has seen yet).
pub fn routing<T>(activity: &str, f: impl FnOnce() -> T) -> Result<T, String> {
    let _in_transaction = InTransaction::cancellable();
    let routed = run(activity, None, Isolation::RepeatableRead, || {
        setting::set_in_transaction(c"synchronous_commit", c"off");
        f()
    });
    routed.map_err(|failure| failure.describe())
}

fn as_whom<T>(
    activity: &str,
    whom: Option<fn() -> ActingAs>,
    isolation: Isolation,
    f: impl FnOnce() -> T,
) -> Result<T, Failure> {
    let _in_transaction = match whom {
        Some(_) => InTransaction::brief(),
        // Code of other roles may run in it.
        None => InTransaction::interruptible(),
    };
    run(activity, whom, isolation, f)
}

fn run<T>(
    activity: &str,
    whom: Option<fn() -> ActingAs>,
    isolation: Isolation,
    f: impl FnOnce() -> T,
) -> Result<T, Failure> {
    transaction::run(activity, isolation, || {
        let _role = whom.map(|act| act());
        f()
    })
}

/// Reads which extension is installed in this database.
pub fn installation() -> Result<Option<Installation>, String> {
    transaction_as_self("zentry_notify: look for the extension", Installation::find)
}
