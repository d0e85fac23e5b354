//! The open batch: events that are routed and not written yet. Their deliveries are sent from memory, and written once, with their
//! outcomes.

mod event;
mod known;
mod pace;
mod refused;
mod spilled;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::event::Event;
use crate::schedule::{Delivery, DeliveryChange, DeliveryId, QueueId};
pub use event::{OpenDelivery, OpenEvent};
use known::Known;
use pace::{Pace, STALE};
use refused::Refused;
use spilled::Spilled;

/// The longest time that an event stays in memory alone, whatever the outcomes of its deliveries.
const LONGEST: Duration = Duration::from_secs(1);
/// The same while there is no room for more events.
const LONGEST_WHEN_FULL: Duration = Duration::from_millis(300);
/// The same while there are [`MANY`] deliveries, and all of them would be finished within this time at the present pace: writing deliveries
/// as waiting and updating them soon afterwards costs three times as much, so that the pace would fall further.
const LONGEST_WHEN_MOVING: Duration = Duration::from_secs(3);
const MANY: usize = 1_000;
/// The shortest time between two looks for room.
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
    /// What the database has refused.
    refused: Refused,
    bytes: usize,
    /// Whether everything has to be written at the next occasion.
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

    pub fn add(
        &mut self,
        id: i64,
        event: Event,
        detail: Option<String>,
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

    /// Notes the outcome of a delivery. Returns false if it is none of this batch.
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
        true
    }

    /// Sets whether there is room for more.
    pub fn set_full(&mut self, full: bool) {
        self.full = full;
    }

    /// Returns how long an event may stay, whatever the pace.
    fn usual(&self) -> Duration {
        if self.full { LONGEST_WHEN_FULL } else { LONGEST }
    }

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
    /// Without that, a whole backlog would be routed and written as waiting, which would take processor time from sending it.
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
        let time = self.takes_room(now);
        match now.checked_sub(time) {
            _ if time.is_zero() => self.spilled.clear(),
            Some(moment) => self.spilled.forget_until(moment),
            None => {}
        }
        self.with_spilled()
    }

    /// Returns after what time to ask [`OpenBatch::occupied`] again, whatever the outcomes. None: no delivery that was written takes room.
    pub fn room_wait(&self, now: Instant) -> Option<Duration> {
        let ends = self.spilled.first()? + self.takes_room(now);
        // By then deliveries may not be finishing any more.
        Some(ends.saturating_duration_since(now).clamp(SHORTEST, STALE))
    }

    /// Has everything written at the next occasion.
    pub fn hurry(&mut self) {
        self.hurried = !self.routed.is_empty();
    }

    /// Returns how long the events may stay. None: there are none.
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

    /// Takes out what has to be written: the events that are finished, and those that have stayed for too long; with `all`, every event.
    /// Others stay, so that their deliveries are written once as well. When an unfinished event is taken, those with earlier deliveries of
    /// its webhooks are taken too: no delivery in the table may come after one of the same webhook that is only here. What the database has
    /// refused is among them only with `again`; otherwise refused deliveries are held, with those that must not come before them.
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

    /// Returns these events and those whose deliveries come before theirs.
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
                if *reached < delivery.id {
                    left.extend(self.known.events_of(delivery.queue, *reached..delivery.id));
                    *reached = delivery.id;
                }
            }
        }
        found
    }

    /// Forgets what was refused, since it has been tried again.
    pub fn forgive(&mut self) {
        self.refused.clear();
    }

    /// Returns whether the delivery has to wait for a refused one.
    fn is_held(&self, delivery: &OpenDelivery) -> bool {
        self.refused
            .holds(delivery, |id| self.known.is_unfinished(delivery.queue, *id))
    }

    /// Notes that the database has refused a delivery, before its event is put back.
    pub fn refuse(&mut self, queue: QueueId, delivery: DeliveryId) {
        self.refused.add(queue, delivery);
    }

    /// Notes that the database takes nothing of a queue.
    pub fn refuse_queue(&mut self, queue: QueueId) {
        self.refused.add_queue(queue);
    }

    /// Returns whether there is anything that the database has refused.
    pub fn has_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// Returns whether the database takes nothing of a queue.
    pub fn refuses(&self, queue: QueueId) -> bool {
        self.refused.has_queue(queue)
    }

    /// Returns the queues of which the database takes nothing.
    pub fn refused_queues(&self) -> Vec<QueueId> {
        self.refused.queues().collect()
    }

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

    /// Puts back what could not be written.
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
            let held = event.deliveries.iter().filter(|d| self.is_held(d)).count();
            event.parked = held > 0 && held == event.deliveries.len();
            if !event.parked {
                self.schedule(&event);
            }
            self.events.insert(id, event);
        }
        self.finished_since = Some(now).filter(|_| !self.finished.is_empty());
    }
}

#[cfg(test)]
mod tests;
