//! Sources that do not go with their tables any more, and events that could not be recorded.

use pgrx::prelude::*;

use crate::pg::acting_as::ActingAs;
use crate::pg::plan::{Plan, with_spi};
use crate::pg::process;
use crate::pg::subtransaction::{self, Failure};
use crate::report;
use crate::wake::registry;

/// Records why the source fires nothing from now on. Another session may be doing the same: it is not waited for.
pub fn suspend(source: i64, event_type: &str, table: &str, failure: &Failure) {
    const SQL: &str = "UPDATE zentry_notify.event_source SET suspended_at = pg_catalog.now(), suspended_reason = $2 \
                       WHERE id OPERATOR(pg_catalog.=) (\
                         SELECT s.id FROM zentry_notify.event_source s \
                         WHERE s.id OPERATOR(pg_catalog.=) $1 AND s.suspended_at IS NULL FOR UPDATE SKIP LOCKED)";
    let recorded = subtransaction::attempt(|| {
        let _agent = ActingAs::agent();
        with_spi(|spi| {
            Plan::prepare(spi, SQL, &[pg_sys::INT8OID, pg_sys::TEXTOID])
                .execute(spi, &[source.into(), failure.message().into()])
                .len()
        })
    });
    if !matches!(recorded, Ok(0)) {
        report::warning(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!(
                "zentry_notify: {event_type} on table {} is suspended (SQLSTATE {})",
                quoted(table),
                failure.sqlstate()
            ),
            "The write itself is not affected. zentry_status() says why; mend the cause, then run: SELECT * FROM zentry_attach();",
        );
    }
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// Counts an event that could not be recorded, and says so. Nothing of its data is shown.
pub fn warn_of_loss(event_type: &str, failure: &Failure) {
    count_loss();
    report::warning(
        failure.code(),
        format!(
            "zentry_notify: an event {event_type} could not be recorded (SQLSTATE {})",
            failure.sqlstate()
        ),
        "The write itself is not affected. zentry_status() counts such events.",
    );
}

fn count_loss() {
    if let Some(slot) = registry().and_then(|registry| registry.slot(process::database())) {
        slot.count_lost(1);
    }
}
