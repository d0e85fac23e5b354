#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::schedule::Outcome;

mod refusals;

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

#[test]
fn what_came_to_nothing_before_it_was_written_is_kept_until_it_is() {
    let now = Instant::now();
    let mut batch = OpenBatch::default();
    add(&mut batch, 1, now);
    let next_attempt_at = Timestamp::UNIX_EPOCH;
    let retry = change(10, 0, Outcome::Retry { next_attempt_at });
    let limited = change(10, 0, Outcome::Waiting { next_attempt_at });
    let expired = DeliveryChange {
        error: Some("expired: not delivered within 24h".into()),
        ..change(11, 1, Outcome::Failed)
    };
    for noted in [&retry, &limited, &change(10, 0, Outcome::Sent), &expired] {
        assert!(batch.note(noted, now));
    }
    let taken = batch.take(true, false, now);
    let misses: Vec<_> = taken[0].deliveries.iter().map(|d| d.misses.clone()).collect();
    assert_eq!(misses, [vec![retry, limited], vec![], vec![]]);
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
fn bytes_are_those_of_what_is_here() {
    let (mut batch, now) = (OpenBatch::default(), Instant::now());
    let one = event().data.len();
    for number in 1..=3 {
        add(&mut batch, number, now);
    }
    assert_eq!((batch.events(), batch.bytes()), (3, 3 * one));
    assert!(!batch.is_empty());
    let taken = batch.take(true, false, now);
    assert_eq!((taken.len(), batch.events(), batch.bytes()), (3, 0, 0));
    assert!(batch.is_empty());
    batch.put_back(taken, now);
    assert_eq!((batch.events(), batch.bytes()), (3, 3 * one));
}

/// Outcomes that could not be written are not put off for longer than others.
#[test]
fn what_is_finished_and_put_back_is_written_soon() {
    let (mut batch, now) = (OpenBatch::default(), Instant::now());
    add(&mut batch, 1, now);
    let waiting = batch.take(true, false, now);
    batch.put_back(waiting, now);
    assert!(batch.wait(now).unwrap() > FINISHED);
    for queue in 0..QUEUES {
        assert!(batch.note(&change(10 + queue, queue, Outcome::Sent), now));
    }
    let finished = batch.take(true, false, now);
    batch.put_back(finished, now);
    assert_eq!(batch.wait(now), Some(FINISHED));
}

#[test]
fn all_of_it_is_written_when_that_is_hurried() {
    let (mut batch, now) = (OpenBatch::default(), Instant::now());
    batch.hurry();
    add(&mut batch, 1, now);
    assert_eq!(batch.wait(now), Some(LONGEST), "there was nothing to hurry");
    batch.hurry();
    assert_eq!(batch.wait(now), Some(Duration::ZERO));
    assert_eq!(ids(&batch.take(false, false, now)), [1]);
    add(&mut batch, 2, now);
    assert_eq!(batch.wait(now), Some(LONGEST));
}

#[test]
fn few_that_move_are_written_after_a_second() {
    let start = Instant::now();
    let after = |milliseconds| start + Duration::from_millis(milliseconds);
    let mut batch = OpenBatch::default();
    (1..=300).for_each(|number| add(&mut batch, number, start));
    for window in 0..10 {
        for number in (1..=10).map(|number| 10 * window + number) {
            for queue in 0..QUEUES {
                let sent = change(10 * number + queue, queue, Outcome::Sent);
                batch.note(&sent, after(100 * window as u64));
            }
        }
        assert_eq!(batch.take(false, false, after(100 * window as u64)).len(), 10);
    }
    assert_eq!(batch.take(false, false, start + LONGEST).len(), 200);
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

/// Routes so many deliveries, and writes them as waiting when their time is up.
fn spill(batch: &mut OpenBatch, events: i64, start: Instant) {
    (1..=events).for_each(|number| add(batch, number, start));
    batch.set_full(true);
    let taken = batch.take(false, false, start + LONGEST_WHEN_FULL);
    assert_eq!(taken.len() as i64, events);
    for event in &taken {
        for delivery in &event.deliveries {
            batch.spilled(delivery.id, event);
        }
    }
}

#[test]
fn what_is_written_as_waiting_and_moves_takes_room_until_it_is_finished() {
    let start = Instant::now();
    let after = |milliseconds| start + Duration::from_millis(milliseconds);
    let mut batch = OpenBatch::default();
    spill(&mut batch, 400, start);
    assert_eq!(batch.occupied(after(300)), 1200);
    assert_eq!(batch.room_wait(after(600)), Some(Duration::from_millis(400)));
    // Two windows at 2,000 a second.
    let mut ids = (1..=400).flat_map(|number| (0..QUEUES).map(move |queue| (10 * number + queue, queue)));
    for step in 0..41 {
        for (id, queue) in ids.by_ref().take(10) {
            assert!(!batch.note(&change(id, queue, Outcome::Sent), after(400 + 5 * step)));
        }
    }
    assert_eq!(batch.occupied(after(600)), 790);
    assert_eq!(batch.room_wait(after(600)), Some(STALE));
    // What comes now leaves behind them, and is not written as waiting.
    (401..=700).for_each(|number| add(&mut batch, number, after(600)));
    assert!(after(1050) > after(600) + LONGEST_WHEN_FULL);
    assert_eq!(batch.take(false, false, after(1050)).len(), 0);
    // When nothing moves any more, it takes no room after a second.
    assert_eq!(batch.occupied(after(1100)), 900);
    assert_eq!(batch.take(false, false, after(1100)).len(), 300);
}

#[test]
fn what_is_written_as_waiting_and_moves_too_slowly_takes_no_room() {
    let start = Instant::now();
    let after = |milliseconds| start + Duration::from_millis(milliseconds);
    let mut batch = OpenBatch::default();
    spill(&mut batch, 100, start);
    batch.note(&change(10, 0, Outcome::Sent), after(310));
    assert_eq!(
        batch.room_wait(after(310)),
        Some(STALE),
        "one outcome is no pace yet"
    );
    batch.note(&change(20, 0, Outcome::Sent), after(420));
    assert_eq!(batch.room_wait(after(420)), Some(SHORTEST));
    assert_eq!(batch.occupied(after(420)), 0);
    assert_eq!(batch.room_wait(after(420)), None);
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
