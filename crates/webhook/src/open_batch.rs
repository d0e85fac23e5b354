//! Events that are routed and not written down yet: their deliveries leave from memory, and are written once, with their outcomes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::event::Event;
use crate::schedule::{Delivery, DeliveryChange, DeliveryId, Outcome, QueueId};

/// No event stays in memory alone for longer than this, whatever becomes of its deliveries.
const LONGEST: Duration = Duration::from_secs(1);
/// The same while there is no room for more: what can't leave soon makes room.
const LONGEST_WHEN_FULL: Duration = Duration::from_millis(300);
/// The same while there are [`MANY`] deliveries, and all of them would be finished within this at the present pace: to write what leaves
/// soon as waiting, and to update it then, costs three times as much, so that the pace would fall further behind.
const LONGEST_WHEN_MOVING: Duration = Duration::from_secs(3);
const MANY: usize = 1_000;
/// The pace is measured over so long.
const WINDOW: Duration = Duration::from_millis(100);
/// When it was not measured for so long, nothing moves.
const STALE: Duration = Duration::from_millis(500);
/// No outcome does: what else is to become of its event is written later.
const AFTER_ANSWER: Duration = Duration::from_millis(100);
/// Events that are finished wait so long for others: writing costs the less for each, the more there are.
const FINISHED: Duration = Duration::from_millis(25);

/// An event and its deliveries.
#[derive(Clone, Debug)]
pub struct OpenEvent {
    pub id: i64,
    pub event: Event,
    /// What the worker found out about it, as JSON; None: nothing.
    pub detail: Option<String>,
    /// Those that are not written down.
    pub deliveries: Vec<OpenDelivery>,
    /// Some of it is written down, or was tried.
    pub split: bool,
    /// There is nothing to write of it before what was refused is tried again.
    parked: bool,
    routed_at: Instant,
    /// When the first outcome came.
    answered_at: Option<Instant>,
    unfinished: usize,
}

impl OpenEvent {
    /// Ids are drawn in order.
    fn place(&self, delivery: DeliveryId) -> Option<usize> {
        self.deliveries
            .binary_search_by_key(&delivery, |known| known.id)
            .ok()
    }
}

#[derive(Clone, Debug)]
pub struct OpenDelivery {
    pub id: DeliveryId,
    pub queue: QueueId,
    /// The last that became of it; None: it has not been tried.
    pub last: Option<DeliveryChange>,
    /// It is not to be written now: see [`OpenBatch::take`].
    pub held: bool,
}

impl OpenDelivery {
    pub fn is_finished(&self) -> bool {
        let outcome = self.last.as_ref().map(|change| change.outcome);
        matches!(outcome, Some(Outcome::Sent | Outcome::Failed))
    }

    /// As the scheduler wants it.
    fn row(&self, event_id: i64, event: &Event) -> Delivery {
        let next_attempt_at = self.last.as_ref().and_then(|change| match change.outcome {
            Outcome::Retry { next_attempt_at } | Outcome::Waiting { next_attempt_at } => {
                Some(next_attempt_at)
            }
            Outcome::Sent | Outcome::Failed => None,
        });
        Delivery {
            id: self.id,
            event_id,
            event: event.clone(),
            attempts: self.last.as_ref().map_or(0, |change| change.attempts),
            created_at: event.occurred_at,
            next_attempt_at,
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct OpenBatch {
    events: BTreeMap<i64, OpenEvent>,
    /// Event of each delivery.
    event_of: HashMap<DeliveryId, i64>,
    /// What is not finished of each queue, in order.
    queues: HashMap<QueueId, BTreeSet<DeliveryId>>,
    /// When the events were routed, the earliest first.
    routed: BTreeSet<(Instant, i64)>,
    /// When the first outcome came of those that are not finished.
    answered: BTreeSet<(Instant, i64)>,
    /// Those with deliveries that are all finished, and since when there are any.
    finished: BTreeSet<i64>,
    finished_since: Option<Instant>,
    /// What the database has refused.
    refused: BTreeMap<QueueId, Refused>,
    bytes: usize,
    /// Everything has to be written at the next occasion.
    hurried: bool,
    /// There is no room for more.
    full: bool,
    pace: Pace,
}

/// How fast deliveries are finished.
#[derive(Debug, Default)]
struct Pace {
    /// When the window began that is not over.
    began: Option<Instant>,
    /// In it.
    finished: usize,
    /// A second, in the window before.
    rate: usize,
}

impl Pace {
    fn finished(&mut self, now: Instant) {
        let began = *self.began.get_or_insert(now);
        let lasted = now.saturating_duration_since(began);
        if lasted >= WINDOW {
            self.rate = self.finished * 1000 / lasted.as_millis() as usize;
            self.finished = 0;
            self.began = Some(now);
        }
        self.finished += 1;
    }

    /// Whether so many will be finished within that time.
    fn takes(&self, deliveries: usize, time: Duration, now: Instant) -> bool {
        let is_recent = |began: Instant| now.saturating_duration_since(began) < STALE;
        let taken = self.rate * time.as_millis() as usize / 1000;
        self.began.is_some_and(is_recent) && deliveries <= taken
    }
}

/// What the database has refused of a queue.
#[derive(Clone, Debug, Default)]
struct Refused {
    deliveries: BTreeSet<DeliveryId>,
    /// It has taken nothing of the queue: the rest is not tried.
    whole: bool,
}

impl OpenBatch {
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub fn deliveries(&self) -> usize {
        self.event_of.len()
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
        let deliveries: Vec<OpenDelivery> = deliveries
            .into_iter()
            .map(|(id, queue)| OpenDelivery {
                id,
                queue,
                last: None,
                held: false,
            })
            .collect();
        self.bytes += event.data.len();
        self.enter(OpenEvent {
            id,
            event,
            detail,
            unfinished: deliveries.len(),
            deliveries,
            split: false,
            parked: false,
            routed_at: now,
            answered_at: None,
        });
    }

    fn enter(&mut self, event: OpenEvent) {
        for delivery in &event.deliveries {
            self.event_of.insert(delivery.id, event.id);
            if !delivery.is_finished() {
                self.queues.entry(delivery.queue).or_default().insert(delivery.id);
            }
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
        let ids = self.queues.get(&queue).into_iter().flatten().take(limit);
        ids.filter_map(|id| {
            let event = self.events.get(self.event_of.get(id)?)?;
            let place = event.place(*id)?;
            Some(event.deliveries[place].row(event.id, &event.event))
        })
        .collect()
    }

    /// Returns how many of the queue's deliveries are not finished.
    pub fn waiting(&self, queue: QueueId) -> usize {
        self.queues.get(&queue).map_or(0, BTreeSet::len)
    }

    /// Notes what became of a delivery; false: it is none of these.
    pub fn note(&mut self, change: &DeliveryChange, now: Instant) -> bool {
        let event = self.event_of.get(&change.id);
        let Some(event) = event.and_then(|id| self.events.get_mut(id)) else {
            return false;
        };
        let Some(place) = event.place(change.id) else {
            return false;
        };
        let delivery = &mut event.deliveries[place];
        let was_finished = delivery.is_finished();
        delivery.last = Some(change.clone());
        if delivery.is_finished() && !was_finished {
            event.unfinished -= 1;
            self.pace.finished(now);
            if let Some(waiting) = self.queues.get_mut(&change.queue) {
                waiting.remove(&change.id);
                if waiting.is_empty() {
                    self.queues.remove(&change.queue);
                }
            }
        }
        let before = event.answered_at;
        // What has to be tried again waits in the table: people look there for the reason.
        let waits = matches!(change.outcome, Outcome::Retry { .. } | Outcome::Waiting { .. });
        let at = if waits {
            now.checked_sub(AFTER_ANSWER - FINISHED)
        } else {
            None
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
        let deliveries = self.deliveries();
        if deliveries >= MANY && self.pace.takes(deliveries, LONGEST_WHEN_MOVING, now) {
            LONGEST_WHEN_MOVING
        } else {
            self.usual()
        }
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
                if let (true, Some(waiting)) = (*reached < delivery.id, self.queues.get(&delivery.queue)) {
                    let before = waiting.range(*reached..delivery.id);
                    left.extend(before.filter_map(|before| self.event_of.get(before)));
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
        let Some(refused) = self.refused.get(&delivery.queue) else {
            return false;
        };
        let waiting = self.queues.get(&delivery.queue);
        let waits = |id: &DeliveryId| waiting.is_some_and(|waiting| waiting.contains(id));
        refused.whole
            || refused.deliveries.contains(&delivery.id)
            || !delivery.is_finished() && refused.deliveries.range(..delivery.id).any(waits)
    }

    /// Notes that the database has refused a delivery, before its event is put back.
    pub fn refuse(&mut self, queue: QueueId, delivery: DeliveryId) {
        self.refused.entry(queue).or_default().deliveries.insert(delivery);
    }

    /// Notes that the database takes nothing of a queue.
    pub fn refuse_queue(&mut self, queue: QueueId) {
        self.refused.entry(queue).or_default().whole = true;
    }

    /// Returns whether there is anything that the database has refused.
    pub fn has_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// Returns whether the database takes nothing of a queue.
    pub fn refuses(&self, queue: QueueId) -> bool {
        self.refused.get(&queue).is_some_and(|refused| refused.whole)
    }

    /// Returns the queues of which the database takes nothing.
    pub fn refused_queues(&self) -> Vec<QueueId> {
        let whole = self.refused.iter().filter(|(_, refused)| refused.whole);
        whole.map(|(queue, _)| *queue).collect()
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
            self.event_of.remove(&delivery.id);
            if let Some(waiting) = self.queues.get_mut(&delivery.queue) {
                waiting.remove(&delivery.id);
                if waiting.is_empty() {
                    self.queues.remove(&delivery.queue);
                }
            }
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
mod tests {
    #![allow(clippy::unwrap_used)]

    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    const QUEUES: i64 = 3;

    fn event() -> Event {
        Event {
            event_type: "task_completed".into(),
            data: "{}".into(),
            occurred_at: Timestamp::UNIX_EPOCH,
            traceparent: None,
        }
    }

    fn change(id: i64, queue: i64, outcome: Outcome) -> DeliveryChange {
        DeliveryChange {
            id: DeliveryId(id),
            queue: QueueId(queue),
            outcome,
            at: Timestamp::UNIX_EPOCH,
            attempts: 0,
            status_code: Some(200),
            body: None,
            error: None,
        }
    }

    /// Event `n` has deliveries `10 n` to `10 n + 2`, one for each queue.
    fn add(batch: &mut OpenBatch, number: i64, now: Instant) {
        let deliveries = (0..QUEUES).map(|queue| (DeliveryId(10 * number + queue), QueueId(queue)));
        batch.add(number, event(), None, deliveries, now);
    }

    fn ids(events: &[OpenEvent]) -> Vec<i64> {
        events.iter().map(|event| event.id).collect()
    }

    #[test]
    fn what_is_finished_is_written_soon_and_what_is_not_stays_a_second() {
        let start = Instant::now();
        let mut batch = OpenBatch::default();
        add(&mut batch, 1, start);
        add(&mut batch, 2, start + FINISHED);
        assert_eq!(batch.wait(start), Some(LONGEST));
        for queue in 0..QUEUES {
            assert!(batch.note(&change(20 + queue, queue, Outcome::Sent), start + FINISHED));
        }
        assert_eq!(batch.wait(start + FINISHED), Some(FINISHED));
        assert_eq!(ids(&batch.take(false, false, start + 2 * FINISHED)), [2]);
        assert_eq!(batch.wait(start), Some(LONGEST));
        assert_eq!(ids(&batch.take(false, false, start + LONGEST)), [1]);
        assert_eq!(batch.wait(start + LONGEST), None);
        assert_eq!((batch.deliveries(), batch.bytes()), (0, 0));
    }

    #[test]
    fn an_outcome_is_written_soon_and_takes_along_what_stands_before_it() {
        let start = Instant::now();
        let mut batch = OpenBatch::default();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        add(&mut batch, 1, start);
        add(&mut batch, 2, after(1));
        add(&mut batch, 3, after(2));
        batch.note(&change(20, 0, Outcome::Sent), after(5));
        assert_eq!(batch.wait(after(5)), Some(AFTER_ANSWER));
        assert_eq!(batch.take(false, false, after(104)).len(), 0);
        assert_eq!(ids(&batch.take(false, false, after(105))), [1, 2]);
        assert_eq!(batch.waiting(QueueId(0)), 1);
    }

    #[test]
    fn an_outcome_takes_along_nothing_of_other_webhooks() {
        let start = Instant::now();
        let mut batch = OpenBatch::default();
        let of = |queues: &[i64], number: i64| {
            let ids = queues
                .iter()
                .map(|queue| (DeliveryId(10 * number + queue), QueueId(*queue)));
            ids.collect::<Vec<_>>()
        };
        for (number, queues) in [(1, [1, 2]), (2, [3, 4]), (3, [2, 5]), (4, [5, 6])] {
            batch.add(number, event(), None, of(&queues, number), start);
        }
        batch.note(&change(46, 6, Outcome::Sent), start);
        assert_eq!(ids(&batch.take(false, false, start + AFTER_ANSWER)), [1, 3, 4]);
        assert_eq!(ids(&batch.take(true, false, start)), [2]);
    }

    #[test]
    fn what_moves_is_not_written_as_waiting() {
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut batch = OpenBatch::default();
        let events = MANY as i64;
        (1..=events).for_each(|number| add(&mut batch, number, start));
        batch.set_full(true);
        assert_eq!(batch.wait(start), Some(LONGEST_WHEN_FULL));
        // A pace at which all of it takes less than the time.
        let each = events / 10;
        let mut finished = 0;
        for window in 1..=5 {
            for number in (window - 1) * each + 1..=window * each {
                for queue in 0..QUEUES {
                    let sent = change(10 * number + queue, queue, Outcome::Sent);
                    assert!(batch.note(&sent, after(100 * window as u64)));
                }
            }
            let taken = batch.take(false, false, after(100 * window as u64) + FINISHED);
            assert!(taken.iter().all(|event| event.unfinished == 0));
            finished += taken.len() as i64;
        }
        assert_eq!(finished, 5 * each);
        // Nothing is finished any more, which is looked for.
        let ends = after(500) + STALE;
        assert_eq!(batch.wait(after(500)), Some(STALE));
        assert_eq!(batch.take(false, false, ends).len() as i64, events - finished);
    }

    #[test]
    fn what_has_to_be_tried_again_is_read_as_it_is_now() {
        let now = Instant::now();
        let mut batch = OpenBatch::default();
        add(&mut batch, 1, now);
        let next_attempt_at = Timestamp::from_second(60).unwrap();
        let mut failed = change(10, 0, Outcome::Retry { next_attempt_at });
        failed.attempts = 2;
        batch.note(&failed, now);
        assert_eq!(batch.wait(now), Some(FINISHED), "people want to see why it waits");
        let rows = batch.rows(QueueId(0), 5);
        assert_eq!(
            (rows[0].attempts, rows[0].next_attempt_at),
            (2, Some(next_attempt_at))
        );
        assert!(
            !batch.note(&change(99, 0, Outcome::Sent), now),
            "not of this batch"
        );
    }

    #[derive(Clone, Debug)]
    enum Step {
        Add,
        Note(i64, bool),
        Take(bool, bool),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Add),
            (0i64..300, any::<bool>()).prop_map(|(id, sent)| Step::Note(id, sent)),
            (any::<bool>(), any::<bool>()).prop_map(|(all, fails)| Step::Take(all, fails)),
            (1u64..120).prop_map(Step::Wait),
        ]
    }

    proptest! {
        #[test]
        fn every_event_is_taken_once_with_its_last_outcomes(steps in prop::collection::vec(step(), 1..200)) {
            let mut now = Instant::now();
            let mut batch = OpenBatch::default();
            let (mut added, mut taken) = (0, BTreeMap::new());
            // The last delivery of each queue that was written as waiting.
            let mut written = [i64::MIN; QUEUES as usize];
            let mut sent = BTreeSet::new();
            for step in steps {
                match step {
                    Step::Add => {
                        added += 1;
                        // For all queues, or some of them.
                        let queues = (0..QUEUES).filter(|queue| added % 2 == 0 || added / 2 % QUEUES != *queue);
                        let deliveries = queues.map(|queue| (DeliveryId(10 * added + queue), QueueId(queue)));
                        batch.add(added, event(), None, deliveries, now);
                    }
                    Step::Wait(milliseconds) => now += Duration::from_millis(milliseconds),
                    Step::Note(id, is_sent) => {
                        let next_attempt_at = Timestamp::UNIX_EPOCH;
                        let outcome = if is_sent { Outcome::Sent } else { Outcome::Waiting { next_attempt_at } };
                        if !sent.contains(&id) && batch.note(&change(id, id % 10, outcome), now) && is_sent {
                            sent.insert(id);
                        }
                    }
                    Step::Take(all, fails) => {
                        let events = batch.take(all, false, now);
                        if fails {
                            batch.put_back(events, now);
                        } else {
                            for event in events {
                                for delivery in event.deliveries.iter().filter(|delivery| !delivery.is_finished()) {
                                    let last = &mut written[delivery.queue.0 as usize];
                                    *last = delivery.id.0.max(*last);
                                }
                                prop_assert!(taken.insert(event.id, event).is_none());
                            }
                        }
                    }
                }
                let waiting: usize = (0..QUEUES).map(|queue| batch.waiting(QueueId(queue))).sum();
                let unfinished: usize = batch.events.values().map(|event| event.unfinished).sum();
                prop_assert_eq!(waiting, unfinished);
                for queue in 0..QUEUES {
                    let rows = batch.rows(QueueId(queue), usize::MAX);
                    prop_assert!(rows.is_sorted_by(|a, b| a.id < b.id));
                    prop_assert!(rows.iter().all(|row| !sent.contains(&row.id.0)));
                    prop_assert!(rows.iter().all(|row| row.id.0 > written[queue as usize]), "behind one that waits in the table");
                }
            }
            batch.take(true, false, now).into_iter().for_each(|event| drop(taken.insert(event.id, event)));
            prop_assert_eq!(taken.len() as i64, added);
            for delivery in taken.values().flat_map(|event| &event.deliveries) {
                prop_assert_eq!(delivery.is_finished(), sent.contains(&delivery.id.0));
            }
        }
    }
}
