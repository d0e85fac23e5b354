//! Moving the log of 0.2.0, whose rows are event and delivery in one, into the new tables.

use std::time::Duration;

use pgrx::prelude::*;

use crate::acting_as::ActingAs;
use crate::pg::process;
use crate::pg::sequence;
use crate::plan::{Plan, with_spi};
use crate::wake;

/// The number of rows that one transaction moves.
const PAGE: i32 = 1_000;

/// Moves a page of waiting rows. Returns true if there may be more.
pub fn move_waiting() -> bool {
    move_page(WAITING, PAGE, None)
}

/// Moves a page of finished rows, and deletes those that are older than `retention`. Returns true if there may be more.
pub fn move_finished(retention: Option<Duration>) -> bool {
    move_page(FINISHED, PAGE, retention)
}

const WAITING: &str = "SELECT l.id FROM zentry_notify.legacy_delivery l WHERE l.status IN ('pending', 'retry') ORDER BY l.id LIMIT $1";
const FINISHED: &str = "SELECT l.id FROM zentry_notify.legacy_delivery l WHERE l.status IN ('sent', 'failed') ORDER BY l.id LIMIT $1";

fn move_page(sql: &str, page: i32, retention: Option<Duration>) -> bool {
    const REMOVE_OLD: &str = "DELETE FROM zentry_notify.legacy_delivery l \
         WHERE l.id = ANY ($1) AND l.status IN ('sent', 'failed') AND l.created_at < now() - make_interval(secs => $2)";
    // A row whose data are not kept gets no event.
    const EVENTS: &str = "INSERT INTO zentry_notify.event (id, created_at, event_type, data, context) OVERRIDING SYSTEM VALUE \
         SELECT m.event_id, l.created_at, l.event_type, l.payload::text::json, '{\"routed\": true}' \
         FROM unnest($1, $2) m (id, event_id) JOIN zentry_notify.legacy_delivery l ON l.id = m.id \
         WHERE jsonb_typeof(l.payload) <> 'null'";
    const DELIVERIES: &str = "INSERT INTO zentry_notify.delivery \
               (id, event_id, webhook_integration_id, next_attempt_at, finished_at, retry_of, response_status_code, attempts, \
                retry_count, status, event_type, response_body, error_message) \
         SELECT l.id, CASE WHEN jsonb_typeof(l.payload) = 'null' THEN -l.id ELSE m.event_id END, l.webhook_integration_id, \
                CASE WHEN l.status = 'retry' THEN l.next_attempt_at END, \
                CASE WHEN l.status IN ('sent', 'failed') THEN coalesce(l.sent_at, l.created_at) END, l.retry_of, \
                CASE WHEN l.response_status_code BETWEEN 0 AND 32767 THEN l.response_status_code END, least(l.attempts, 32767), \
                least(l.retry_count, 32767), \
                CASE l.status WHEN 'pending' THEN 'p' WHEN 'retry' THEN 'r' WHEN 'sent' THEN 's' ELSE 'f' END::\"char\", \
                l.event_type, nullif(l.response_body, ''), nullif(l.error_message, '') \
         FROM unnest($1, $2) m (id, event_id) JOIN zentry_notify.legacy_delivery l ON l.id = m.id ORDER BY l.id";
    const REMOVE: &str = "DELETE FROM zentry_notify.legacy_delivery l WHERE l.id = ANY ($1)";
    let ids: Vec<i64> = {
        let _agent = ActingAs::agent();
        with_spi(|spi| {
            let rows = Plan::prepare(spi, sql, &[pg_sys::INT4OID]).execute(spi, &[page.into()]);
            let id = |row| rows.get::<i64>(row, 1);
            (0..rows.len()).filter_map(id).collect()
        })
    };
    if ids.is_empty() {
        return false;
    }
    let events = event_ids(ids.len());
    let _agent = ActingAs::agent();
    with_spi(|spi| {
        let arrays = [pg_sys::INT8ARRAYOID, pg_sys::INT8ARRAYOID];
        let pairs = [ids.clone().into(), events.into()];
        if let Some(retention) = retention {
            let types = [pg_sys::INT8ARRAYOID, pg_sys::FLOAT8OID];
            Plan::prepare(spi, REMOVE_OLD, &types)
                .execute(spi, &[ids.clone().into(), retention.as_secs_f64().into()]);
        }
        Plan::prepare(spi, EVENTS, &arrays).execute(spi, &pairs);
        Plan::prepare(spi, DELIVERIES, &arrays).execute(spi, &pairs);
        Plan::prepare(spi, REMOVE, &[pg_sys::INT8ARRAYOID]).execute(spi, &[ids.clone().into()]);
    });
    // The worker reads these events, and the route cursor gets their ids.
    wake::at_commit(|work| work.events = true);
    ids.len() == page.unsigned_abs() as usize
}

/// Draws ids from the sequence of events, with the worker's own rights. The transaction has its transaction id before, as the route cursor
/// requires.
fn event_ids(count: usize) -> Vec<i64> {
    process::number_transaction();
    sequence::draw(pg_sys::Oid::from(super::store::table("event_id_seq")), count)
}
