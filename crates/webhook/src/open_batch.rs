//! Events that are routed and not written down yet: their deliveries leave from memory, and are written once, with their outcomes.

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

/// No event stays in memory alone for longer than this, whatever becomes of its deliveries.
const LONGEST: Duration = Duration::from_secs(1);
/// The same while there is no room for more: what can't leave soon makes room.
const LONGEST_WHEN_FULL: Duration = Duration::from_millis(300);
/// The same while there are [`MANY`] deliveries, and all of them would be finished within this at the present pace: to write what leaves
/// soon as waiting, and to update it then, costs three times as much, so that the pace would fall further behind.
const LONGEST_WHEN_MOVING: Duration = Duration::from_secs(3);
const MANY: usize = 1_000;
/// Room is not looked for more often.
const SHORTEST: Duration = Duration::from_millis(1);
/// No outcome does: what else is to become of its event is written later.
const AFTER_ANSWER: Duration = Duration::from_millis(100);
/// Events that are finished wait so long for others: writing costs the less for each, the more there are.
const FINISHED: Duration = Duration::from_millis(25);

/// All of them.
#[derive(Debug, Default)]
pub struct OpenBatch {
    events: BTreeMap<i64, OpenEvent>,
    known: Known,
    /// When the events were routed, the earliest first.
    routed: BTreeSet<(Instant, i64)>,
    /// When the first outcome came of those that are not finished.
    answered: BTreeSet<(Instant, i64)>,
    /// Those with deliveries that are all finished, and since when there are any.
    finished: BTreeSet<i64>,
    finished_since: Option<Instant>,
    /// What the database has refused.
    refused: Refused,
    bytes: usize,
    /// Everything has to be written at the next occasion.
    hurried: bool,
    /// There is no room for more.
    full: bool,
    pace: Pace,
    /// What was written as waiting a short while ago: it takes room until it is finished, see [`OpenBatch::occupied`].
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

    /// Bytes of the events' data.
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

    /// Notes when the event has to be written.
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

    /// Notes what became of a delivery; false: it is none of these.
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
        // What has to be tried again waits in the table: people look there for the reason.
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

    /// Says whether there is room for more.
    pub fn set_full(&mut self, full: bool) {
        self.full = full;
    }

    /// How long an event may be here, whatever the pace.
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

    /// How long a delivery takes room after its event was routed, if it is written as waiting: as long as it may leave soon. To route on
    /// and on would write everything as waiting, and keep the processor from what it takes to send it.
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

    /// Returns after what time to ask [`OpenBatch::occupied`] again, whatever becomes of the deliveries; None: nothing that was written
    /// takes room.
    pub fn room_wait(&self, now: Instant) -> Option<Duration> {
        let ends = self.spilled.first()? + self.takes_room(now);
        // By then it may not move any more.
        Some(ends.saturating_duration_since(now).clamp(SHORTEST, STALE))
    }

    /// Lets everything be written at the next occasion.
    pub fn hurry(&mut self) {
        self.hurried = !self.routed.is_empty();
    }

    /// Returns how long what is here may stay; None: nothing is here.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        let (routed_at, _) = self.routed.first()?;
        if self.hurried {
            return Some(Duration::ZERO);
        }
        let longest = *routed_at + self.longest(now);
        // By then it may not move any more.
        let looks_again = (*routed_at + self.usual()).max(now + STALE);
        let ends = [
            Some(longest.min(looks_again)),
            self.answered.first().map(|(at, _)| *at + AFTER_ANSWER),
            self.finished_since.map(|at| at + FINISHED),
        ];
        let end = ends.into_iter().flatten().min()?;
        Some(end.saturating_duration_since(now))
    }

    /// Takes out what has to be written: the events that are finished, and those that have been here for too long; all of them, if
    /// that is asked for. Others stay, so that their deliveries are written once as well. Where one is taken that is not finished,
    /// those with earlier deliveries of its webhooks are: in the table, no delivery of a webhook may stand before one that is here. What the
    /// database has refused is among them only if it is to be tried again; else, deliveries that were refused are held, and those that
    /// must not stand before them.
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

    /// These events, and those whose deliveries stand before theirs.
    fn with_those_before(&self, mut left: Vec<i64>) -> BTreeSet<i64> {
        let mut found = BTreeSet::new();
        // Up to which delivery of each queue they are found.
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

    /// Forgets what was refused: it was tried again.
    pub fn forgive(&mut self) {
        self.refused.clear();
    }

    /// Whether it has to wait for what was refused.
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
