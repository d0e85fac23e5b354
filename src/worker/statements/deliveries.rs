//! The worker's statements on deliveries: `delivery` and `delivery_attempt`.

use pgrx::pg_sys::{
    INT2ARRAYOID, INT4ARRAYOID, INT4OID, INT8ARRAYOID, INT8OID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZARRAYOID,
};

use super::prepare;
use crate::plan::Plan;

/// Selects the first waiting deliveries of the queues `$1`, at most `$2` of each, from the ids `$3` on, with their events.
///
/// The second last column is false while the event may still come: a dump restores events all at once, so a delivery without its
/// event, and without any later event, may be of a dump whose events are not restored yet.
pub fn claim(delivery: u32) -> Plan {
    prepare(
        &format!(
            "SELECT l.id, c.queue, l.event_type, e.data, \
                    CASE WHEN e.context::text = '{{\"routed\": true, \"sample\": true}}' \
                         THEN coalesce(x.data, '{{}}') || '{{\"zentry_sample\": true}}' ELSE x.data END, l.attempts, e.created_at, l.next_attempt_at, l.event_id, \
                    e.id IS NOT NULL OR EXISTS (SELECT FROM zentry_notify.event later WHERE later.id > l.event_id), \
                    CASE WHEN e.id IS NOT NULL THEN l.traceparent END \
             FROM unnest($1, $2, $3) c (queue, page, cursor) \
             CROSS JOIN LATERAL (\
               SELECT l.id, l.event_type::text, l.event_id, l.attempts, l.next_attempt_at, l.traceparent \
               FROM zentry_notify.delivery l \
               WHERE l.webhook_integration_id = c.queue AND l.id >= c.cursor AND l.status IN ('p', 'r') AND l.tableoid = {delivery} \
               ORDER BY l.id LIMIT c.page) l \
             LEFT JOIN zentry_notify.event e ON e.id = l.event_id \
             LEFT JOIN zentry_notify.event_detail x ON x.event_id = l.event_id"
        ),
        &[INT8ARRAYOID, INT4ARRAYOID, INT8ARRAYOID],
    )
}

/// Selects the same for digests, with the events' data of the last `$4` deliveries alone. The others have no data but the mark of a sample.
pub fn gather(delivery: u32) -> Plan {
    prepare(
        &format!(
            "SELECT l.id, c.queue, l.event_type, \
                    CASE WHEN l.last <= c.shown THEN e.data \
                         WHEN e.context::text = '{{\"routed\": true, \"sample\": true}}' THEN '{{\"zentry_sample\": true}}' END, \
                    CASE WHEN l.last <= c.shown THEN \
                         CASE WHEN e.context::text = '{{\"routed\": true, \"sample\": true}}' \
                              THEN coalesce(x.data, '{{}}') || '{{\"zentry_sample\": true}}' ELSE x.data END END, \
                    l.attempts, e.created_at, l.next_attempt_at, l.event_id, \
                    e.id IS NOT NULL OR EXISTS (SELECT FROM zentry_notify.event later WHERE later.id > l.event_id), \
                    CASE WHEN e.id IS NOT NULL THEN l.traceparent END \
             FROM unnest($1, $2, $3, $4) c (queue, page, cursor, shown) \
             CROSS JOIN LATERAL (\
               SELECT p.*, row_number() OVER (ORDER BY p.id DESC) AS last \
               FROM (SELECT l.id, l.event_type::text, l.event_id, l.attempts, l.next_attempt_at, l.traceparent \
                     FROM zentry_notify.delivery l \
                     WHERE l.webhook_integration_id = c.queue AND l.id >= c.cursor AND l.status IN ('p', 'r') AND l.tableoid = {delivery} \
                     ORDER BY l.id LIMIT c.page) p) l \
             LEFT JOIN zentry_notify.event e ON e.id = l.event_id \
             LEFT JOIN zentry_notify.event_detail x ON x.event_id = l.event_id AND l.last <= c.shown \
             ORDER BY c.queue, l.id"
        ),
        &[INT8ARRAYOID, INT4ARRAYOID, INT8ARRAYOID, INT4ARRAYOID],
    )
}

/// Inserts deliveries with their outcomes, except those whose webhook has been deleted.
pub fn deliveries(webhook: u32) -> Plan {
    prepare(
        &format!(
            "INSERT INTO zentry_notify.delivery \
                    (id, event_id, webhook_integration_id, event_type, status, attempts, response_status_code, response_body, \
                     error_message, finished_at, next_attempt_at, traceparent, captured_at) \
             SELECT d.id, d.event_id, d.queue, d.event_type, d.status::\"char\", d.attempts, d.code, d.body, d.error, d.finished_at, d.next_attempt_at, \
                    d.traceparent, d.captured_at \
             FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
                  d (id, event_id, queue, event_type, status, attempts, code, body, error, finished_at, next_attempt_at, traceparent, captured_at) \
             WHERE EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = d.queue AND w.tableoid = {webhook})"
        ),
        &[
            INT8ARRAYOID,
            INT8ARRAYOID,
            INT8ARRAYOID,
            TEXTARRAYOID,
            TEXTARRAYOID,
            INT2ARRAYOID,
            INT2ARRAYOID,
            TEXTARRAYOID,
            TEXTARRAYOID,
            TIMESTAMPTZARRAYOID,
            TIMESTAMPTZARRAYOID,
            TEXTARRAYOID,
            TIMESTAMPTZARRAYOID,
        ],
    )
}

/// Updates waiting deliveries with their outcomes. If the webhook is not what it was at `$9`, since a person has changed or resumed it, the delivery is
/// due at once.
///
/// `coalesce` keeps the planner to the primary key: it takes the partial index of waiting deliveries for almost empty, and would read
/// the whole of it, with every finished delivery that is not vacuumed yet.
pub fn record(delivery: u32) -> Plan {
    prepare(
        &format!(
            "UPDATE zentry_notify.delivery l \
             SET status = o.status::\"char\", attempts = o.attempts, response_status_code = o.code, response_body = o.body, \
                 error_message = o.error, finished_at = o.finished_at, \
                 next_attempt_at = CASE WHEN o.next_attempt_at > now() AND o.since <> \
                     (SELECT w.activated_at FROM zentry_notify.webhook w WHERE w.id = l.webhook_integration_id) THEN now() ELSE o.next_attempt_at END \
             FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9) o (id, status, attempts, code, body, error, finished_at, next_attempt_at, since) \
             WHERE l.id = o.id AND coalesce(l.status, ' ') IN ('p', 'r') AND l.tableoid = {delivery}"
        ),
        &[
            INT8ARRAYOID,
            TEXTARRAYOID,
            INT2ARRAYOID,
            INT2ARRAYOID,
            TEXTARRAYOID,
            TEXTARRAYOID,
            TIMESTAMPTZARRAYOID,
            TIMESTAMPTZARRAYOID,
            TIMESTAMPTZARRAYOID,
        ],
    )
}

/// Inserts failed attempts: the first fifty of each delivery, and the last one of a delivery that failed for good.
///
/// The conditions are scalar subqueries, which are evaluated for each row by an index: no plan joins with the whole log.
pub fn misses(delivery: u32) -> Plan {
    prepare(
        &format!(
            "INSERT INTO zentry_notify.delivery_attempt \
                    (delivery_id, attempted_at, next_attempt_at, response_status_code, attempt, error_message) \
             SELECT a.id, a.at, a.next, a.code, a.attempt, a.error \
             FROM unnest($1, $2, $3, $4, $5, $6) a (id, at, next, code, attempt, error) \
             WHERE (SELECT true FROM zentry_notify.delivery l WHERE l.id = a.id AND l.tableoid = {delivery}) \
               AND (a.next IS NULL \
                    OR (SELECT count(*) FROM (SELECT FROM zentry_notify.delivery_attempt k WHERE k.delivery_id = a.id LIMIT 50) known) < 50) \
             ON CONFLICT DO NOTHING"
        ),
        &[
            INT8ARRAYOID,
            TIMESTAMPTZARRAYOID,
            TIMESTAMPTZARRAYOID,
            INT2ARRAYOID,
            INT2ARRAYOID,
            TEXTARRAYOID,
        ],
    )
}

/// Fails at most `$3` waiting deliveries of the webhook `$1` with the error `$2`, if the extension has switched it off. Returns their event types.
pub fn fail_waiting() -> Plan {
    prepare(
        "UPDATE zentry_notify.delivery SET status = 'f', error_message = $2, next_attempt_at = NULL, finished_at = now() \
         WHERE id IN (SELECT l.id FROM zentry_notify.delivery l \
                      WHERE l.webhook_integration_id = $1 AND l.status IN ('p', 'r') ORDER BY l.id LIMIT $3) \
           AND EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = $1 AND w.switched_off_at IS NOT NULL) \
         RETURNING event_type::text",
        &[INT8OID, TEXTOID, INT4OID],
    )
}
