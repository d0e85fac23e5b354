//! What has to be done now and then: old deliveries leave the log, those that nobody will send are given up.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum};

use webhook::schedule::{LaneId, Tally};

use super::{database, statistics};
use crate::plan::{Plan, with_spi};
use crate::settings;
use crate::timestamp::from_timestamptz;

/// While there is traffic.
const INTERVAL: Duration = Duration::from_secs(60);
/// While there is a backlog of old rows.
const SHORT_INTERVAL: Duration = Duration::from_millis(100);
/// Rows looked at in one transaction.
const PAGE: i32 = 1_000;

pub struct Housekeeping {
    next: Instant,
    /// There was more than a page of something.
    has_more: bool,
    /// No delivery that is still in the log has a lower id; what was removed below stays in the index for a while.
    log_begins_at: i64,
}

impl Housekeeping {
    pub fn new() -> Self {
        Housekeeping {
            next: Instant::now(),
            has_more: false,
            log_begins_at: i64::MIN,
        }
    }

    pub fn is_due(&self) -> bool {
        self.next <= Instant::now()
    }

    /// How long a page that is left may wait; None: nothing is.
    pub fn wait(&self) -> Option<Duration> {
        self.has_more
            .then(|| self.next.saturating_duration_since(Instant::now()))
    }

    fn go_on(&mut self) {
        self.has_more = true;
        self.next = Instant::now() + SHORT_INTERVAL;
    }

    /// Counts what was given up, also when something else fails.
    pub fn run(&mut self, given_up: &mut Tally) -> Result<(), String> {
        self.next = Instant::now() + INTERVAL;
        self.has_more = false;
        *given_up = database::transaction("zentry_notify: give up expired deliveries", || {
            remove_orphans(settings::max_age());
            give_up_expired(settings::max_age())
        })?;
        if given_up.iter().map(|(.., counts)| counts.failed).sum::<u64>() >= PAGE.unsigned_abs().into() {
            self.go_on();
        }
        database::transaction("zentry_notify: sum counters up", || {
            statistics::sum_up(settings::log_retention());
        })?;
        if let Some(retention) = settings::log_retention() {
            let (removed, first) = database::transaction("zentry_notify: remove old deliveries", || {
                remove_old(retention, self.log_begins_at)
            })?;
            if removed == PAGE as usize {
                self.go_on();
            }
            // Lower ids that somebody has restored are found when there is nothing else to remove.
            self.log_begins_at = first.filter(|_| removed > 0).unwrap_or(i64::MIN);
        }
        Ok(())
    }
}

/// The log's first rows are its oldest; only they are looked at, so that this costs the same whatever the log's size. How many were
/// removed, and the lowest id of these.
fn remove_old(retention: Duration, from: i64) -> (usize, Option<i64>) {
    const SQL: &str = "WITH first AS (\
                         SELECT l.id, l.status, l.created_at FROM zentry_notify.notification_log l WHERE l.id >= $3 ORDER BY l.id LIMIT $1) \
                       DELETE FROM zentry_notify.notification_log l USING first f \
                       WHERE l.id = f.id AND f.status IN ('sent', 'failed') AND f.created_at < now() - make_interval(secs => $2) \
                       RETURNING l.id";
    with_spi(|| {
        let types = [pg_sys::INT4OID, pg_sys::FLOAT8OID, pg_sys::INT8OID];
        let rows = Plan::prepare(SQL, &types).execute(&[
            PAGE.into_datum(),
            retention.as_secs_f64().into_datum(),
            from.into_datum(),
        ]);
        // SAFETY: the only column is a bigint.
        let id = |row| unsafe { rows.get(row, 1).0.and_then(|id| i64::from_datum(id, false)) };
        (rows.len(), (0..rows.len()).filter_map(id).min())
    })
}

/// Deliveries of integrations that somebody has switched off wait until they are too old; those of one that is gone don't: the
/// worker that switched it off may have ended before the last transaction that wrote to it. (Those of active ones are the
/// scheduler's.)
fn give_up_expired(max_age: Duration) -> Tally {
    const SQL: &str = "WITH failed AS (\
                       UPDATE zentry_notify.notification_log l \
                       SET status = 'failed', next_attempt_at = NULL, \
                           error_message = coalesce(\
                             'not sent, the webhook was switched off: ' || old.gone, \
                             'expired: the webhook was switched off for longer than deliveries wait'), \
                           payload = CASE WHEN $3 THEN l.payload ELSE 'null' END \
                       FROM (SELECT o.id, w.switched_off_reason AS gone FROM zentry_notify.webhook_integration w CROSS JOIN LATERAL (\
                               SELECT l.id, l.created_at FROM zentry_notify.notification_log l \
                               WHERE l.webhook_integration_id = w.id AND l.status IN ('pending', 'retry') ORDER BY l.id LIMIT $1) o \
                             WHERE NOT w.is_active \
                               AND (w.switched_off_reason IS NOT NULL \
                                    OR o.created_at < now() - coalesce(w.max_age, make_interval(secs => $2)))) old \
                       WHERE l.id = old.id \
                       RETURNING l.webhook_integration_id, l.event_type, l.error_message), \
                       counted AS (\
                       INSERT INTO zentry_notify.webhook_count AS n (webhook_integration_id, failed, last_failed_at, last_error) \
                       SELECT f.webhook_integration_id, count(*), now(), min(f.error_message) FROM failed f GROUP BY f.webhook_integration_id \
                       ON CONFLICT (webhook_integration_id) DO UPDATE \
                       SET failed = n.failed + EXCLUDED.failed, last_failed_at = EXCLUDED.last_failed_at, last_error = EXCLUDED.last_error) \
                       SELECT f.webhook_integration_id, f.event_type::text FROM failed f";
    let mut given_up = Tally::default();
    with_spi(|| {
        let rows = Plan::prepare(SQL, &[pg_sys::INT4OID, pg_sys::FLOAT8OID, pg_sys::BOOLOID]).execute(&[
            PAGE.into_datum(),
            max_age.as_secs_f64().into_datum(),
            settings::log_payloads().into_datum(),
        ]);
        for row in 0..rows.len() {
            // SAFETY: the types are those of the statement's columns.
            let failed = unsafe {
                rows.get(row, 1)
                    .0
                    .and_then(|lane| i64::from_datum(lane, false))
                    .zip(
                        rows.get(row, 2)
                            .0
                            .and_then(|event| String::from_datum(event, false)),
                    )
            };
            if let Some((lane, event_type)) = failed {
                given_up.failed(LaneId(lane), &event_type);
            }
        }
    });
    given_up
}

/// Rows that were committed while their integration was being deleted. Steps from lane to lane in the index. Younger ones are
/// left: while a dump is restored, the log may be there before the integrations.
fn remove_orphans(max_age: Duration) {
    const SQL: &str = "WITH RECURSIVE lane (id) AS (\
                         (SELECT l.webhook_integration_id FROM zentry_notify.notification_log l \
                          WHERE l.status IN ('pending', 'retry') ORDER BY l.webhook_integration_id LIMIT 1) \
                         UNION ALL \
                         SELECT (SELECT l.webhook_integration_id FROM zentry_notify.notification_log l \
                                 WHERE l.status IN ('pending', 'retry') AND l.webhook_integration_id > lane.id \
                                 ORDER BY l.webhook_integration_id LIMIT 1) \
                         FROM lane WHERE lane.id IS NOT NULL) \
                       DELETE FROM zentry_notify.notification_log l USING lane \
                       WHERE l.webhook_integration_id = lane.id AND l.status IN ('pending', 'retry') \
                         AND l.created_at < now() - make_interval(secs => $1) \
                         AND NOT EXISTS (SELECT FROM zentry_notify.webhook_integration w WHERE w.id = lane.id)";
    with_spi(|| Plan::prepare(SQL, &[pg_sys::FLOAT8OID]).execute(&[max_age.as_secs_f64().into_datum()]));
}

/// When the oldest delivery has to leave the log; None: there is none, or it stays for ever.
pub fn due() -> Result<Option<Timestamp>, String> {
    const SQL: &str = "SELECT l.created_at FROM zentry_notify.notification_log l ORDER BY l.id LIMIT 1";
    let Some(retention) = settings::log_retention() else {
        return Ok(None);
    };
    let oldest = database::transaction("zentry_notify: look for the oldest delivery", || {
        with_spi(|| {
            let rows = Plan::prepare(SQL, &[]).execute(&[]);
            // SAFETY: the only column is a timestamptz.
            (rows.len() > 0)
                .then(|| unsafe { i64::from_datum(rows.get(0, 1).0?, false) })
                .flatten()
        })
    })?;
    let due = oldest.map(|oldest| {
        from_timestamptz(oldest)
            .checked_add(retention)
            .unwrap_or(Timestamp::MAX)
    });
    // Not at once: what is kept for another reason (it waits) must not start a worker over and over.
    let soonest = Timestamp::now().checked_add(INTERVAL).unwrap_or(Timestamp::MAX);
    Ok(due.map(|due| due.max(soonest)))
}
