//! What an installation needs, and waking the worker.

use pgrx::prelude::*;

use crate::installation::LIBRARY;
use crate::wake;

/// Has the worker, at commit, look for waiting deliveries of these webhooks; with `overdue`, they are tried at once. Nulls are ignored. The
/// worker looks for captured events too.
#[pg_extern(sql = false)]
fn wake(webhook_ids: pgrx::Array<i64>, overdue: bool) {
    wake::at_commit(|work| {
        let webhooks = if overdue {
            &mut work.overdue
        } else {
            &mut work.webhooks
        };
        webhook_ids.iter().flatten().for_each(|id| webhooks.insert(id));
        work.events = true;
    });
}

/// Has the worker, at commit, try the webhook at once, whatever its endpoint has asked for.
#[pg_extern(sql = false)]
fn resume(webhook_id: i64) {
    wake::at_commit(|work| work.resumed.insert(webhook_id));
}

/// Has the worker, at commit, read the configuration again, as after a change of it.
#[pg_extern(sql = false)]
fn wake_for_senders() {
    wake::at_commit(|work| work.configuration = true);
}

#[pg_extern(sql = false)]
fn library_version() -> &'static str {
    LIBRARY
}

/// Raises a warning if the library was not preloaded.
#[pg_extern(sql = false)]
fn warn_unless_preloaded() {
    if wake::registry().is_none() {
        crate::report::warning(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "zentry_notify is not preloaded: notifications are written but not sent".to_owned(),
            "Add zentry_notify to shared_preload_libraries in postgresql.conf and restart the server. What waits is sent then.",
        );
    }
}
