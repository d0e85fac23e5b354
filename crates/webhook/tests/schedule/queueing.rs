//! Order, coalescing, reading rows, configuration, shutdown.

use webhook::outcome::Verdict;
use webhook::schedule::{Outcome, Policy, QueueConfig, QueueId};

use crate::desk::{BROKEN, Desk, SENT, ids, queue, seconds};
use crate::glue::turn;

#[test]
fn an_idle_queue_sends_at_once() {
    let mut desk = Desk::new([queue(1)]);
    desk.nothing_leaves();
    assert_eq!(desk.scheduler.next_wake(), None);
    desk.write(1, [1]);
    let request = desk.one();
    assert_eq!(
        (ids(&request), request.body.as_slice()),
        (vec![1], b"1".as_slice())
    );
    desk.answer(&request, SENT);
    assert_eq!(desk.outcome(1, 1), Some(Outcome::Sent));
    let row = desk.row(1, 1).last.clone().unwrap();
    assert_eq!(
        (row.at, row.attempts, row.status_code, row.error),
        (desk.now, 0, Some(200), None)
    );
    assert_eq!(desk.scheduler.next_wake(), None);
    assert_eq!(desk.scheduler.buffered(), 0);
}

#[test]
fn one_request_in_flight_then_all_that_waits_as_one() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    let first = desk.one();
    desk.write(1, 2..=13);
    desk.nothing_leaves();
    desk.answer(&first, SENT);
    let second = desk.one();
    assert_eq!(ids(&second), (2..=11).collect::<Vec<_>>());
    desk.answer(&second, SENT);
    let third = desk.one();
    assert_eq!(ids(&third), [12, 13]);
    desk.answer(&third, SENT);
    assert_eq!(desk.outcome(1, 13), Some(Outcome::Sent));
}

#[test]
fn coalescing_can_be_turned_off_and_is_bounded_by_the_format() {
    for (max_events_per_message, room, expected) in [(1, 9, 1), (0, 9, 1), (10, 3, 3), (4, 9, 4), (4, 0, 1)] {
        let mut desk = Desk::new([QueueConfig {
            max_events_per_message,
            ..queue(1)
        }]);
        desk.room = room;
        desk.write(1, 1..=20);
        assert_eq!(desk.one().deliveries.len(), expected);
    }
}

#[test]
fn whole_messages_are_read() {
    for max_buffered in [135, 10_000] {
        let policy = Policy {
            max_buffered,
            ..Policy::default()
        };
        let mut desk = Desk::with(policy, [queue(1)]);
        desk.write(1, 1..=1000);
        for _ in 0..100 {
            let request = desk.one();
            assert_eq!(request.deliveries.len(), 10);
            desk.answer(&request, SENT);
        }
        desk.nothing_leaves();
    }
}

#[test]
fn rows_that_commit_late_still_go_in_order_when_they_are_seen_together() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [5]);
    let request = desk.one();
    desk.write(1, [9, 7, 3]);
    desk.answer(&request, SENT);
    assert_eq!(ids(&desk.one()), [3, 7, 9]);
}

#[test]
fn a_queue_is_read_again_only_after_its_changes_are_taken() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    let request = desk.one();
    desk.write(1, [2]);
    desk.answer(&request, SENT);
    assert_eq!(desk.scheduler.claims(desk.now), []);
    assert!(desk.scheduler.has_changes());
    desk.record();
    assert_eq!(desk.scheduler.claims(desk.now).len(), 1);
}

#[test]
fn a_write_between_claim_and_supply_is_not_missed() {
    let mut desk = Desk::new([queue(1)]);
    assert_eq!(desk.scheduler.claims(desk.now).len(), 1);
    desk.write(1, [1]);
    desk.scheduler.supply(QueueId(1), Vec::new(), desk.now);
    assert_eq!(ids(&desk.one()), [1]);
}

#[test]
fn a_queue_reconfigured_between_claim_and_supply_is_read_again() {
    let mut desk = Desk::new([queue(1)]);
    assert_eq!(desk.scheduler.claims(desk.now).len(), 1);
    desk.tables.write(QueueId(1), 1, desk.now);
    let max_events_per_message = 3;
    desk.scheduler.configure(
        vec![QueueConfig {
            max_events_per_message,
            ..queue(1)
        }],
        desk.now,
    );
    desk.scheduler.supply(QueueId(1), Vec::new(), desk.now);
    assert_eq!(ids(&desk.one()), [1]);
}

/// Sends all of a queue's rows, each answer `delay` after its request; the number of claims, and the most rows held in
/// the second half.
fn send_all(desk: &mut Desk, rows: i64, delay: std::time::Duration) -> (usize, usize) {
    desk.write(1, 1..=rows);
    let (mut claims, mut held) = (0, 0);
    while desk.tables.unfinished(QueueId(1)).count() > 0 {
        let turn = turn(&mut desk.scheduler, &mut desk.tables, desk.now, desk.room);
        claims += turn.claimed;
        for request in turn.requests {
            if request.deliveries[0].0 > rows / 2 {
                held = desk.scheduler.buffered().max(held);
            }
            desk.pass(delay);
            desk.answer(&request, SENT);
        }
    }
    (claims, held)
}

#[test]
fn a_fast_queue_reads_large_pages_and_a_slow_one_small_ones() {
    let (claims, _) = send_all(&mut Desk::new([queue(1)]), 10_000, seconds(0.001));
    assert!(claims <= 30, "{claims}");
    let mut desk = Desk::new([queue(1)]);
    send_all(&mut desk, 2_000, seconds(0.001));
    for row in desk.tables.rows.get_mut(&QueueId(1)).unwrap().values() {
        assert!(row.sent());
    }
    desk.tables.rows.clear();
    let (_, held) = send_all(&mut desk, 2_000, seconds(1.0));
    assert!(held <= 40, "{held}");
}

#[test]
fn some_rows_are_kept_for_who_comes_next() {
    let policy = Policy {
        max_buffered: 20,
        ..Policy::default()
    };
    let mut desk = Desk::with(policy, [queue(1), queue(2)]);
    desk.nothing_leaves();
    desk.write(1, 1..=100);
    assert_eq!(desk.one().queue.0, 1);
    desk.write(2, [1]);
    assert_eq!(desk.one().queue.0, 2);
}

#[test]
fn rows_of_a_slow_queue_stay_in_the_database() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=100);
    let request = desk.one();
    assert!(desk.scheduler.buffered() > 10);
    desk.answer(&request, crate::desk::too_fast(seconds(60.0)));
    desk.nothing_leaves();
    assert_eq!(desk.scheduler.buffered(), 0);
    let (slept, request) = desk.next();
    assert_eq!((slept, ids(&request)), (seconds(60.0), (1..=10).collect()));
}

#[test]
fn memory_is_bounded_and_shared() {
    let policy = Policy {
        max_buffered: 100,
        max_in_flight: 4,
        ..Policy::default()
    };
    let mut desk = Desk::with(policy, (1..=8).map(queue));
    for id in 1..=8 {
        desk.write(id, 1..=1000);
    }
    let mut seen = std::collections::BTreeSet::new();
    let mut flying = std::collections::VecDeque::new();
    for _ in 0..100 {
        flying.extend(desk.leaving());
        assert!(desk.scheduler.buffered() <= 100 && flying.len() <= 4);
        let request = flying.pop_front().unwrap();
        seen.insert(request.queue);
        desk.answer(&request, SENT);
    }
    assert_eq!(seen.len(), 8);
}

#[test]
fn a_queue_that_is_not_configured_any_more_is_forgotten_but_its_answer_recorded() {
    for (answer, outcome) in [(SENT, Outcome::Sent), (Verdict::Gone, Outcome::Failed)] {
        let mut desk = Desk::new([queue(1)]);
        desk.write(1, 1..=12);
        let request = desk.one();
        desk.scheduler.configure(vec![], desk.now);
        desk.answer(&request, answer);
        assert_eq!(desk.outcome(1, 10), Some(outcome));
        assert_eq!(desk.outcome(1, 11), None);
        assert!(desk.tables.switched_off.is_empty());
        desk.nothing_leaves();
        assert_eq!((desk.scheduler.buffered(), desk.scheduler.next_wake()), (0, None));
    }
}

#[test]
fn a_queue_that_returns_while_its_request_is_in_flight_has_one_in_flight() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=12);
    let request = desk.one();
    desk.scheduler.configure(vec![], desk.now);
    desk.scheduler.configure(vec![queue(1)], desk.now);
    desk.nothing_leaves();
    desk.answer(&request, SENT);
    assert_eq!(ids(&desk.one()), [11, 12]);
}

#[test]
fn a_queue_that_returns_before_its_changes_are_taken_waits_for_them() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=12);
    let request = desk.one();
    desk.scheduler.configure(vec![], desk.now);
    desk.answer(&request, SENT);
    desk.scheduler.configure(vec![queue(1)], desk.now);
    assert_eq!(desk.scheduler.claims(desk.now), []);
    assert_eq!(ids(&desk.one()), [11, 12]);
}

#[test]
fn what_an_old_url_had_against_deliveries_does_not_count_for_the_new_one() {
    for answer in [BROKEN, Verdict::Gone, Verdict::Forbidden, crate::desk::REFUSED] {
        let mut desk = Desk::new([queue(1)]);
        desk.write(1, 1..=3);
        let request = desk.one();
        desk.scheduler.configure(
            vec![QueueConfig {
                revision: 1,
                ..queue(1)
            }],
            desk.now,
        );
        desk.answer(&request, answer);
        assert_eq!(ids(&desk.one()), [1, 2, 3]);
        assert_eq!(desk.outcome(1, 1), None);
        assert!(desk.tables.switched_off.is_empty());
    }
}

#[test]
fn settings_of_a_queue_hold_at_once() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=30);
    let request = desk.one();
    desk.scheduler.configure(
        vec![QueueConfig {
            max_events_per_message: 2,
            ..queue(1)
        }],
        desk.now,
    );
    desk.answer(&request, SENT);
    assert_eq!(ids(&desk.one()), [11, 12]);
}

#[test]
fn draining_lets_nothing_out_and_records_what_comes_in() {
    let mut desk = Desk::new([queue(1), queue(2)]);
    desk.write(1, 1..=12);
    let request = desk.one();
    desk.write(2, [1]);
    desk.scheduler.drain();
    desk.nothing_leaves();
    assert_eq!(
        (desk.scheduler.in_flight(), desk.scheduler.next_wake()),
        (1, None)
    );
    desk.answer(&request, SENT);
    assert_eq!(desk.outcome(1, 10), Some(Outcome::Sent));
    desk.nothing_leaves();
    assert_eq!(desk.scheduler.in_flight(), 0);
}

#[test]
fn answers_that_nobody_asked_for_change_nothing() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    let request = desk.one();
    desk.answer(&request, SENT);
    desk.answer(&request, Verdict::Gone);
    assert_eq!(desk.outcome(1, 1), Some(Outcome::Sent));
    assert!(desk.tables.switched_off.is_empty());
}
