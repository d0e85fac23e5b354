//! Summing the counters of minutes up by the hour, and removing those of hours together with the log's rows of their time.

use std::time::Duration;

use pgrx::prelude::*;

use crate::plan::{Plan, with_spi};

/// Sums counters up. Those of the last hour at least stay as they are, so that the last minutes can be asked for. `retention` is the log's;
/// None: for ever.
pub fn sum_up(retention: Option<Duration>) {
    const MINUTES_TO_HOURS: &str = "WITH minutes AS (\
             DELETE FROM zentry_notify.delivery_stat s \
             WHERE s.span = 'minute' AND s.since < date_trunc('hour', now(), 'UTC') - interval '1 hour' RETURNING s.*) \
         INSERT INTO zentry_notify.delivery_stat AS s \
         SELECT 'hour', date_trunc('hour', m.since, 'UTC'), m.webhook_integration_id, m.event_type, \
                sum(m.sent), sum(m.failed), sum(m.retried), sum(m.requests), sum(m.messages), sum(m.rate_limited), \
                sum(m.latency_sum), zentry_notify.sum_histogram(m.latency) \
         FROM minutes m GROUP BY 2, 3, 4 \
         ON CONFLICT (span, since, webhook_integration_id, event_type) DO UPDATE \
         SET sent = s.sent + EXCLUDED.sent, failed = s.failed + EXCLUDED.failed, retried = s.retried + EXCLUDED.retried, \
             requests = s.requests + EXCLUDED.requests, messages = s.messages + EXCLUDED.messages, \
             rate_limited = s.rate_limited + EXCLUDED.rate_limited, latency_sum = s.latency_sum + EXCLUDED.latency_sum, \
             latency = zentry_notify.add_histograms(s.latency, EXCLUDED.latency)";
    const OLD_HOURS: &str = "DELETE FROM zentry_notify.delivery_stat s \
         WHERE s.span = 'hour' AND s.since < now() - make_interval(secs => $1)";
    with_spi(|spi| {
        Plan::prepare(spi, MINUTES_TO_HOURS, &[]).execute(spi, &[]);
        if let Some(retention) = retention {
            Plan::prepare(spi, OLD_HOURS, &[pg_sys::FLOAT8OID])
                .execute(spi, &[retention.as_secs_f64().into()]);
        }
    });
}
