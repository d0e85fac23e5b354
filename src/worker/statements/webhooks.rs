//! The worker's statements on webhooks: what they are, their state and their counts.

use pgrx::pg_sys::{
    FLOAT8ARRAYOID, INT4ARRAYOID, INT4OID, INT8ARRAYOID, INT8OID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZARRAYOID,
    TIMESTAMPTZOID,
};

use super::prepare;
use crate::plan::Plan;

/// Selects the active webhooks with their URLs, secrets, circuits, states and counts.
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

/// Selects those of the webhooks `$1` that exist.
pub fn webhooks(webhook: u32) -> Plan {
    prepare(
        &format!("SELECT w.id FROM zentry_notify.webhook w WHERE w.id = ANY ($1) AND w.tableoid = {webhook}"),
        &[INT8ARRAYOID],
    )
}

/// Switches the webhook `$1` off at `$3` with the reason `$4`, if it was activated at `$2`: a new URL or a new activation since then wins.
/// (The URL itself is not compared: it is a secret, which no statement takes as a parameter.)
pub fn switch_off() -> Plan {
    prepare(
        "UPDATE zentry_notify.webhook w SET is_active = false, switched_off_at = $3, switched_off_reason = $4 \
         WHERE w.id = $1 AND w.is_active AND w.activated_at = $2",
        &[INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID],
    )
}

/// Upserts the circuit of the webhook `$1`: failures in a row, since when, when it is tried again, the last error. Nothing is
/// written if the webhook is not what it was at `$6`.
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

/// Deletes the circuit of the webhook `$1`, which works again.
pub fn close_circuit() -> Plan {
    prepare(
        "DELETE FROM zentry_notify.webhook_circuit WHERE webhook_integration_id = $1",
        &[INT8OID],
    )
}

/// Upserts what is counted in a row of the webhooks `$1`, if they were activated at `$2`.
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

/// Upserts what is wrong with the stream of the webhook `$1`; a null `$2` says that nothing is.
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

/// Upserts the time at which deliveries of the webhooks `$1` began to expire: the first since one was sent.
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

/// Adds to the counts of webhooks in `webhook_count`.
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

/// Adds to the counters of `delivery_stat`: each once to its minute and once to the total.
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
