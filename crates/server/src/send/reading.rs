//! Which waiting deliveries a sender claims, and when it reads queues again.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::{Error, Row};
use webhook::event::Event;
use webhook::json_members::merged;
use webhook::schedule::{Claim, Delivery, DeliveryId, QueueId};

use super::clock;
use super::session::Claims;

/// The maximum size, in bytes, of the events' data that one claim reads; each queue gets at least one row.
const MAX_BYTES: usize = 32 << 20;
/// How often queues are read again, for rows that were written by hand.
const SWEEPS: Duration = Duration::from_secs(60);
/// How soon, and for how long at most, a digest is read again that may include events that are not routed yet.
const GATHERS: Duration = Duration::from_millis(250);
const GATHERED: Duration = Duration::from_secs(30);

/// How far each queue has been read.
pub struct Reading {
    /// The claim cursors: no delivery below them is waiting. As in the worker.
    cursors: HashMap<QueueId, i64>,
    /// Queues that are read again when their obstacle is gone.
    held_back: HashSet<QueueId>,
    /// Digests that are read again, and since when, by the database's clock and by [`clock::now`].
    gathering: HashMap<QueueId, (Timestamp, Duration)>,
    gathers_at: Duration,
    swept_at: Duration,
}

/// The result of a claim.
#[derive(Default)]
pub struct Pages {
    pub found: HashMap<QueueId, Vec<Delivery>>,
    /// Queues that have more deliveries than fitted.
    pub cut: Vec<QueueId>,
}

impl Reading {
    /// Returns the state in which nothing has been read.
    pub fn new() -> Self {
        Reading {
            cursors: HashMap::new(),
            held_back: HashSet::new(),
            gathering: HashMap::new(),
            gathers_at: Duration::ZERO,
            swept_at: clock::now(),
        }
    }

    /// Forgets everything, for a new session.
    pub fn clear(&mut self) {
        self.cursors.clear();
        self.held_back.clear();
        self.gathering.clear();
    }

    /// Makes the next claim of the queue read it from its beginning.
    pub fn rewind(&mut self, queue: QueueId) {
        self.cursors.remove(&queue);
    }

    /// Makes the next claims read all queues from their beginnings.
    pub fn rewind_all(&mut self) {
        self.cursors.clear();
    }

    /// Stops reading the queue's digest again, because the sender no longer holds the queue.
    pub fn let_go(&mut self, queue: QueueId) {
        self.gathering.remove(&queue);
    }

    /// Does not read the queue until it is released.
    pub fn hold_back(&mut self, queue: QueueId) {
        self.held_back.insert(queue);
    }

    /// Releases a queue whose obstacle may be gone, and returns whether it was held back.
    pub fn release(&mut self, queue: QueueId) -> bool {
        self.held_back.remove(&queue)
    }

    /// Returns the queues that are to be read again now: once a minute all that were held back, and digests that may still grow.
    pub fn due(&mut self, now: Duration) -> Vec<QueueId> {
        let mut due = Vec::new();
        if self.swept_at + SWEEPS <= now {
            self.swept_at = now;
            self.cursors.clear();
            due.extend(std::mem::take(&mut self.held_back));
        }
        if !self.gathering.is_empty() && self.gathers_at <= now {
            self.gathers_at = now + GATHERS;
            due.extend(self.gathering.keys());
        }
        due
    }

    /// Returns how long to wait until something is [due](Self::due); `None`: nothing is planned.
    pub fn due_in(&self, now: Duration) -> Option<Duration> {
        let gathers = (!self.gathering.is_empty()).then(|| self.gathers_at.saturating_sub(now));
        let sweeps = (!self.held_back.is_empty()).then(|| (self.swept_at + SWEEPS).saturating_sub(now));
        gathers.into_iter().chain(sweeps).min()
    }

    /// Returns the parameters of the database's claim.
    pub fn wanted(&self, claims: &[Claim]) -> Claims {
        let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let cursor = |queue| self.cursors.get(&queue).copied().unwrap_or(i64::MIN);
        Claims {
            queues: claims.iter().map(|claim| claim.queue.0).collect(),
            pages: claims.iter().map(|claim| number(claim.limit)).collect(),
            cursors: claims.iter().map(|claim| cursor(claim.queue)).collect(),
            shown: claims
                .iter()
                .map(|claim| number(claim.shown.unwrap_or(claim.limit)))
                .collect(),
        }
    }

    /// Converts the rows of the claims to deliveries, and records how far the queues have been read.
    ///
    /// # Errors
    /// If another version of the extension has answered.
    pub fn read(&mut self, claims: &[Claim], rows: &[Row]) -> Result<Pages, Error> {
        let mut pages = Pages::default();
        let mut left = MAX_BYTES;
        let gathering: HashMap<QueueId, _> = claims
            .iter()
            .filter_map(|claim| self.gathering.remove_entry(&claim.queue))
            .collect();
        for row in rows {
            let queue = QueueId(row.try_get(1)?);
            let has_event: bool = row.try_get(9)?;
            if let Some(since) = gathers(row, gathering.get(&queue)) {
                self.gathering.insert(queue, since);
                continue;
            }
            if !has_event {
                // Its event is still to be restored from a dump.
                self.held_back.insert(queue);
                continue;
            }
            let page = pages.found.entry(queue).or_default();
            if left == 0 && !page.is_empty() {
                pages.cut.push(queue);
                continue;
            }
            let delivery = delivery(row)?;
            left = left.saturating_sub(delivery.event.data.len());
            page.push(delivery);
        }
        for (queue, page) in &pages.found {
            if let Some(first) = page.first() {
                self.cursors.insert(*queue, first.id.0);
            }
        }
        Ok(pages)
    }
}

/// Returns since when a digest is read again, if events that had happened at its first reading are not routed yet; else `None`.
fn gathers(row: &Row, before: Option<&(Timestamp, Duration)>) -> Option<(Timestamp, Duration)> {
    let unrouted_since: Timestamp = row.try_get(11).ok()?;
    let asked_at: Timestamp = row.try_get(12).ok()?;
    let (first, since) = *before.unwrap_or(&(asked_at, clock::now()));
    (unrouted_since <= first && clock::now().saturating_sub(since) < GATHERED).then_some((first, since))
}

fn delivery(row: &Row) -> Result<Delivery, Error> {
    let data: Option<String> = row.try_get(3)?;
    let detail: Option<String> = row.try_get(4)?;
    let occurred_at: Option<Timestamp> = row.try_get(6)?;
    let occurred_at = occurred_at.unwrap_or_else(Timestamp::now);
    let traceparent: Option<String> = row.try_get(10)?;
    Ok(Delivery {
        id: DeliveryId(row.try_get(0)?),
        event_id: row.try_get(8)?,
        attempts: u32::from(row.try_get::<_, i16>(5)?.unsigned_abs()),
        created_at: occurred_at,
        next_attempt_at: row.try_get(7)?,
        event: Event {
            event_type: row.try_get::<_, String>(2)?.into(),
            data: merged(data.as_deref().unwrap_or("{}"), detail.as_deref()).into(),
            occurred_at,
            traceparent: traceparent.and_then(|traceparent| traceparent.parse().ok()),
        },
    })
}
