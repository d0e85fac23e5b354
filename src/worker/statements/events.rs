//! The worker's statements on events: `event`, `event_detail`, `event_definition`, and the route cursor.

use pgrx::pg_sys::{INT4OID, INT8ARRAYOID, TEXTARRAYOID, TEXTOID};

use super::prepare;
use crate::plan::Plan;

/// Selects the definitions of events' messages: those for all webhooks first, then those of single webhooks.
pub fn wordings() -> Plan {
    prepare(
        "SELECT d.webhook_integration_id, d.definition::text FROM zentry_notify.event_definition d ORDER BY 1, d.event_type",
        &[],
    )
}

/// Selects the first events in the ranges from `$1` (inclusive) to `$2` (exclusive), at most `$3`.
pub fn events(event: u32) -> Plan {
    prepare(
        &format!(
            "SELECT e.id, e.created_at, e.source_id, e.event_type, e.data, e.context \
             FROM unnest($1, $2) r (low, high) \
             CROSS JOIN LATERAL (\
               SELECT e.id, e.created_at, e.source_id, e.event_type, e.data, e.context FROM zentry_notify.event e \
               WHERE e.id >= r.low AND e.id < r.high AND e.tableoid = {event} ORDER BY e.id LIMIT $3) e \
             LIMIT $3"
        ),
        &[INT8ARRAYOID, INT8ARRAYOID, INT4OID],
    )
}

/// Selects the route cursor, whether a dump that is being restored has still to replace it, and its `ctid`.
pub fn stored_cursor() -> Plan {
    prepare(&format!("{CURSOR} FROM zentry_notify.route_cursor c"), &[])
}

/// Selects the same from the row version whose `ctid` is `$1`: no row once the cursor has been written by somebody else.
pub fn cursor_at() -> Plan {
    prepare(
        &format!("{CURSOR} FROM zentry_notify.route_cursor c WHERE c.ctid = $1::tid"),
        &[TEXTOID],
    )
}

const CURSOR: &str = "SELECT c.routed::text, c.restored = 'awaited', c.split::text, c.ctid::text";

/// Updates the route cursor from `$2` to `$1` and returns its new `ctid`: no row if it is not `$2` any more, or if the table of events is
/// that of another installation.
pub fn cursor(event: u32) -> Plan {
    prepare(
        &format!(
            "UPDATE zentry_notify.route_cursor c SET routed = $1::int8multirange, split = $3::jsonb \
             WHERE c.routed = $2::int8multirange AND c.restored <> 'awaited' \
               AND to_regclass('zentry_notify.event')::oid = {event} \
             RETURNING c.ctid::text"
        ),
        &[TEXTOID, TEXTOID, TEXTOID],
    )
}

/// Inserts the details of events that have none yet. (ON CONFLICT would write one more WAL record for each row.)
pub fn details() -> Plan {
    prepare(
        "INSERT INTO zentry_notify.event_detail (event_id, data) \
         SELECT d.id, d.data::jsonb FROM unnest($1, $2) d (id, data) \
         WHERE NOT EXISTS (SELECT FROM zentry_notify.event_detail x WHERE x.event_id = d.id)",
        &[INT8ARRAYOID, TEXTARRAYOID],
    )
}

/// Selects those of the events `$1` that have details.
pub fn detailed() -> Plan {
    prepare(
        "SELECT x.event_id FROM zentry_notify.event_detail x WHERE x.event_id = ANY ($1)",
        &[INT8ARRAYOID],
    )
}

/// Deletes the events `$1`, whose data are not to be kept (`log_payloads = off`).
pub fn forget(event: u32) -> Plan {
    prepare(
        &format!("DELETE FROM zentry_notify.event e WHERE e.id = ANY ($1) AND e.tableoid = {event}"),
        &[INT8ARRAYOID],
    )
}
