//! Suspending sources that do not fit their tables any more, and counting events that could not be recorded.

use std::cell::Cell;
use std::time::{Duration, Instant};

use pgrx::prelude::*;

use crate::pg::acting_as::ActingAs;
use crate::pg::plan::{Plan, with_spi};
use crate::pg::process;
use crate::pg::subtransaction::{self, Failure};
use crate::report;
use crate::wake::{Slot, registry};

/// Records why the source fires nothing from now on. If another session is doing the same, it is not waited for.
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

/// The most events within [`SAID_WITHIN`] of which a session logs that they could not be recorded: a full disk has no room for a line for
/// each.
const SAID: u32 = 20;
const SAID_WITHIN: Duration = Duration::from_secs(10);

thread_local! {
    /// Since when, and for how many events, it was logged.
    static SAID_SINCE: Cell<Option<(Instant, u32)>> = const { Cell::new(None) };
}

fn may_say() -> bool {
    let since = SAID_SINCE
        .get()
        .filter(|(since, _)| since.elapsed() < SAID_WITHIN);
    let (since, said) = since.unwrap_or_else(|| (Instant::now(), 0));
    SAID_SINCE.set(Some((since, said.saturating_add(1))));
    said < SAID
}

/// Counts an event that could not be recorded, and logs that, unless many were logged just now. Nothing of its data is shown.
pub fn warn_of_loss(event_type: &str, failure: &Failure) {
    count_loss();
    if !may_say() {
        return;
    }
    report::warning(
        failure.code(),
        format!(
            "zentry_notify: an event {event_type} could not be recorded (SQLSTATE {})",
            failure.sqlstate()
        ),
        "The write itself is not affected. zentry_status() counts such events.",
    );
}

fn slot() -> Option<&'static Slot> {
    registry()?.slot(process::database())
}

/// Returns whether events are written so that they cannot fail the write that they belong to, since one could not be stored a while ago.
pub fn is_careful() -> bool {
    slot().is_some_and(Slot::is_careful)
}

/// Notes that an event could not be stored.
pub fn note(failure: &Failure) {
    if let Some(slot) = slot().filter(|_| failure.is_of_storage()) {
        slot.be_careful();
    }
}

fn count_loss() {
    if let Some(slot) = slot() {
        slot.count_lost(1);
    }
}
