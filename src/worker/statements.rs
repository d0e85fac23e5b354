//! The worker's statements on our own tables.
//!
//! Some name a table by its OID too. After DROP and CREATE EXTENSION the names are those of other tables, and ids begin at 1
//! again: a new delivery must not go to an old webhook, and what became of an old one must not be written to a new one.

use pgrx::pg_sys::{
    BOOLOID, FLOAT8ARRAYOID, INT4ARRAYOID, INT4OID, INT8ARRAYOID, INT8OID, Oid, TEXTARRAYOID, TEXTOID,
    TIMESTAMPTZARRAYOID, TIMESTAMPTZOID,
};

use crate::plan::{Plan, with_spi};

fn prepare(sql: &str, types: &[Oid]) -> Plan {
    with_spi(|| Plan::prepare(sql, types))
}

/// The active integrations, with what is known of their endpoints.
pub fn integrations() -> Plan {
    prepare(
        "SELECT w.id, w.webhook_type::text, w.webhook_url::text, w.max_events_per_message::integer, \
                (extract(epoch FROM w.min_interval) * 1000000)::bigint, (extract(epoch FROM w.max_age) * 1000000)::bigint, \
                w.activated_at, c.failures, c.opened_at, c.next_try_at, n.last_sent_at, n.last_failed_at, \
                w.quiet_hours, w.mention \
         FROM zentry_notify.webhook_integration w \
         LEFT JOIN zentry_notify.webhook_circuit c ON c.webhook_integration_id = w.id \
         LEFT JOIN zentry_notify.webhook_count n ON n.webhook_integration_id = w.id \
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

/// The first rows that wait of lanes `$1`, at most `$2` of each, from the ids `$3` on.
pub fn claim(log: u32) -> Plan {
    prepare(
        &format!(
            "SELECT l.id, c.lane, l.event_type, l.payload, l.attempts, l.created_at, l.next_attempt_at \
             FROM unnest($1, $2, $3) c (lane, page, mark) \
             CROSS JOIN LATERAL (\
               SELECT l.id, l.event_type::text, l.payload::text, l.attempts, l.created_at, l.next_attempt_at \
               FROM zentry_notify.notification_log l \
               WHERE l.webhook_integration_id = c.lane AND l.id >= c.mark AND l.status IN ('pending', 'retry') AND l.tableoid = {log} \
               ORDER BY l.id LIMIT c.page) l"
        ),
        &[INT8ARRAYOID, INT4ARRAYOID, INT8ARRAYOID],
    )
}

/// Writes down what became of deliveries; `$9`: whether the data of what is done with is kept.
///
/// By the primary key, hence coalesce: the planner takes the index of what waits for all but empty, and would read the
/// whole of it, with all that is finished but not vacuumed.
pub fn record(log: u32) -> Plan {
    prepare(
        &format!(
            "UPDATE zentry_notify.notification_log l \
             SET status = o.status, attempts = o.attempts, response_status_code = o.code, response_body = coalesce(o.body, ''), \
                 error_message = coalesce(o.error, ''), sent_at = o.sent_at, next_attempt_at = o.next_attempt_at, \
                 payload = CASE WHEN $9 OR o.status = 'retry' THEN l.payload ELSE 'null' END \
             FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) o (id, status, attempts, code, body, error, sent_at, next_attempt_at) \
             WHERE l.id = o.id AND coalesce(l.status, '') IN ('pending', 'retry') AND l.tableoid = {log}"
        ),
        &[
            INT8ARRAYOID,
            TEXTARRAYOID,
            INT4ARRAYOID,
            INT4ARRAYOID,
            TEXTARRAYOID,
            TEXTARRAYOID,
            TIMESTAMPTZARRAYOID,
            TIMESTAMPTZARRAYOID,
            BOOLOID,
        ],
    )
}

/// Adds to the counts of webhooks.
pub fn count(integrations: u32) -> Plan {
    prepare(
        &format!(
            "INSERT INTO zentry_notify.webhook_count AS n \
                    (webhook_integration_id, sent, failed, last_sent_at, last_failed_at, last_error) \
             SELECT c.lane, c.sent, c.failed, c.last_sent_at, c.last_failed_at, c.last_error \
             FROM unnest($1, $2, $3, $4, $5, $6) c (lane, sent, failed, last_sent_at, last_failed_at, last_error) \
             WHERE EXISTS (SELECT FROM zentry_notify.webhook_integration w WHERE w.id = c.lane AND w.tableoid = {integrations}) \
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
pub fn tally(integrations: u32) -> Plan {
    prepare(
        &format!(
            "INSERT INTO zentry_notify.delivery_stat AS s \
                    (span, since, webhook_integration_id, event_type, sent, failed, retried, requests, messages, rate_limited, latency_sum, latency) \
             SELECT p.span, p.since, t.lane, t.event_type, t.sent, t.failed, t.retried, t.requests, t.messages, t.rate_limited, \
                    t.latency_sum, t.latency::bigint[] \
             FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
                  t (lane, event_type, sent, failed, retried, requests, messages, rate_limited, latency_sum, latency) \
             CROSS JOIN (VALUES ('minute', date_trunc('minute', now(), 'UTC')), ('ever', '-infinity')) p (span, since) \
             WHERE EXISTS (SELECT FROM zentry_notify.webhook_integration w WHERE w.id = t.lane AND w.tableoid = {integrations}) \
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

/// Switches integration `$1` off, unless its URL is not `$2` any more.
pub fn switch_off() -> Plan {
    prepare(
        "UPDATE zentry_notify.webhook_integration \
         SET is_active = false, switched_off_at = $3, switched_off_reason = $4 \
         WHERE id = $1 AND is_active AND webhook_url = $2",
        &[INT8OID, TEXTOID, TIMESTAMPTZOID, TEXTOID],
    )
}

/// Gives up at most `$3` rows that wait for integration `$1`, if it is switched off.
pub fn fail_waiting() -> Plan {
    prepare(
        "UPDATE zentry_notify.notification_log SET status = 'failed', error_message = $2, next_attempt_at = NULL, \
             payload = CASE WHEN $4 THEN payload ELSE 'null' END \
         WHERE id IN (SELECT l.id FROM zentry_notify.notification_log l \
                      WHERE l.webhook_integration_id = $1 AND l.status IN ('pending', 'retry') ORDER BY l.id LIMIT $3) \
           AND EXISTS (SELECT FROM zentry_notify.webhook_integration w \
                       WHERE w.id = $1 AND w.switched_off_at IS NOT NULL) \
         RETURNING event_type::text",
        &[INT8OID, TEXTOID, INT4OID, BOOLOID],
    )
}

/// Notes since when integration `$1` fails, and when it is tried again.
pub fn set_circuit() -> Plan {
    prepare(
        "INSERT INTO zentry_notify.webhook_circuit AS c (webhook_integration_id, failures, opened_at, next_try_at, error_message) \
         SELECT w.id, $2, $3, $4, coalesce($5, '') FROM zentry_notify.webhook_integration w WHERE w.id = $1 \
         ON CONFLICT (webhook_integration_id) DO UPDATE \
         SET failures = EXCLUDED.failures, opened_at = EXCLUDED.opened_at, next_try_at = EXCLUDED.next_try_at, \
             error_message = coalesce(nullif(EXCLUDED.error_message, ''), c.error_message)",
        &[INT8OID, INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID],
    )
}

/// Integration `$1` does not fail any more.
pub fn close_circuit() -> Plan {
    prepare(
        "DELETE FROM zentry_notify.webhook_circuit WHERE webhook_integration_id = $1",
        &[INT8OID],
    )
}
