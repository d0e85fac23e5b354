//! The circuit, and what is counted in a row.

use webhook::outcome::Verdict;
use webhook::schedule::{InARow, Outcome, QueueConfig, QueueId};

use crate::desk::{ABSENT, Desk, SENT, ids, queue, seconds, too_fast};

#[test]
fn after_five_failures_one_delivery_at_a_time_at_growing_intervals() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=100);
    fail(&mut desk, 5);
    desk.record();
    let opened = desk.tables.circuits[&QueueId(1)];
    assert_eq!((opened.failures, opened.since), (5, desk.now));
    let next_attempt_at = opened.next_try;
    assert_eq!(
        desk.outcome(1, 1),
        Some(Outcome::Retry { next_attempt_at }),
        "the log says when"
    );
    let mut interval = seconds(16.0);
    for failures in 6..40 {
        let (slept, request) = desk.next();
        assert_eq!(request.deliveries.len(), 1);
        assert!(
            slept >= interval / 2 && slept <= interval,
            "{slept:?} {interval:?}"
        );
        desk.answer(&request, ABSENT);
        desk.record();
        let state = desk.tables.circuits[&QueueId(1)];
        assert_eq!((state.failures, state.since), (failures, opened.since));
        interval = (interval * 2).min(seconds(300.0));
    }
    for id in 11..=100 {
        assert_eq!(desk.row(1, id).delivery.attempts, 0, "it only waited");
    }

    let (_, request) = desk.next();
    desk.answer(&request, SENT);
    desk.record();
    assert!(desk.tables.circuits.is_empty());
    let mut sizes = Vec::new();
    while !desk.row(1, 100).sent() {
        let request = desk.one();
        sizes.push(request.deliveries.len());
        desk.answer(&request, SENT);
        desk.record();
    }
    assert!(sizes.iter().filter(|size| **size == 10).count() >= 8, "{sizes:?}");
}

#[test]
fn an_open_circuit_outlives_a_crash() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=100);
    fail(&mut desk, 8);
    desk.record();
    let state = desk.tables.circuits[&QueueId(1)];
    desk.crash();
    let (_, request) = desk.next();
    assert_eq!((desk.now, request.deliveries.len()), (state.next_try, 1));
    desk.answer(&request, ABSENT);
    desk.record();
    assert_eq!(desk.tables.circuits[&QueueId(1)].failures, 9);
}

/// It is not there `times` in a row.
fn fail(desk: &mut Desk, times: usize) {
    for _ in 0..times {
        let (_, request) = desk.next();
        desk.answer(&request, ABSENT);
    }
}

/// A worker comes and goes with each event.
#[test]
fn what_is_counted_in_a_row_outlives_the_worker() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=100);
    for failures in 1..=7 {
        let (_, request) = desk.next();
        desk.answer(&request, ABSENT);
        desk.record();
        assert_eq!(desk.tables.in_a_row[&QueueId(1)].failures, failures);
        assert_eq!(desk.tables.circuits.contains_key(&QueueId(1)), failures >= 5);
        desk.crash();
    }
    let (_, request) = desk.next();
    assert_eq!(request.deliveries.len(), 1);
    desk.answer(&request, SENT);
    desk.record();
    assert_eq!(desk.tables.in_a_row[&QueueId(1)], InARow::default());
}

#[test]
fn an_endpoint_that_is_never_content_is_not_hammered_by_workers_that_come_and_go() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    let start = desk.now;
    for _ in 0..100 {
        let (_, request) = desk.next();
        desk.answer(&request, too_fast(seconds(0.0)));
        desk.record();
        desk.crash();
    }
    assert!(desk.now.duration_since(start) > jiff::SignedDuration::from_secs(90));
}

#[test]
fn a_new_revision_closes_the_circuit() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=30);
    desk.break_down(6);
    desk.nothing_leaves();
    desk.scheduler.configure(
        vec![QueueConfig {
            revision: 1,
            ..queue(1)
        }],
        desk.now,
    );
    let (slept, request) = desk.next();
    assert!(slept <= seconds(32.0), "the first row has its own time still");
    desk.answer(&request, SENT);
    while !desk.row(1, 10).sent() {
        let (_, request) = desk.next();
        desk.answer(&request, SENT);
        desk.record();
    }
    assert_eq!(desk.one().deliveries.len(), 10);
}

#[test]
fn rate_limits_neither_open_nor_close_a_circuit() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=30);
    for _ in 0..10 {
        let (_, request) = desk.next();
        desk.answer(&request, too_fast(seconds(1.0)));
    }
    desk.record();
    assert!(desk.tables.circuits.is_empty());
    desk.break_down(5);
    let (_, request) = desk.next();
    desk.answer(&request, too_fast(seconds(1.0)));
    desk.record();
    assert_eq!(desk.tables.circuits[&QueueId(1)].failures, 5);
    assert_eq!(desk.next().1.deliveries.len(), 1);
}

#[test]
fn a_person_can_have_it_tried_now() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=30);
    desk.break_down(7);
    desk.nothing_leaves();
    try_now(&mut desk);
    assert_eq!(desk.one().deliveries.len(), 1);
}

/// A person makes all that waits for the queue due.
fn try_now(desk: &mut Desk) {
    desk.record();
    let rows = desk.tables.rows.get_mut(&QueueId(1)).unwrap();
    for row in rows.values_mut() {
        row.delivery.next_attempt_at = None;
    }
    desk.scheduler.retry_now([QueueId(1)]);
}

#[test]
fn a_person_may_disturb_an_endpoint_that_does_not_work_but_not_one_that_limits_the_rate() {
    let asked = seconds(3_600.0);
    for (answer, disturbed) in [
        (Verdict::Retry { wait: Some(asked) }, true),
        (too_fast(asked), false),
    ] {
        let mut desk = Desk::new([queue(1)]);
        desk.write(1, 1..=3);
        let request = desk.one();
        desk.answer(&request, answer);
        desk.nothing_leaves();
        try_now(&mut desk);
        assert_eq!(desk.leaving().len(), usize::from(disturbed), "{answer:?}");
    }
}

#[test]
fn trying_now_leaves_a_request_in_flight_alone() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=30);
    let request = desk.one();
    desk.scheduler.retry_now([QueueId(1)]);
    desk.nothing_leaves();
    assert_eq!(desk.scheduler.buffered(), 10);
    desk.answer(&request, SENT);
    assert_eq!(ids(&desk.one()), (11..=20).collect::<Vec<_>>());
}
