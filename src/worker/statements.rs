//! The worker's statements on the extension's own tables.
//!
//! Some name a table by its OID too. After DROP and CREATE EXTENSION the names are those of other tables, and ids begin at 1
//! again: a new delivery must not go to an old webhook, and what became of an old one must not be written to a new one.

pub mod deliveries;
pub mod events;
pub mod webhooks;

use pgrx::pg_sys::Oid;

use crate::plan::{Plan, with_spi};

fn prepare(sql: &str, types: &[Oid]) -> Plan {
    with_spi(|spi| Plan::prepare(spi, sql, types))
}

/// The active webhooks, with what is known of their endpoints.
pub fn active_webhooks() -> Plan {
    prepare(
        "SELECT w.id, w.webhook_type::text, u.webhook_url::text, w.max_events_per_message::integer, \
                (extract(epoch FROM w.min_interval) * 1000000)::bigint, (extract(epoch FROM CASE WHEN w.max_age < '1 year' THEN w.max_age WHEN w.max_age IS NOT NULL THEN interval '1 year' END) * 1000000)::bigint, \
                w.activated_at, c.failures, c.opened_at, c.next_try_at, n.last_sent_at, n.last_failed_at, \
                w.quiet_hours, w.mention, to_json(w.omit_keys)::text, s.failures, s.refusals, s.limits, \
                (SELECT json_agg((extract(epoch FROM p) * 1000000)::bigint) FROM unnest(s.posted_at) p WHERE isfinite(p))::text, \
                w.rate_limit::text, w.rate_group::text, \
                to_json(w)::text, u.signing_secret, u.previous_secret, u.previous_until, u.headers::text \
         FROM zentry_notify.webhook w \
         JOIN zentry_notify.webhook_secret u ON u.webhook_integration_id = w.id \
         LEFT JOIN zentry_notify.webhook_circuit c ON c.webhook_integration_id = w.id \
         LEFT JOIN zentry_notify.webhook_count n ON n.webhook_integration_id = w.id \
         LEFT JOIN zentry_notify.webhook_state s ON s.webhook_integration_id = w.id \
         WHERE w.is_active",
        &[],
    )
}

/// What events' messages say, everybody's before a webhook's own.
pub fn wordings() -> Plan {
    prepare(
        "SELECT d.webhook_integration_id, d.definition::text FROM zentry_notify.event_definition d ORDER BY 1, d.event_type",
        &[],
    )
}

/// The first events in the ranges from `$1` up to and without `$2`, at most `$3`.
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

/// The route cursor, and whether a dump has still to bring it.
pub fn stored_cursor() -> Plan {
    prepare(&format!("{CURSOR} FROM zentry_notify.route_cursor c"), &[])
}

/// The same, if it stands at `$1`.
pub fn cursor_at() -> Plan {
    prepare(
        &format!("{CURSOR} FROM zentry_notify.route_cursor c WHERE c.ctid = $1::tid"),
        &[TEXTOID],
    )
}

const CURSOR: &str = "SELECT c.routed::text, c.restored = 'awaited', c.split::text, c.ctid::text";

/// Writes the route cursor and returns where it stands then, if it is still `$2`, and the events are those of this installation.
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

/// What was found out about events. (ON CONFLICT would write a record more for each row.)
pub fn details() -> Plan {
    prepare(
        "INSERT INTO zentry_notify.event_detail (event_id, data) \
         SELECT d.id, d.data::jsonb FROM unnest($1, $2) d (id, data) \
         WHERE NOT EXISTS (SELECT FROM zentry_notify.event_detail x WHERE x.event_id = d.id)",
        &[INT8ARRAYOID, TEXTARRAYOID],
    )
}

/// Those of the events `$1` that have such a row.
pub fn detailed() -> Plan {
    prepare(
        "SELECT x.event_id FROM zentry_notify.event_detail x WHERE x.event_id = ANY ($1)",
        &[INT8ARRAYOID],
    )
}

/// Those of the webhooks `$1` that there are.
pub fn webhooks(webhook: u32) -> Plan {
    prepare(
        &format!("SELECT w.id FROM zentry_notify.webhook w WHERE w.id = ANY ($1) AND w.tableoid = {webhook}"),
        &[INT8ARRAYOID],
    )
}

/// Deliveries with what became of them; not those of webhooks that are gone.
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

/// Events whose data are not kept.
pub fn forget(event: u32) -> Plan {
    prepare(
        &format!("DELETE FROM zentry_notify.event e WHERE e.id = ANY ($1) AND e.tableoid = {event}"),
        &[INT8ARRAYOID],
    )
}

/// The first rows that wait of queues `$1`, at most `$2` of each, from the ids `$3` on. Events come from a dump all at once: a row without its
/// event, and without a later one, may be of a dump whose events are not here yet.
pub fn claim(delivery: u32) -> Plan {
    prepare(
        &format!(
            "SELECT l.id, c.queue, l.event_type, e.data, \
                    (CASE WHEN e.context::text = '{{\"routed\": true, \"sample\": true}}' \
                          THEN coalesce(x.data, '{{}}') || '{{\"zentry_sample\": true}}' ELSE x.data END)::text, l.attempts, e.created_at, l.next_attempt_at, l.event_id, \
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

/// The same of digests, with the data of no more than the last `$4` rows: of the others it is known whether they are samples.
pub fn gather(delivery: u32) -> Plan {
    prepare(
        &format!(
            "SELECT l.id, c.queue, l.event_type, \
                    CASE WHEN l.last <= c.shown THEN e.data \
                         WHEN e.context::text = '{{\"routed\": true, \"sample\": true}}' THEN '{{\"zentry_sample\": true}}' END, \
                    CASE WHEN l.last <= c.shown THEN \
                         CASE WHEN e.context::text = '{{\"routed\": true, \"sample\": true}}' \
                              THEN coalesce(x.data, '{{}}') || '{{\"zentry_sample\": true}}' ELSE x.data END::text END, \
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

/// Writes down what became of deliveries that are in the table. What a webhook had against them that a person has mended or resumed since `$9` keeps them
/// from nothing.
///
/// By the primary key, hence coalesce: the planner takes the index of what waits for all but empty, and would read the
/// whole of it, with all that is finished but not vacuumed.
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

/// Notes requests that came to nothing: of each delivery the first fifty, and the last when it was given up.
///
/// Scalar subqueries are asked for each row, by an index: no plan joins with the whole log.
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

/// Adds to the counts of webhooks.
pub fn count(webhook: u32) -> Plan {
    prepare(
        &format!(
            "INSERT INTO zentry_notify.webhook_count AS n \
                    (webhook_integration_id, sent, failed, last_sent_at, last_failed_at, last_error) \
             SELECT c.queue, c.sent, c.failed, c.last_sent_at, c.last_failed_at, c.last_error \
             FROM unnest($1, $2, $3, $4, $5, $6) c (queue, sent, failed, last_sent_at, last_failed_at, last_error) \
             WHERE EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = c.queue AND w.tableoid = {webhook}) \
             ON CONFLICT (webhook_integration_id) DO UPDATE \
             SET sent = n.sent + EXCLUDED.sent, failed = n.failed + EXCLUDED.failed, \
                 last_sent_at = coalesce(EXCLUDED.last_sent_at, n.last_sent_at), \
                 last_failed_at = coalesce(EXCLUDED.last_failed_at, n.last_failed_at), \
                 last_error = coalesce(EXCLUDED.last_error, n.last_error)"
        ),
        &[
            INT8ARRAYOID,
            INT8ARRAYOID,
            INT8ARRAYOID,
            TIMESTAMPTZARRAYOID,
            TIMESTAMPTZARRAYOID,
            TEXTARRAYOID,
        ],
    )
}

/// Adds to the counters by minute and for ever.
pub fn tally(webhook: u32) -> Plan {
    prepare(
        &format!(
            "INSERT INTO zentry_notify.delivery_stat AS s \
                    (span, since, webhook_integration_id, event_type, sent, failed, retried, requests, messages, rate_limited, latency_sum, latency) \
             SELECT p.span, p.since, t.queue, t.event_type, t.sent, t.failed, t.retried, t.requests, t.messages, t.rate_limited, \
                    t.latency_sum, t.latency::bigint[] \
             FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
                  t (queue, event_type, sent, failed, retried, requests, messages, rate_limited, latency_sum, latency) \
             CROSS JOIN (VALUES ('minute', date_trunc('minute', now(), 'UTC')), ('ever', '-infinity')) p (span, since) \
             WHERE EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = t.queue AND w.tableoid = {webhook}) \
             ON CONFLICT (span, since, webhook_integration_id, event_type) DO UPDATE \
             SET sent = s.sent + EXCLUDED.sent, failed = s.failed + EXCLUDED.failed, retried = s.retried + EXCLUDED.retried, \
                 requests = s.requests + EXCLUDED.requests, messages = s.messages + EXCLUDED.messages, \
                 rate_limited = s.rate_limited + EXCLUDED.rate_limited, latency_sum = s.latency_sum + EXCLUDED.latency_sum, \
                 latency = zentry_notify.add_histograms(s.latency, EXCLUDED.latency)"
        ),
        &[
            INT8ARRAYOID,
            TEXTARRAYOID,
            INT8ARRAYOID,
            INT8ARRAYOID,
            INT8ARRAYOID,
            INT8ARRAYOID,
            INT8ARRAYOID,
            INT8ARRAYOID,
            FLOAT8ARRAYOID,
            TEXTARRAYOID,
        ],
    )
}

/// Switches webhook `$1` off, unless it is another than it was at `$2`. (Its URL is a secret, which no statement takes as a parameter.)
pub fn switch_off() -> Plan {
    prepare(
        "UPDATE zentry_notify.webhook w SET is_active = false, switched_off_at = $3, switched_off_reason = $4 \
         WHERE w.id = $1 AND w.is_active AND w.activated_at = $2",
        &[INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID],
    )
}

/// Gives up at most `$3` rows that wait for webhook `$1`, if it is switched off.
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

/// Notes since when webhook `$1` fails, and when it is tried again, unless it is another than it was at `$6`.
pub fn set_circuit() -> Plan {
    prepare(
        "INSERT INTO zentry_notify.webhook_circuit AS c (webhook_integration_id, failures, opened_at, next_try_at, error_message) \
         SELECT w.id, $2, $3, $4, coalesce($5, '') FROM zentry_notify.webhook w WHERE w.id = $1 AND w.activated_at = $6 \
         ON CONFLICT (webhook_integration_id) DO UPDATE \
         SET failures = EXCLUDED.failures, opened_at = EXCLUDED.opened_at, next_try_at = EXCLUDED.next_try_at, \
             error_message = coalesce(nullif(EXCLUDED.error_message, ''), c.error_message)",
        &[
            INT8OID,
            INT4OID,
            TIMESTAMPTZOID,
            TIMESTAMPTZOID,
            TEXTOID,
            TIMESTAMPTZOID,
        ],
    )
}

/// Webhook `$1` does not fail any more.
pub fn close_circuit() -> Plan {
    prepare(
        "DELETE FROM zentry_notify.webhook_circuit WHERE webhook_integration_id = $1",
        &[INT8OID],
    )
}

/// Notes what is counted of webhooks, unless they are others than they were at `$2`.
pub fn set_in_a_row(webhook: u32) -> Plan {
    prepare(
        &format!(
            "INSERT INTO zentry_notify.webhook_state AS s (webhook_integration_id, failures, refusals, limits, posted_at) \
             SELECT c.queue, c.failures, c.refusals, c.limits, c.posted_at::timestamptz[] \
             FROM unnest($1, $2, $3, $4, $5, $6) c (queue, since, failures, refusals, limits, posted_at) \
             WHERE EXISTS (SELECT FROM zentry_notify.webhook w \
                           WHERE w.id = c.queue AND w.activated_at = c.since AND w.tableoid = {webhook}) \
             ON CONFLICT (webhook_integration_id) DO UPDATE \
             SET failures = EXCLUDED.failures, refusals = EXCLUDED.refusals, limits = EXCLUDED.limits, posted_at = EXCLUDED.posted_at"
        ),
        &[
            INT8ARRAYOID,
            TIMESTAMPTZARRAYOID,
            INT4ARRAYOID,
            INT4ARRAYOID,
            INT4ARRAYOID,
            TEXTARRAYOID,
        ],
    )
}

/// Notes what is wrong with the streams of webhook `$1`; null: nothing.
pub fn note_stream(webhook: u32) -> Plan {
    prepare(
        &format!(
            "INSERT INTO zentry_notify.webhook_state AS s (webhook_integration_id, stream_note) \
             SELECT w.id, $2 FROM zentry_notify.webhook w \
             WHERE w.id = $1 AND w.tableoid = {webhook} \
               AND ($2 IS NOT NULL OR EXISTS (SELECT FROM zentry_notify.webhook_state t WHERE t.webhook_integration_id = $1)) \
             ON CONFLICT (webhook_integration_id) DO UPDATE SET stream_note = EXCLUDED.stream_note \
             WHERE s.stream_note IS DISTINCT FROM EXCLUDED.stream_note"
        ),
        &[INT8OID, TEXTOID],
    )
}

/// Notes that deliveries of the webhooks `$1` have expired: the first since one was sent.
pub fn note_expired(webhook: u32) -> Plan {
    prepare(
        &format!(
            "INSERT INTO zentry_notify.webhook_state AS s (webhook_integration_id, expired_at) \
             SELECT w.id, now() FROM zentry_notify.webhook w WHERE w.id = ANY ($1) AND w.tableoid = {webhook} \
             ON CONFLICT (webhook_integration_id) DO UPDATE SET expired_at = EXCLUDED.expired_at \
             WHERE s.expired_at IS NULL \
                OR s.expired_at < (SELECT n.last_sent_at FROM zentry_notify.webhook_count n \
                                   WHERE n.webhook_integration_id = s.webhook_integration_id)"
        ),
        &[INT8ARRAYOID],
    )
}
