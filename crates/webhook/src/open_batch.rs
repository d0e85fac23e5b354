//! The open batch: events that are routed and not yet written. Their deliveries are sent from memory, and written once, with their outcomes.

mod event;
mod known;
mod pace;
mod refusals;
mod refused;
mod spilled;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::event::Event;
use crate::schedule::{Delivery, DeliveryChange, DeliveryId, QueueId};
pub use event::{OpenDelivery, OpenEvent};
use known::Known;
use pace::{Pace, STALE};
use refused::Refused;
use spilled::Spilled;

/// The longest time that an event stays in memory only, whatever the outcomes of its deliveries.
const LONGEST: Duration = Duration::from_secs(1);
/// The same as [`LONGEST`], while the batch is full.
const LONGEST_WHEN_FULL: Duration = Duration::from_millis(300);
/// The same, while there are at least [`MANY`] deliveries and all of them would be finished within this time at the present pace: to write them
/// as waiting and update them soon afterwards costs three times as much, and would slow the pace down further.
const LONGEST_WHEN_MOVING: Duration = Duration::from_secs(3);
const MANY: usize = 1_000;
/// The shortest time between two checks whether there is room.
const SHORTEST: Duration = Duration::from_millis(1);
/// The longest time from the first outcome of an event until it is written; later outcomes are written later.
const AFTER_ANSWER: Duration = Duration::from_millis(100);
/// How long finished events wait for others: the more are written together, the less each costs.
const FINISHED: Duration = Duration::from_millis(25);

/// The open batch.
#[derive(Debug, Default)]
pub struct OpenBatch {
    events: BTreeMap<i64, OpenEvent>,
    known: Known,
    /// The events by the time when they were routed.
    routed: BTreeSet<(Instant, i64)>,
    /// Unfinished events by the time of their first outcome.
    answered: BTreeSet<(Instant, i64)>,
    /// Events with deliveries that are all finished, and since when there are any.
    finished: BTreeSet<i64>,
    finished_since: Option<Instant>,
    /// The deliveries and queues that the database has refused to write.
    refused: Refused,
    bytes: usize,
    /// Whether every event has to be written at the next occasion.
    hurried: bool,
    /// Whether there is no room for more.
    full: bool,
    pace: Pace,
    /// Deliveries that were written as waiting lately. They take room until they are finished: see [`OpenBatch::occupied`].
    spilled: Spilled,
}

impl OpenBatch {
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub fn deliveries(&self) -> usize {
        self.known.len()
    }

    pub fn events(&self) -> usize {
        self.events.len()
    }

    /// Returns the bytes of the events' data.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds an event that was routed: its detail as JSON, and its deliveries in order of their ids.
    pub fn add(
        &mut self,
        id: i64,
        event: Event,
        detail: Option<Arc<str>>,
        deliveries: impl IntoIterator<Item = (DeliveryId, QueueId)>,
        now: Instant,
    ) {
        self.bytes += event.data.len();
        self.enter(OpenEvent::new(id, event, detail, deliveries, now));
    }

    fn enter(&mut self, event: OpenEvent) {
        for delivery in &event.deliveries {
            self.known.add(delivery, event.id);
        }
        if !event.parked {
            self.schedule(&event);
        }
        self.events.insert(event.id, event);
    }

    /// Sets when the event has to be written.
    fn schedule(&mut self, event: &OpenEvent) {
        self.routed.insert((event.routed_at, event.id));
        if event.unfinished == 0 && !event.deliveries.is_empty() {
            self.finished.insert(event.id);
        } else if let Some(at) = event.answered_at {
            self.answered.insert((at, event.id));
        }
    }

    /// Returns the queue's first deliveries that are not finished, at most `limit`, in order.
    pub fn rows(&self, queue: QueueId, limit: usize) -> Vec<Delivery> {
        let ids = self.known.unfinished(queue).take(limit);
        ids.filter_map(|id| {
            let event = self.events.get(&self.known.event_of(id)?)?;
            let place = event.place(id)?;
            Some(event.deliveries[place].row(event.id, &event.event))
        })
        .collect()
    }

    /// Returns how many of the queue's deliveries are not finished.
    pub fn waiting(&self, queue: QueueId) -> usize {
        self.known.count(queue)
    }

    /// Notes the outcome of a delivery. Returns false if the delivery is not in the batch.
    pub fn note(&mut self, change: &DeliveryChange, now: Instant) -> bool {
        let event = self.known.event_of(change.id);
        let Some(event) = event.and_then(|id| self.events.get_mut(&id)) else {
            self.spilled.remove(change.id);
            if change.is_final() {
                self.pace.finished(now);
            }
            return false;
        };
        let Some(place) = event.place(change.id) else {
            return false;
        };
        let delivery = &mut event.deliveries[place];
        let was_finished = delivery.is_finished();
        delivery.last = Some(change.clone());
        if change.is_miss() {
            delivery.misses.push(change.clone());
        }
        if delivery.is_finished() && !was_finished {
            event.unfinished -= 1;
            self.pace.finished(now);
            self.known.finish(change.queue, change.id);
        }
        let before = event.answered_at;
        // A delivery that is to be retried waits in the table: people look there for the reason.
        let at = if change.is_final() {
            None
        } else {
            now.checked_sub(AFTER_ANSWER - FINISHED)
        }
        .unwrap_or(now);
        let first = before.map_or(at, |before| before.min(at));
        event.answered_at = Some(first);
        if let Some(before) = before {
            self.answered.remove(&(before, event.id));
        }
        if std::mem::take(&mut event.parked) {
            self.routed.insert((event.routed_at, event.id));
        }
        if event.unfinished == 0 {
            self.finished.insert(event.id);
            self.finished_since.get_or_insert(now);
        } else {
            self.answered.insert((first, event.id));
        }
        if self.refused.has(change.queue, change.id) {
            self.release(change.queue, change.id);
        }
        true
    }

    /// Schedules the events again that had to wait only for this refused delivery, now that it is finished. Otherwise later events of its queue,
    /// which need not wait, would be written before them.
    fn release(&mut self, queue: QueueId, refused: DeliveryId) {
        let behind = refused..DeliveryId(i64::MAX);
        let behind: Vec<i64> = self.known.events_of(queue, behind).collect();
        for id in behind {
            if let Some(mut event) = self.events.remove(&id) {
                if event.parked {
                    self.settle(&mut event);
                }
                self.events.insert(id, event);
            }
        }
    }

    /// Schedules an event, or parks it if none of its deliveries can be written for now.
    fn settle(&mut self, event: &mut OpenEvent) {
        let held = event.deliveries.iter().filter(|d| self.is_held(d)).count();
        event.parked = held > 0 && held == event.deliveries.len();
        if !event.parked {
            self.schedule(event);
        }
    }

    /// Sets whether the batch is full: it has no room for more events.
    pub fn set_full(&mut self, full: bool) {
        self.full = full;
    }

    /// Returns how long an event may stay, regardless of the pace.
    fn usual(&self) -> Duration {
        if self.full { LONGEST_WHEN_FULL } else { LONGEST }
    }

    /// Returns how long an event may stay at the present pace.
    fn longest(&self, now: Instant) -> Duration {
        let deliveries = self.with_spilled();
        if deliveries >= MANY && self.pace.takes(deliveries, LONGEST_WHEN_MOVING, now) {
            LONGEST_WHEN_MOVING
        } else {
            self.usual()
        }
    }

    fn with_spilled(&self) -> usize {
        self.deliveries() + self.spilled.len()
    }

    /// Notes that a delivery of this event was written as waiting.
    pub fn spilled(&mut self, delivery: DeliveryId, event: &OpenEvent) {
        self.spilled.add(delivery, event.routed_at);
    }

    /// Returns how long a delivery that was written as waiting takes room after its event was routed: as long as it may be sent soon.
    /// Otherwise a whole backlog would be routed and written as waiting, which would take processor time from sending it.
    fn takes_room(&self, now: Instant) -> Duration {
        if !self.pace.is_known(now) {
            LONGEST
        } else if self.pace.takes(self.with_spilled(), LONGEST_WHEN_MOVING, now) {
            LONGEST_WHEN_MOVING
        } else {
            Duration::ZERO
        }
    }

    /// Returns how many deliveries are here, or were written as waiting and will soon be finished.
    pub fn occupied(&mut self, now: Instant) -> usize {
        if let Some(moment) = now.checked_sub(self.takes_room(now)) {
            self.spilled.forget_until(moment);
        }
        self.with_spilled()
    }

    /// Returns after what time [`OpenBatch::occupied`] changes without further outcomes. None: no delivery that was written as waiting takes room.
    pub fn room_wait(&self, now: Instant) -> Option<Duration> {
        let ends = self.spilled.first()? + self.takes_room(now);
        // By then deliveries may not be finishing any more.
        Some(ends.saturating_duration_since(now).clamp(SHORTEST, STALE))
    }

    /// Makes every event due at the next occasion.
    pub fn hurry(&mut self) {
        self.hurried = !self.routed.is_empty();
    }

    /// Returns after what time events have to be written. None: there are none.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        let (routed_at, _) = self.routed.first()?;
        if self.hurried {
            return Some(Duration::ZERO);
        }
        let longest = *routed_at + self.longest(now);
        // By then deliveries may not be finishing any more.
        let looks_again = (*routed_at + self.usual()).max(now + STALE);
        let ends = [
            Some(longest.min(looks_again)),
            self.answered.first().map(|(at, _)| *at + AFTER_ANSWER),
            self.finished_since.map(|at| at + FINISHED),
        ];
        let end = ends.into_iter().flatten().min()?;
        Some(end.saturating_duration_since(now))
    }

    /// Removes and returns the events that have to be written: those that are finished, and those that have stayed for too long; with `all`, every
    /// event. The others stay, so that their deliveries are written only once, too. With an unfinished event, those with earlier deliveries of its
    /// webhooks are taken, because a delivery must not be in the table while an earlier one of the same webhook is only in memory.
    ///
    /// With `again`, refused deliveries are tried again. Otherwise they are marked as held, with those that must not be written before them, and
    /// events of which every delivery is held stay.
    pub fn take(&mut self, all: bool, again: bool, now: Instant) -> Vec<OpenEvent> {
        let all = std::mem::take(&mut self.hurried) || all;
        let due: BTreeSet<i64> = if all || again {
            let due = self.events.values().filter(|event| again || !event.parked);
            due.map(|event| event.id).collect()
        } else {
            let longest = self.longest(now);
            let answered = self
                .answered
                .iter()
                .take_while(|(at, _)| *at + AFTER_ANSWER <= now);
            let old = self.routed.iter().take_while(|(at, _)| *at + longest <= now);
            let mut due = self.with_those_before(answered.chain(old).map(|(_, id)| *id).collect());
            due.extend(&self.finished);
            due
        };
        self.finished_since = None;
        let mut held: HashSet<DeliveryId> = HashSet::new();
        if !again && !self.refused.is_empty() {
            let deliveries = due.iter().filter_map(|id| self.events.get(id));
            let deliveries = deliveries.flat_map(|event| &event.deliveries);
            held.extend(deliveries.filter(|d| self.is_held(d)).map(|d| d.id));
        }
        let mut taken: Vec<OpenEvent> = due.iter().filter_map(|id| self.leave(*id)).collect();
        for delivery in taken.iter_mut().flat_map(|event| &mut event.deliveries) {
            delivery.held = held.contains(&delivery.id);
        }
        taken
    }

    /// Returns these events, and those that have earlier deliveries in the same queues.
    fn with_those_before(&self, mut left: Vec<i64>) -> BTreeSet<i64> {
        let mut found = BTreeSet::new();
        // The last delivery of each queue up to which they are found.
        let mut reached: HashMap<QueueId, DeliveryId> = HashMap::new();
        while let Some(id) = left.pop() {
            let Some(event) = self.events.get(&id).filter(|event| !event.parked) else {
                continue;
            };
            if !found.insert(id) {
                continue;
            }
            for delivery in event.deliveries.iter().filter(|delivery| !delivery.is_finished()) {
                let reached = reached.entry(delivery.queue).or_insert(DeliveryId(i64::MIN));
                let from = std::mem::replace(reached, delivery.id.max(*reached));
                left.extend(self.known.events_of(delivery.queue, from..*reached));
            }
        }
        found
    }

    /// Removes an event.
    fn leave(&mut self, id: i64) -> Option<OpenEvent> {
        let event = self.events.remove(&id)?;
        self.routed.remove(&(event.routed_at, id));
        self.finished.remove(&id);
        if let Some(at) = event.answered_at {
            self.answered.remove(&(at, id));
        }
        self.bytes = self.bytes.saturating_sub(event.event.data.len());
        for delivery in &event.deliveries {
            self.known.forget(delivery.queue, delivery.id);
        }
        Some(event)
    }

    /// Puts back events that could not be written.
    pub fn put_back(&mut self, events: Vec<OpenEvent>, now: Instant) {
        let ids: Vec<i64> = events.iter().map(|event| event.id).collect();
        for mut event in events {
            self.bytes += event.event.data.len();
            event.unfinished = event.deliveries.iter().filter(|d| !d.is_finished()).count();
            event.parked = true;
            self.enter(event);
        }
        // All of them have to be here before it is known which wait for which.
        for id in ids {
            let Some(mut event) = self.events.remove(&id) else {
                continue;
            };
            self.settle(&mut event);
            self.events.insert(id, event);
        }
        self.finished_since = Some(now).filter(|_| !self.finished.is_empty());
    }
}

#[cfg(test)]
mod tests;
