//! What an installation needs, and how others wake its worker.

use pgrx::prelude::*;

use crate::installation::LIBRARY;
use crate::wake;

/// At commit, lets the worker look at what waits for these webhooks, and with `overdue` no longer wait to try again. Nulls
/// are passed over. It looks at what was captured, too.
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

/// At commit, lets the worker try the integration's endpoint, whatever that has asked for.
#[pg_extern(sql = false)]
fn resume(webhook_id: i64) {
    wake::at_commit(|work| {
        work.overdue.insert(webhook_id);
        work.resumed = true;
    });
}

/// At commit, lets the worker read the configuration again, as after a change of it.
#[pg_extern(sql = false)]
fn wake_for_senders() {
    wake::at_commit(|work| work.configuration = true);
}

#[pg_extern(sql = false)]
fn library_version() -> &'static str {
    LIBRARY
}

#[pg_extern(sql = false)]
fn warn_unless_preloaded() {
    if wake::registry().is_none() {
        crate::report::warning(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "zentry_notify is not preloaded: notifications are written but not sent".to_owned(),
            "Add zentry_notify to shared_preload_libraries in postgresql.conf and restart the server; what waits is sent then.",
        );
    }
}
