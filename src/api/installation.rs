//! What an installation needs, and how others wake its worker.

use pgrx::prelude::*;

use crate::wake;

/// At commit, lets the worker look at what waits for these integrations. Nulls are passed over.
#[pg_extern(sql = false)]
fn wake(webhook_ids: pgrx::Array<i64>) {
    wake::at_commit(|work| webhook_ids.iter().flatten().for_each(|id| work.lanes.insert(id)));
}

#[pg_extern(sql = false)]
fn warn_unless_preloaded() {
    if wake::registry().is_none() {
        ereport!(
            WARNING,
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "zentry_notify is not preloaded: notifications are written but not sent",
            "Add zentry_notify to shared_preload_libraries in postgresql.conf and restart the server; what waits is sent then."
        );
    }
}
