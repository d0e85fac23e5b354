//! What a sender reads of the deliveries that wait, and what it reads again.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::Row;
use webhook::event::Event;
use webhook::json_members::merged;
use webhook::schedule::{Claim, Delivery, DeliveryId, QueueId};

use super::clock;
use super::session::Claims;

/// Bytes of events' data that one claim brings into memory; a queue gets one row whatever there is.
const MAX_BYTES: usize = 32 << 20;
/// How often what somebody has written by hand is looked for.
const SWEEPS: Duration = Duration::from_secs(60);
/// How soon a digest is read again of which something may not be routed yet, and for how long at most.
const GATHERS: Duration = Duration::from_millis(250);
const GATHERED: Duration = Duration::from_secs(30);

/// How far queues have been read.
pub struct Reading {
    /// No delivery of a queue waits below; see the worker's.
    cursors: HashMap<QueueId, i64>,
    /// They are read again when what holds them up is over.
    held_back: HashSet<QueueId>,
    /// Digests that are read again, and since when: by the database's clock, and by this machine's.
    gathering: HashMap<QueueId, (Timestamp, Duration)>,
    gathers_at: Duration,
    swept_at: Duration,
}

/// What a claim has brought.
#[derive(Default)]
pub struct Pages {
    pub found: HashMap<QueueId, Vec<Delivery>>,
    /// Queues of which there is more than fits.
    pub cut: Vec<QueueId>,
}

impl Reading {
    /// Nothing has been read.
    pub fn new() -> Self {
        Reading {
            cursors: HashMap::new(),
            held_back: HashSet::new(),
            gathering: HashMap::new(),
            gathers_at: Duration::ZERO,
            swept_at: clock::now(),
        }
    }

    /// Forgets all: the session is another one.
    pub fn clear(&mut self) {
        self.cursors.clear();
        self.held_back.clear();
        self.gathering.clear();
    }

    /// Reads the queue from its beginning the next time.
    pub fn rewind(&mut self, queue: QueueId) {
        self.cursors.remove(&queue);
    }

    /// Reads all queues from their beginnings the next time.
    pub fn rewind_all(&mut self) {
        self.cursors.clear();
    }

    /// Does not read the queue's digest again: it is somebody else's.
    pub fn let_go(&mut self, queue: QueueId) {
        self.gathering.remove(&queue);
    }

    /// Leaves the queue alone until what holds it up is over.
    pub fn hold_back(&mut self, queue: QueueId) {
        self.held_back.insert(queue);
    }

    /// Notes that what held a queue up may be over, and returns whether something did.
    pub fn release(&mut self, queue: QueueId) -> bool {
        self.held_back.remove(&queue)
    }

    /// Returns the queues whose time has come to be looked at again: all that were held back, once a minute, and the digests that gather.
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

    /// Returns after what time something is [due](Self::due); None: never, as far as is known.
    pub fn due_in(&self, now: Duration) -> Option<Duration> {
        let gathers = (!self.gathering.is_empty()).then(|| self.gathers_at.saturating_sub(now));
        let sweeps = (!self.held_back.is_empty()).then(|| (self.swept_at + SWEEPS).saturating_sub(now));
        gathers.into_iter().chain(sweeps).min()
    }

    /// Returns what the database is to be asked for.
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

    /// Makes deliveries of what the claims have brought, and notes how far their queues have been read.
    pub fn read(&mut self, claims: &[Claim], rows: &[Row]) -> Pages {
        let mut pages = Pages::default();
        let mut left = MAX_BYTES;
        let gathering: HashMap<QueueId, _> = claims
            .iter()
            .filter_map(|claim| self.gathering.remove_entry(&claim.queue))
            .collect();
        for row in rows {
            let queue = QueueId(row.get(1));
            let has_event: bool = row.get(9);
            if let Some(since) = gathers(row, gathering.get(&queue)) {
                self.gathering.insert(queue, since);
                continue;
            }
            if !has_event {
                // A dump has still to bring it.
                self.held_back.insert(queue);
                continue;
            }
            let page = pages.found.entry(queue).or_default();
            if left == 0 && !page.is_empty() {
                pages.cut.push(queue);
                continue;
            }
            let delivery = delivery(row);
            left = left.saturating_sub(delivery.event.data.len());
            page.push(delivery);
        }
        for (queue, page) in &pages.found {
            if let Some(first) = page.first() {
                self.cursors.insert(*queue, first.id.0);
            }
        }
        pages
    }
}

/// Since when a digest is read again and again, if it has to wait for what is not routed yet: for all that had happened when it was read first.
fn gathers(row: &Row, before: Option<&(Timestamp, Duration)>) -> Option<(Timestamp, Duration)> {
    let unrouted_since: Timestamp = row.try_get(11).ok()?;
    let asked_at: Timestamp = row.try_get(12).ok()?;
    let (first, since) = *before.unwrap_or(&(asked_at, clock::now()));
    (unrouted_since <= first && clock::now().saturating_sub(since) < GATHERED).then_some((first, since))
}

fn delivery(row: &Row) -> Delivery {
    let data: Option<String> = row.get(3);
    let detail: Option<String> = row.get(4);
    let occurred_at: Option<Timestamp> = row.get(6);
    let occurred_at = occurred_at.unwrap_or_else(Timestamp::now);
    let traceparent: Option<String> = row.get(10);
    Delivery {
        id: DeliveryId(row.get(0)),
        event_id: row.get(8),
        attempts: u32::from(row.get::<_, i16>(5).unsigned_abs()),
        created_at: occurred_at,
        next_attempt_at: row.get(7),
        event: Event {
            event_type: row.get::<_, String>(2).into(),
            data: merged(data.as_deref().unwrap_or("{}"), detail.as_deref()).into(),
            occurred_at,
            traceparent: traceparent.and_then(|traceparent| traceparent.parse().ok()),
        },
    }
}
