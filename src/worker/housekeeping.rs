//! Housekeeping: old events and deliveries are removed, and deliveries that nobody will send are failed.

use std::ffi::CStr;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pgrx::prelude::*;

use webhook::schedule::{QueueId, Tally};

use super::cursor::StoredCursor;
use super::{database, legacy, statistics};
use crate::pg::setting;
use crate::plan::{Plan, with_spi};
use crate::settings;

/// The interval while there is traffic.
const INTERVAL: Duration = Duration::from_secs(60);
/// The interval while there is a backlog of old rows.
const SHORT_INTERVAL: Duration = Duration::from_millis(100);
/// How long the log of 0.2 is moved without a pause.
const MOVING: Duration = Duration::from_millis(100);
/// The number of rows that one transaction looks at.
const PAGE: i32 = 1_000;

/// Planner settings that make statements use the indexes of tables that grow, however little the planner knows of them.
const PLANS: [(&CStr, &CStr); 3] = [
    (c"enable_seqscan", c"off"),
    (c"enable_hashjoin", c"off"),
    (c"enable_mergejoin", c"off"),
];

pub struct Housekeeping {
    next: Instant,
    /// When the parts that need no hurry run again, even if there is more than a page of something else.
    tidy_at: Instant,
    /// Whether there was more than a page of something.
    has_more: bool,
    /// No delivery or event that exists has a lower id than this. What was removed below stays in the index for a while.
    deliveries_begin_at: i64,
    events_begin_at: i64,
}

impl Housekeeping {
    pub fn new() -> Self {
        Housekeeping {
            next: Instant::now(),
            tidy_at: Instant::now(),
            has_more: false,
            deliveries_begin_at: i64::MIN,
            events_begin_at: i64::MIN,
        }
    }

    pub fn is_due(&self) -> bool {
        self.next <= Instant::now()
    }

    /// Returns how long the next page may wait. None: there is none.
    pub fn wait(&self) -> Option<Duration> {
        self.has_more
            .then(|| self.next.saturating_duration_since(Instant::now()))
    }

    fn go_on(&mut self) {
        self.has_more = true;
        self.next = Instant::now() + SHORT_INTERVAL;
    }

    /// Makes housekeeping look at data that are not kept any more at the next occasion.
    pub fn hurry(&mut self) {
        self.has_more = true;
        self.next = self.next.min(Instant::now() + SHORT_INTERVAL);
    }

    /// Does a page of housekeeping. Deliveries that were failed are added to `given_up` even if something else fails.
    pub fn run(&mut self, given_up: &mut Tally, cursor: &StoredCursor) -> Result<(), String> {
        self.next = Instant::now() + INTERVAL;
        self.has_more = false;
        if self.tidy_at <= Instant::now() {
            self.tidy_at = self.next;
            self.tidy(given_up)?;
        }
        if database::transaction(
            "zentry_notify: remove the log of deleted webhooks",
            forget_deleted,
        )? == i64::from(PAGE)
        {
            self.go_on();
        }
        self.move_legacy()?;
        if let Some(retention) = settings::log_retention() {
            let (removed, first) = database::transaction("zentry_notify: remove old deliveries", || {
                let _plans = setting::hold(&PLANS);
                remove_old(OLD_DELIVERIES, retention, self.deliveries_begin_at, i64::MAX)
            })?;
            if removed == PAGE as usize {
                self.go_on();
            }
            // Rows with lower ids that were restored are found when there is nothing else to remove.
            self.deliveries_begin_at = first.filter(|_| removed > 0).unwrap_or(i64::MIN);
        }
        self.remove_events(cursor)
    }

    /// Fails deliveries that nobody will send, and sums counters up.
    fn tidy(&mut self, given_up: &mut Tally) -> Result<(), String> {
        *given_up = database::transaction("zentry_notify: give up expired deliveries", || {
            let _plans = setting::hold(&PLANS);
            remove_orphans(settings::max_age());
            remove_attempts();
            give_up_expired(settings::max_age())
        })?;
        if given_up.iter().map(|(.., counts)| counts.failed).sum::<u64>() >= PAGE.unsigned_abs().into() {
            self.tidy_at = Instant::now();
            self.go_on();
        }
        if let Some(retention) = settings::log_retention() {
            let removed =
                database::transaction("zentry_notify: remove old entries of the audit log", || {
                    let _plans = setting::hold(&PLANS);
                    remove_audit_entries(retention)
                })?;
            if removed == PAGE as usize {
                self.tidy_at = Instant::now();
                self.go_on();
            }
        }
        database::transaction("zentry_notify: sum counters up", || {
            statistics::sum_up(settings::log_retention());
        })
    }

    fn move_legacy(&mut self) -> Result<(), String> {
        let until = Instant::now() + MOVING;
        while database::transaction_as_self("zentry_notify: move the log of 0.2", || {
            let _plans = setting::hold(&PLANS);
            legacy::move_finished(settings::log_retention())
        })? {
            self.go_on();
            if until <= Instant::now() {
                break;
            }
        }
        Ok(())
    }

    /// Removes events by their age, or, when their data are not kept, as soon as no delivery of theirs waits; not those that are still to
    /// be routed or sent.
    fn remove_events(&mut self, cursor: &StoredCursor) -> Result<(), String> {
        let retention = match (settings::log_payloads(), settings::log_retention()) {
            (false, _) => Duration::ZERO,
            (true, Some(retention)) => retention,
            (true, None) => return Ok(()),
        };
        let routed = cursor.routed_below();
        let (removed, first) = database::transaction("zentry_notify: remove old events", || {
            let _plans = setting::hold(&PLANS);
            let waiting = if has_old_event(retention, self.events_begin_at) {
                first_that_waits()
            } else {
                i64::MIN
            };
            remove_old(OLD_EVENTS, retention, self.events_begin_at, routed.min(waiting))
        })?;
        if removed == PAGE as usize {
            self.go_on();
        }
        self.events_begin_at = first.filter(|_| removed > 0).unwrap_or(i64::MIN);
        Ok(())
    }
}

/// Removes old deliveries. Only the first rows, which are the oldest, are looked at, so that this costs the same however many there are.
/// `$4` is an upper bound of the ids in both parts.
const OLD_DELIVERIES: &str = "WITH first AS (\
       SELECT l.id, l.status, l.finished_at FROM zentry_notify.delivery l WHERE l.id >= $3 AND l.id < $4 ORDER BY l.id LIMIT $1), \
     gone AS (\
       DELETE FROM zentry_notify.delivery l USING first f \
       WHERE l.id = f.id AND f.status IN ('s', 'f') AND f.finished_at < now() - make_interval(secs => $2) RETURNING l.id), \
     attempts AS (DELETE FROM zentry_notify.delivery_attempt a USING gone g WHERE a.delivery_id = g.id) \
     SELECT g.id FROM gone g";
const OLD_EVENTS: &str = "WITH first AS (\
       SELECT e.id, e.created_at FROM zentry_notify.event e WHERE e.id >= $3 AND e.id < $4 ORDER BY e.id LIMIT $1), \
     gone AS (\
       DELETE FROM zentry_notify.event e USING first f \
       WHERE e.id = f.id AND f.created_at <= now() - make_interval(secs => $2) RETURNING e.id), \
     details AS (DELETE FROM zentry_notify.event_detail x USING gone g WHERE x.event_id = g.id) \
     SELECT g.id FROM gone g";

/// Returns how many rows were removed, and the lowest id of these.
fn remove_old(sql: &str, retention: Duration, from: i64, below: i64) -> (usize, Option<i64>) {
    with_spi(|spi| {
        let types = [
            pg_sys::INT4OID,
            pg_sys::FLOAT8OID,
            pg_sys::INT8OID,
            pg_sys::INT8OID,
        ];
        let rows = Plan::prepare(spi, sql, &types).execute(
            spi,
            &[
                PAGE.into(),
                retention.as_secs_f64().into(),
                from.into(),
                below.into(),
            ],
        );
        let id = |row| rows.get::<i64>(row, 1);
        (rows.len(), (0..rows.len()).filter_map(id).min())
    })
}

/// Removes old entries of the audit, and returns how many.
fn remove_audit_entries(retention: Duration) -> usize {
    const SQL: &str = "DELETE FROM zentry_notify.audit_entry e \
                       WHERE e.id = ANY (ARRAY(SELECT o.id FROM zentry_notify.audit_entry o \
                                                WHERE o.changed_at < now() - make_interval(secs => $2) ORDER BY o.changed_at LIMIT $1)) \
                       RETURNING true";
    with_spi(|spi| {
        Plan::prepare(spi, SQL, &[pg_sys::INT4OID, pg_sys::FLOAT8OID])
            .execute(spi, &[PAGE.into(), retention.as_secs_f64().into()])
            .len()
    })
}

fn has_old_event(retention: Duration, from: i64) -> bool {
    const SQL: &str = "SELECT FROM (SELECT e.created_at FROM zentry_notify.event e WHERE e.id >= $2 ORDER BY e.id LIMIT 1) e \
                       WHERE e.created_at <= now() - make_interval(secs => $1)";
    with_spi(|spi| {
        let rows = Plan::prepare(spi, SQL, &[pg_sys::FLOAT8OID, pg_sys::INT8OID])
            .execute(spi, &[retention.as_secs_f64().into(), from.into()]);
        rows.len() > 0
    })
}

/// Returns the lowest event of which a delivery waits. It reads the index of waiting deliveries, and only when there is something to
/// remove.
fn first_that_waits() -> i64 {
    const SQL: &str = "SELECT min(l.event_id) FROM zentry_notify.delivery l WHERE l.status IN ('p', 'r')";
    with_spi(|spi| {
        let rows = Plan::prepare(spi, SQL, &[]).execute(spi, &[]);
        rows.get::<i64>(0, 1).unwrap_or(i64::MAX)
    })
}

/// Fails deliveries of webhooks that are off: those of one that somebody switched off once they are too old, those of one that is gone at
/// once (the worker that switched it off may have ended before the last transaction that wrote to it). Those of active webhooks are the
/// scheduler's.
fn give_up_expired(max_age: Duration) -> Tally {
    const SQL: &str = "WITH failed AS (\
                       UPDATE zentry_notify.delivery l \
                       SET status = 'f', next_attempt_at = NULL, finished_at = now(), \
                           error_message = coalesce(\
                             'not sent, the webhook was switched off: ' || old.gone, \
                             'expired: the webhook was switched off for longer than deliveries wait') \
                       FROM (SELECT o.id, w.switched_off_reason AS gone FROM zentry_notify.webhook w CROSS JOIN LATERAL (\
                               SELECT l.id, l.event_id FROM zentry_notify.delivery l \
                               WHERE l.webhook_integration_id = w.id AND l.status IN ('p', 'r') ORDER BY l.id LIMIT $1) o \
                             LEFT JOIN zentry_notify.event e ON e.id = o.event_id \
                             WHERE NOT w.is_active \
                               AND (w.switched_off_reason IS NOT NULL \
                                    OR zentry_notify.has_expired(e.created_at, least(coalesce(w.max_age, make_interval(secs => $2)), '1 year'), w.digest, w.quiet_hours) \
                                    OR e.id IS NULL AND EXISTS (SELECT FROM zentry_notify.event later WHERE later.id > o.event_id))) old \
                       WHERE l.id = old.id \
                       RETURNING l.webhook_integration_id, l.event_type, l.error_message), \
                       counted AS (\
                       INSERT INTO zentry_notify.webhook_count AS n (webhook_integration_id, failed, last_failed_at, last_error) \
                       SELECT f.webhook_integration_id, count(*), now(), min(f.error_message) FROM failed f GROUP BY f.webhook_integration_id \
                       ON CONFLICT (webhook_integration_id) DO UPDATE \
                       SET failed = n.failed + EXCLUDED.failed, last_failed_at = EXCLUDED.last_failed_at, last_error = EXCLUDED.last_error) \
                       SELECT f.webhook_integration_id, f.event_type::text FROM failed f";
    let mut given_up = Tally::default();
    with_spi(|spi| {
        let rows = Plan::prepare(spi, SQL, &[pg_sys::INT4OID, pg_sys::FLOAT8OID])
            .execute(spi, &[PAGE.into(), max_age.as_secs_f64().into()]);
        for row in 0..rows.len() {
            let failed = { rows.get::<i64>(row, 1).zip(rows.get::<String>(row, 2)) };
            if let Some((queue, event_type)) = failed {
                given_up.failed(QueueId(queue), &event_type);
            }
        }
    });
    given_up
}

/// Removes a page of what deleted webhooks have left in the log, and returns the number of rows.
fn forget_deleted() -> i64 {
    const SQL: &str = "SELECT zentry_notify.forget_deleted($1)";
    with_spi(|spi| {
        let rows = Plan::prepare(spi, SQL, &[pg_sys::INT4OID]).execute(spi, &[PAGE.into()]);
        rows.get::<i64>(0, 1).unwrap_or(0)
    })
}

/// Removes deliveries that were committed while their webhook was being deleted, by steps from queue to queue in the index. Recent ones are
/// left: while a dump is restored, the log may be there before the webhooks and before the events.
fn remove_orphans(max_age: Duration) {
    const ORPHANS: &str = "WITH RECURSIVE queue (id) AS (\
                         (SELECT l.webhook_integration_id FROM zentry_notify.delivery l \
                          WHERE l.status IN ('p', 'r') ORDER BY l.webhook_integration_id LIMIT 1) \
                         UNION ALL \
                         SELECT (SELECT l.webhook_integration_id FROM zentry_notify.delivery l \
                                 WHERE l.status IN ('p', 'r') AND l.webhook_integration_id > queue.id \
                                 ORDER BY l.webhook_integration_id LIMIT 1) \
                         FROM queue WHERE queue.id IS NOT NULL) \
                       SELECT queue.id FROM queue \
                       WHERE queue.id IS NOT NULL AND NOT EXISTS (SELECT FROM zentry_notify.webhook w WHERE w.id = queue.id)";
    const REMOVE: &str = "DELETE FROM zentry_notify.delivery l \
                       WHERE l.webhook_integration_id = ANY ($2) AND l.status IN ('p', 'r') \
                         AND NOT EXISTS (SELECT FROM zentry_notify.event e \
                                         WHERE e.id = l.event_id AND e.created_at >= now() - make_interval(secs => $1)) \
                         AND EXISTS (SELECT FROM zentry_notify.event e WHERE e.id >= l.event_id)";
    with_spi(|spi| {
        let rows = Plan::prepare(spi, ORPHANS, &[]).execute(spi, &[]);
        let orphans: Vec<i64> = (0..rows.len()).filter_map(|row| rows.get(row, 1)).collect();
        if !orphans.is_empty() {
            Plan::prepare(spi, REMOVE, &[pg_sys::FLOAT8OID, pg_sys::INT8ARRAYOID])
                .execute(spi, &[max_age.as_secs_f64().into(), orphans.into()]);
        }
    });
}

/// Removes attempts of deliveries that were deleted by hand. Only the first attempts are looked at, so that it costs the same however many
/// there are. While a dump is restored, attempts may be there before their deliveries: then no delivery with a higher id is there either.
fn remove_attempts() {
    const SQL: &str = "WITH first AS (\
                         SELECT DISTINCT a.delivery_id FROM (\
                           SELECT a.delivery_id FROM zentry_notify.delivery_attempt a ORDER BY a.delivery_id LIMIT $1) a) \
                       DELETE FROM zentry_notify.delivery_attempt a USING first f \
                       WHERE a.delivery_id = f.delivery_id \
                         AND NOT EXISTS (SELECT FROM zentry_notify.delivery l WHERE l.id = f.delivery_id) \
                         AND EXISTS (SELECT FROM zentry_notify.delivery later WHERE later.id > f.delivery_id)";
    with_spi(|spi| {
        Plan::prepare(spi, SQL, &[pg_sys::INT4OID]).execute(spi, &[PAGE.into()]);
    });
}

/// Returns when the oldest event has to be removed. None: there is none, or it is kept for ever.
pub fn due() -> Result<Option<Timestamp>, String> {
    const SQL: &str = "SELECT e.created_at FROM zentry_notify.event e ORDER BY e.id LIMIT 1";
    let Some(retention) = settings::log_retention() else {
        return Ok(None);
    };
    let oldest = database::transaction("zentry_notify: look for the oldest delivery", || {
        with_spi(|spi| {
            let rows = Plan::prepare(spi, SQL, &[]).execute(spi, &[]);
            rows.first::<Timestamp>()
        })
    })?;
    let due = oldest.map(|oldest| oldest.checked_add(retention).unwrap_or(Timestamp::MAX));
    // The earliest time is later than now: an event that is kept for another reason (it waits) must not start a worker over and over.
    let soonest = Timestamp::now().checked_add(INTERVAL).unwrap_or(Timestamp::MAX);
    Ok(due.map(|due| due.max(soonest)))
}
