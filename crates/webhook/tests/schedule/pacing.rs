//! Pauses: those that answers ask for, intervals, quiet hours.

use webhook::outcome::{Judgement, Verdict};
use webhook::schedule::{Outcome, QueueConfig, QueueId};

use crate::desk::{BROKEN, Desk, SENT, discord, ids, queue, seconds, too_fast, verdict};
use crate::parks::global;

#[test]
fn an_announced_pause_is_kept() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=11);
    let request = desk.one();
    desk.judge(
        &request,
        &Judgement {
            pause: Some(seconds(1.25)),
            ..verdict(SENT)
        },
    );
    let (slept, request) = desk.next();
    assert_eq!((slept, ids(&request)), (seconds(1.25), vec![11]));
}

#[test]
fn a_pause_holds_for_rows_that_come_later() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    let request = desk.one();
    desk.judge(
        &request,
        &Judgement {
            pause: Some(seconds(2.0)),
            ..verdict(SENT)
        },
    );
    desk.nothing_leaves();
    desk.pass(seconds(0.5));
    desk.write(1, [2]);
    assert_eq!(desk.next().0, seconds(1.5));
}

#[test]
fn another_url_need_not_wait_for_the_old_ones_pause() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    let request = desk.one();
    let pause = Some(seconds(3600.0));
    desk.judge(
        &request,
        &Judgement {
            pause,
            ..verdict(SENT)
        },
    );
    desk.write(1, [2]);
    desk.nothing_leaves();
    let revision = 1;
    desk.scheduler
        .configure(vec![QueueConfig { revision, ..queue(1) }], desk.now);
    assert_eq!(ids(&desk.one()), [2]);
}

#[test]
fn rate_limited_waits_exactly_and_is_no_attempt() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    let request = desk.one();
    desk.answer(&request, too_fast(seconds(0.345)));
    let at = desk.now + seconds(0.345);
    assert_eq!(desk.outcome(1, 1), Some(Outcome::Waiting { next_attempt_at: at }));
    let row = desk.row(1, 1).last.clone().unwrap();
    assert_eq!(
        (row.attempts, row.status_code, row.error.as_deref()),
        (0, Some(429), Some("too fast"))
    );
    let (slept, request) = desk.next();
    assert_eq!(slept, seconds(0.345));
    desk.answer(&request, SENT);
    assert_eq!(desk.outcome(1, 1), Some(Outcome::Sent));
}

/// An endpoint that goes on answering so is not asked every few milliseconds.
#[test]
fn three_short_waits_in_a_row_are_taken_literally() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    let mut request = desk.one();
    let mut waits = Vec::new();
    for _ in 0..5 {
        desk.answer(&request, too_fast(seconds(0.02)));
        let (slept, next) = desk.next();
        waits.push(slept);
        request = next;
    }
    assert_eq!(waits, [0.02, 0.02, 0.02, 1.0, 1.0].map(seconds));
    desk.answer(&request, SENT);
    desk.write(1, [2]);
    request = desk.one();
    desk.answer(&request, too_fast(seconds(0.02)));
    assert_eq!(desk.next().0, seconds(0.02), "an answer of another kind ends it");
}

#[test]
fn rate_limits_outlive_a_crash() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=20);
    let request = desk.one();
    desk.answer(&request, too_fast(seconds(3.0)));
    desk.record();
    desk.crash();
    let (slept, request) = desk.next();
    assert_eq!((slept, ids(&request)), (seconds(3.0), (1..=10).collect()));
}

#[test]
fn an_endpoint_that_is_never_content_is_not_hammered() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    let start = desk.now;
    for _ in 0..100 {
        let (_, request) = desk.next();
        desk.answer(&request, too_fast(seconds(0.0)));
    }
    assert!(desk.now.duration_since(start) > jiff::SignedDuration::from_secs(90));
}

#[test]
fn a_wait_of_years_is_not_believed() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    let request = desk.one();
    desk.answer(&request, too_fast(std::time::Duration::MAX));
    desk.nothing_leaves();
    assert_eq!(desk.sleep(), seconds(86_400.0));
}

#[test]
fn min_interval_counts_from_the_answer() {
    let mut desk = Desk::new([QueueConfig {
        min_interval: seconds(2.0),
        ..queue(1)
    }]);
    desk.write(1, 1..=20);
    let request = desk.one();
    desk.pass(seconds(1.0));
    desk.answer(&request, SENT);
    assert_eq!(desk.next().0, seconds(2.0));
}

#[test]
fn a_shorter_interval_holds_for_what_waits_already() {
    let patient = QueueConfig {
        min_interval: seconds(3600.0),
        ..queue(1)
    };
    let mut desk = Desk::new([patient]);
    desk.write(1, 1..=20);
    let request = desk.one();
    desk.answer(&request, SENT);
    desk.nothing_leaves();
    let min_interval = seconds(2.0);
    desk.scheduler.configure(
        vec![QueueConfig {
            min_interval,
            ..queue(1)
        }],
        desk.now,
    );
    assert_eq!(desk.next().0, seconds(2.0));
}

#[test]
fn a_clock_set_back_does_not_stretch_a_wait() {
    for how in [
        too_fast(seconds(20.0)),
        Verdict::Retry {
            wait: Some(seconds(20.0)),
        },
    ] {
        let mut desk = Desk::new([queue(1)]);
        desk.write(1, 1..=20);
        let request = desk.one();
        desk.answer(&request, how);
        desk.nothing_leaves();
        desk.now -= seconds(3600.0);
        desk.nothing_leaves();
        let (slept, request) = desk.next();
        assert_eq!((slept, request.deliveries.len()), (seconds(20.0), 10));
    }
}

#[test]
fn what_an_answer_asks_for_is_waited_for_on_failure_too() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    let request = desk.one();
    desk.answer(
        &request,
        Verdict::Retry {
            wait: Some(seconds(77.0)),
        },
    );
    assert_eq!(desk.next().0, seconds(77.0));
    desk.crash();
    let request = desk.one();
    desk.answer(&request, BROKEN);
    assert!(desk.next().0 <= seconds(2.0));
}

/// What comes in the night leaves together in the morning, and does not grow old meanwhile.
#[test]
fn quiet_hours_hold_back_and_let_go_together() {
    let night = QueueConfig {
        quiet_hours: Some("22:00-07:00 Europe/Berlin".parse().unwrap()),
        max_age: Some(seconds(3600.0)),
        ..queue(1)
    };
    let mut desk = Desk::new([night, queue(2)]);
    desk.now = "2027-01-15T20:59:00Z".parse().unwrap();
    desk.write(1, [1]);
    let request = desk.one();
    assert_eq!(ids(&request), [1]);
    desk.pass(seconds(60.0));
    desk.answer(&request, SENT);
    desk.write(1, [2]);
    desk.write(2, [3]);
    assert_eq!(ids(&desk.one()), [3], "others have no quiet hours");
    desk.pass(seconds(6.0 * 3600.0));
    desk.write(1, [4, 5]);
    desk.nothing_leaves();
    let (_, request) = desk.next();
    assert_eq!(desk.now, "2027-01-16T06:00:00Z".parse().unwrap());
    assert_eq!(ids(&request), [2, 4, 5]);
}

/// What a person wants tried is, whatever it was told to wait for; its delivery is due then, as the caller has written.
#[test]
fn a_queue_that_is_resumed_forgets_its_own_limit_and_that_of_all() {
    let mut desk = Desk::new([queue(1), discord(2), discord(3), queue(4)]);
    for (id, limit) in [(1, too_fast(std::time::Duration::MAX)), (2, global(86_400.0))] {
        desk.write(id, [1]);
        let request = desk.one();
        desk.answer(&request, limit);
    }
    desk.record();
    desk.write(3, [1]);
    desk.nothing_leaves();
    for id in [1, 2] {
        let rows = desk.tables.rows.get_mut(&QueueId(id)).unwrap();
        rows.values_mut()
            .for_each(|row| row.delivery.next_attempt_at = None);
    }
    assert!(!desk.scheduler.resume([QueueId(1)]));
    assert_eq!(desk.one().queue.0, 1);
    assert!(desk.scheduler.resume([QueueId(2)]));
    let mut queues: Vec<i64> = desk.leaving().iter().map(|request| request.queue.0).collect();
    queues.sort();
    assert_eq!(queues, [2, 3]);
}

/// A person has resumed a webhook of another database: all of Discord is tried here too, but not what was told to wait by itself.
#[test]
fn a_park_that_ends_for_all_leaves_a_queues_own_limit() {
    let mut desk = Desk::new([discord(1), discord(2), discord(3)]);
    for (id, limit) in [(1, too_fast(std::time::Duration::MAX)), (2, global(86_400.0))] {
        desk.write(id, [1]);
        let request = desk.one();
        desk.answer(&request, limit);
    }
    desk.record();
    desk.write(3, [1]);
    desk.nothing_leaves();
    desk.scheduler.unpark_discord();
    assert_eq!(desk.one().queue.0, 3);
}
