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

/// Suspends a source: records the reason in its row. If another session holds the row, it is not waited for.
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

/// Maximum number of warnings about lost events that a session raises within [`WARNING_PERIOD`]: a full disk has no room for a line for each.
const MAX_WARNINGS: u32 = 20;
const WARNING_PERIOD: Duration = Duration::from_secs(10);

thread_local! {
    /// The beginning of the present period, and the number of lost events in it.
    static WARNED: Cell<Option<(Instant, u32)>> = const { Cell::new(None) };
}

/// Counts a lost event, and returns whether there may be a warning about it.
fn may_warn() -> bool {
    let period = WARNED.get().filter(|(since, _)| since.elapsed() < WARNING_PERIOD);
    let (since, count) = period.unwrap_or_else(|| (Instant::now(), 0));
    WARNED.set(Some((since, count.saturating_add(1))));
    count < MAX_WARNINGS
}

/// Counts an event that could not be recorded, and raises a warning, unless there were many of them just now. The warning shows nothing of the data.
pub fn warn_of_loss(event_type: &str, failure: &Failure) {
    count_loss();
    if !may_warn() {
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

/// Whether events are written in subtransactions, since one could not be stored a while ago: then they cannot fail the application's write.
pub fn is_careful() -> bool {
    slot().is_some_and(Slot::is_careful)
}

/// Has events written in subtransactions for a while, if the failure comes from storage.
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
