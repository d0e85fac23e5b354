//! What the database refuses stays, with what must not come before it, and nothing else does.

use super::*;

/// Writes what it is given, as the worker does, but what it is told to refuse.
#[derive(Default)]
struct Database {
    refuses: BTreeSet<i64>,
    refuses_queues: BTreeSet<i64>,
    /// The deliveries that are written, and whether they were finished.
    written: BTreeMap<i64, bool>,
    events: BTreeSet<i64>,
}

impl Database {
    /// Takes the events, and puts back what is not written of them.
    fn write(&mut self, batch: &mut OpenBatch, all: bool, again: bool, now: Instant) -> Vec<OpenEvent> {
        let taken = batch.take(all, again, now);
        if again {
            batch.forgive();
        }
        let mut left = taken.clone();
        // The queues in which one that waits was not written: none behind it is.
        let mut stopped = BTreeSet::new();
        for event in &mut left {
            event.deliveries.retain(|delivery| {
                let (id, queue) = (delivery.id.0, delivery.queue.0);
                let refuses_queue = self.refuses_queues.contains(&queue);
                let refused = !delivery.held && (refuses_queue || self.refuses.contains(&id));
                let stays = delivery.held || refused || !delivery.is_finished() && stopped.contains(&queue);
                if refused && refuses_queue {
                    batch.refuse_queue(delivery.queue);
                } else if refused {
                    batch.refuse(delivery.queue, delivery.id);
                }
                if !stays {
                    assert_eq!(self.written.insert(id, delivery.is_finished()), None);
                } else if !delivery.is_finished() {
                    stopped.insert(queue);
                }
                stays
            });
        }
        self.events.extend(taken.iter().map(|event| event.id));
        left.retain(|event| !event.deliveries.is_empty());
        batch.put_back(left, now);
        taken
    }
}

fn held(events: &[OpenEvent]) -> Vec<i64> {
    let deliveries = events.iter().flat_map(|event| &event.deliveries);
    deliveries
        .filter(|delivery| delivery.held)
        .map(|d| d.id.0)
        .collect()
}

#[test]
fn what_is_refused_holds_what_comes_after_it() {
    let now = Instant::now();
    let mut batch = OpenBatch::default();
    let mut database = Database {
        refuses: [20].into(),
        ..Database::default()
    };
    (1..=3).for_each(|number| add(&mut batch, number, now));
    assert!(!batch.has_refused());
    database.write(&mut batch, true, false, now);
    assert!(database.written.keys().copied().eq([10, 11, 12, 21, 22, 31, 32]));
    assert!(batch.has_refused());
    assert_eq!(batch.wait(now), None, "there is nothing to write");
    assert_eq!(batch.take(true, false, now).len(), 0);
    // Of what comes now, the delivery to the same webhook is held; what was not told to it before is not.
    add(&mut batch, 4, now);
    let taken = database.write(&mut batch, true, false, now);
    assert_eq!((ids(&taken), held(&taken)), (vec![4], vec![40]));
    // One that is finished need not wait; it is written alone.
    batch.note(&change(40, 0, Outcome::Sent), now);
    let taken = database.write(&mut batch, false, false, now + FINISHED);
    assert_eq!((ids(&taken), held(&taken)), (vec![4], vec![]));
    database.refuses.clear();
    let taken = database.write(&mut batch, true, true, now);
    assert_eq!((ids(&taken), held(&taken)), (vec![2, 3], vec![]));
    assert!(batch.is_empty() && !batch.has_refused());
}

/// What waits for nothing any more is written before what comes after it.
#[test]
fn what_was_held_is_written_in_its_turn_once_the_refused_one_is_finished() {
    let now = Instant::now();
    let mut batch = OpenBatch::default();
    let mut database = Database {
        refuses: [10].into(),
        ..Database::default()
    };
    (1..=2).for_each(|number| add(&mut batch, number, now));
    database.write(&mut batch, true, false, now);
    add(&mut batch, 3, now);
    batch.note(&change(10, 0, Outcome::Sent), now);
    let next_attempt_at = Timestamp::UNIX_EPOCH;
    batch.note(&change(30, 0, Outcome::Waiting { next_attempt_at }), now);
    let taken = database.write(&mut batch, false, false, now + AFTER_ANSWER);
    assert_eq!((ids(&taken), held(&taken)), (vec![1, 2, 3], vec![10]));
    assert_eq!(batch.wait(now), None, "the refused one is held as before");
}

#[test]
fn of_a_queue_that_is_refused_nothing_is_tried_until_it_is_forgiven() {
    let (mut batch, now) = (OpenBatch::default(), Instant::now());
    add(&mut batch, 1, now);
    assert!(batch.refused_queues().is_empty() && !batch.refuses(QueueId(1)));
    batch.refuse(QueueId(1), DeliveryId(11));
    assert!(batch.refused_queues().is_empty() && !batch.refuses(QueueId(1)));
    batch.refuse_queue(QueueId(1));
    assert!(batch.refuses(QueueId(1)) && !batch.refuses(QueueId(2)));
    assert_eq!(batch.refused_queues(), [QueueId(1)]);
    add(&mut batch, 2, now);
    batch.note(&change(21, 1, Outcome::Sent), now);
    assert_eq!(held(&batch.take(true, false, now)), [11, 21]);
    batch.forgive();
    assert!(!batch.has_refused() && !batch.refuses(QueueId(1)));
}

#[test]
fn an_event_without_deliveries_that_was_not_written_is_tried_again() {
    let (mut batch, now) = (OpenBatch::default(), Instant::now());
    batch.add(1, event(), None, [], now);
    let taken = batch.take(true, false, now);
    batch.put_back(taken, now);
    assert_eq!(batch.wait(now), Some(LONGEST));
    assert_eq!(ids(&batch.take(true, false, now)), [1]);
}

#[derive(Clone, Debug)]
enum Step {
    Add,
    Note(i64, i64, bool),
    Refuse(i64, i64),
    RefuseQueue(i64),
    Take(bool, bool),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let (number, queue) = (1i64..12, 0..QUEUES);
    prop_oneof![
        4 => Just(Step::Add),
        4 => (number.clone(), queue.clone(), any::<bool>()).prop_map(|(n, queue, sent)| Step::Note(n, queue, sent)),
        2 => (number, queue.clone()).prop_map(|(number, queue)| Step::Refuse(number, queue)),
        1 => queue.prop_map(Step::RefuseQueue),
        4 => (any::<bool>(), prop::bool::weighted(0.2)).prop_map(|(all, again)| Step::Take(all, again)),
        2 => (1u64..120).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn only_what_is_refused_and_what_waits_behind_it_stays(steps in prop::collection::vec(step(), 1..80)) {
        let mut now = Instant::now();
        let mut batch = OpenBatch::default();
        let mut database = Database::default();
        let (mut added, mut sent) = (0, BTreeSet::new());
        for step in steps {
            match step {
                Step::Add => {
                    added += 1;
                    add(&mut batch, added, now);
                }
                Step::Wait(milliseconds) => now += Duration::from_millis(milliseconds),
                Step::Refuse(number, queue) => drop(database.refuses.insert(10 * number + queue)),
                Step::RefuseQueue(queue) => drop(database.refuses_queues.insert(queue)),
                Step::Note(number, queue, is_sent) => {
                    let (id, next_attempt_at) = (10 * number + queue, Timestamp::UNIX_EPOCH);
                    let outcome = if is_sent { Outcome::Sent } else { Outcome::Waiting { next_attempt_at } };
                    if !sent.contains(&id) && batch.note(&change(id, queue, outcome), now) && is_sent {
                        sent.insert(id);
                    }
                }
                Step::Take(all, again) => {
                    database.write(&mut batch, all, again, now);
                    if all {
                        for delivery in batch.events.values().flat_map(|event| &event.deliveries) {
                            let (id, queue) = (delivery.id.0, delivery.queue.0);
                            let before = database.refuses.range(..id).any(|refused| refused % 10 == queue);
                            prop_assert!(
                                database.refuses.contains(&id)
                                    || database.refuses_queues.contains(&queue)
                                    || !delivery.is_finished() && before,
                                "{id} stays"
                            );
                        }
                    }
                }
            }
            for queue in 0..QUEUES {
                let in_table = database.written.iter().filter(|(id, is_finished)| *id % 10 == queue && !**is_finished);
                let last = in_table.map(|(id, _)| *id).max();
                let rows = batch.rows(QueueId(queue), usize::MAX);
                prop_assert!(rows.iter().all(|row| Some(row.id.0) > last), "behind one that waits in the table");
            }
        }
        database.refuses.clear();
        database.refuses_queues.clear();
        let taken = database.write(&mut batch, true, true, now);
        prop_assert!(held(&taken).is_empty() && batch.is_empty());
        let all = (1..=added).flat_map(|number| (0..QUEUES).map(move |queue| 10 * number + queue));
        prop_assert!(database.written.keys().copied().eq(all));
        prop_assert!(database.written.iter().all(|(id, is_finished)| *is_finished == sent.contains(id)));
    }
}
