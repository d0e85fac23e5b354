//! Webhooks that collect: one message at its time.

use std::time::Duration;

use webhook::digest::Digest;
use webhook::outcome::Verdict;
use webhook::schedule::{Outcome, Policy, QueueConfig, QueueId};

use crate::desk::{ABSENT, BROKEN, Desk, REFUSED, SENT, ids, queue, seconds};

const MINUTE: Duration = Duration::from_secs(60);

fn digest(id: i64, times: &str) -> QueueConfig {
    QueueConfig {
        digest: Some(Digest::parse(times, None).unwrap()),
        ..queue(id)
    }
}

#[test]
fn what_has_gathered_leaves_as_one_message() {
    let mut desk = Desk::new([digest(1, "1 hour")]);
    desk.write(1, 1..=30);
    desk.nothing_leaves();
    desk.pass(20 * MINUTE);
    desk.write(1, 31..=45);
    let (slept, request) = desk.next();
    assert_eq!(slept, 40 * MINUTE);
    assert_eq!(ids(&request), (1..=45).collect::<Vec<_>>());
    desk.answer(&request, SENT);
    assert_eq!(desk.outcome(1, 45), Some(Outcome::Sent));

    // The next one begins with the next event.
    desk.pass(5 * MINUTE);
    desk.write(1, [46]);
    assert_eq!(desk.next().0, 60 * MINUTE);
}

#[test]
fn it_leaves_at_the_times_of_a_clock() {
    // 8:00 UTC on a Friday.
    let mut desk = Desk::new([digest(1, "30 9 * * 1-5"), digest(2, "0 0 * * 1")]);
    desk.write(1, 1..=3);
    let (slept, request) = desk.next();
    assert_eq!((slept, ids(&request)), (90 * MINUTE, vec![1, 2, 3]));
    desk.answer(&request, SENT);
    desk.write(1, [4]);
    let (slept, request) = desk.next();
    assert_eq!(
        (slept, ids(&request)),
        (72 * 60 * MINUTE, vec![4]),
        "over the weekend"
    );
}

#[test]
fn a_worker_that_dies_loses_and_hurries_nothing() {
    let mut desk = Desk::new([digest(1, "1 hour")]);
    desk.write(1, 1..=3);
    desk.nothing_leaves();
    desk.pass(30 * MINUTE);
    desk.crash();
    desk.write(1, [4]);
    let (slept, request) = desk.next();
    assert_eq!((slept, ids(&request)), (30 * MINUTE, vec![1, 2, 3, 4]));
}

#[test]
fn gathering_makes_nothing_older() {
    let mut desk = Desk::new([QueueConfig {
        max_age: Some(10 * MINUTE),
        ..digest(1, "1 day")
    }]);
    desk.write(1, 1..=2);
    let (_, request) = desk.next();
    assert_eq!(ids(&request), [1, 2]);
    desk.answer(&request, ABSENT);
    // From then on it does.
    desk.pass(11 * MINUTE);
    desk.nothing_leaves();
    assert_eq!(desk.outcome(1, 1), Some(Outcome::Failed));
}

#[test]
fn an_outage_leaves_it_whole() {
    let mut desk = Desk::new([digest(1, "1 hour")]);
    desk.write(1, 1..=30);
    let all: Vec<i64> = (1..=30).collect();
    for _ in 0..20 {
        let (_, request) = desk.next();
        assert_eq!(ids(&request), all);
        desk.answer(&request, BROKEN);
    }
    let (_, request) = desk.next();
    assert_eq!(ids(&request), all);
    desk.answer(&request, SENT);
    assert_eq!(desk.outcome(1, 30), Some(Outcome::Sent));
}

#[test]
fn of_a_digest_that_is_refused_only_what_is_to_blame_is_lost() {
    let mut desk = Desk::new([digest(1, "1 hour")]);
    desk.write(1, 1..=16);
    let mut requests = 0;
    loop {
        let (_, request) = desk.next();
        requests += 1;
        let is_bad = ids(&request).contains(&11);
        desk.answer(&request, if is_bad { REFUSED } else { SENT });
        if (1..=16).all(|id| matches!(desk.outcome(1, id), Some(Outcome::Sent | Outcome::Failed))) {
            break;
        }
    }
    let failed: Vec<i64> = (1..=16)
        .filter(|id| desk.outcome(1, *id) == Some(Outcome::Failed))
        .collect();
    assert_eq!(failed, [11]);
    assert!(requests <= 10, "{requests}");
}

#[test]
fn one_that_the_endpoint_breaks_over_is_found_out_in_the_end() {
    let mut desk = Desk::new([digest(1, "1 hour")]);
    desk.write(1, 1..=8);
    for _ in 0..200 {
        let (_, request) = desk.next();
        let is_bad = ids(&request).contains(&3);
        desk.answer(&request, if is_bad { BROKEN } else { SENT });
        if (1..=8).all(|id| matches!(desk.outcome(1, id), Some(Outcome::Sent | Outcome::Failed))) {
            break;
        }
    }
    let sent = (1..=8).filter(|id| desk.outcome(1, *id) == Some(Outcome::Sent));
    assert_eq!(sent.count(), 7);
}

#[test]
fn quiet_hours_hold_for_it_as_well() {
    let mut desk = Desk::new([QueueConfig {
        quiet_hours: Some("08:30-12:00 UTC".parse().unwrap()),
        ..digest(1, "1 hour")
    }]);
    desk.write(1, [1]);
    assert_eq!(desk.next().0, 4 * 60 * MINUTE);
}

#[test]
fn what_is_too_much_for_one_is_the_next_one() {
    let mut desk = Desk::new([digest(1, "0 * * * *")]);
    desk.write(1, 1..=50_010);
    let (slept, request) = desk.next();
    assert_eq!((slept, request.deliveries.len()), (60 * MINUTE, 50_000));
    desk.answer(&request, SENT);
    let (slept, request) = desk.next();
    assert_eq!((slept, request.deliveries.len()), (seconds(0.0), 10));
}

/// There is room for far fewer rows than all of them have.
#[test]
fn each_of_many_is_one_message() {
    let policy = Policy {
        max_buffered: 300,
        ..Policy::default()
    };
    let mut desk = Desk::with(
        policy,
        (1..=12).map(|id| digest(id, "0 * * * *")).chain([queue(99)]),
    );
    for id in 1..=12 {
        desk.write(id, 1..=1_500);
    }
    desk.nothing_leaves();
    desk.pass(60 * MINUTE);
    desk.write(99, 1..=40);
    let mut left = Vec::new();
    loop {
        let requests = desk.leaving();
        if requests.is_empty() && desk.scheduler.next_wake().is_none() {
            break;
        }
        for request in requests {
            left.push((request.queue.0, request.deliveries.len()));
            desk.answer(&request, SENT);
        }
    }
    left.sort_unstable();
    let digests: Vec<_> = left.iter().filter(|(id, _)| *id != 99).copied().collect();
    assert_eq!(digests, (1..=12).map(|id| (id, 1_500)).collect::<Vec<_>>());
    assert_eq!(desk.tables.unfinished(QueueId(99)).count(), 0);
    assert_eq!(desk.scheduler.buffered(), 0);
}

#[test]
fn what_comes_while_it_waits_for_a_connection_is_of_it() {
    let policy = Policy {
        max_in_flight: 1,
        max_slow: 0,
        ..Policy::default()
    };
    let mut desk = Desk::with(policy, [queue(1), digest(2, "1 hour")]);
    desk.write(2, 1..=3);
    desk.nothing_leaves();
    desk.pass(59 * MINUTE);
    desk.write(1, [100]);
    let busy = desk.one();
    desk.pass(2 * MINUTE);
    desk.nothing_leaves();
    desk.write(2, [4]);
    desk.nothing_leaves();
    desk.answer(&busy, SENT);
    let (_, request) = desk.next();
    assert_eq!(ids(&request), [1, 2, 3, 4]);
}

/// While it gathers, only its first row is read, whenever something comes.
#[test]
fn what_gathers_is_read_once() {
    let mut desk = Desk::new([digest(1, "1 hour")]);
    desk.write(1, 1..=2_000);
    desk.nothing_leaves();
    assert!(desk.scheduler.buffered() <= 1);
}

/// What a person makes due by itself leaves with the rest.
#[test]
fn one_that_is_due_before_the_others_takes_them_along() {
    let mut desk = Desk::new([digest(1, "1 hour")]);
    desk.write(1, 1..=3);
    let (_, request) = desk.next();
    desk.answer(&request, BROKEN);
    desk.record();
    let now = desk.now;
    for row in desk.tables.rows.get_mut(&QueueId(1)).unwrap().values_mut() {
        if row.delivery.id.0 > 1 {
            row.delivery.next_attempt_at = Some(now + 60 * MINUTE);
        }
    }
    desk.scheduler.retry_now([QueueId(1)]);
    assert_eq!(ids(&desk.next().1), [1, 2, 3]);
}

/// That is said of the channel, and hours of events are not given up for it.
#[test]
fn one_that_is_forbidden_is_kept() {
    let mut desk = Desk::new([digest(1, "1 hour")]);
    desk.write(1, 1..=30);
    let (_, request) = desk.next();
    desk.answer(&request, Verdict::Forbidden);
    assert!(matches!(desk.outcome(1, 30), Some(Outcome::Retry { .. })));
    desk.write(1, [31]);
    let (slept, request) = desk.next();
    assert!(slept > Duration::ZERO, "not at once");
    assert_eq!(ids(&request), (1..=31).collect::<Vec<_>>());
    desk.answer(&request, SENT);
    assert_eq!(desk.outcome(1, 31), Some(Outcome::Sent));

    desk.write(1, [32]);
    for _ in 0..10 {
        assert_eq!(desk.outcome(1, 32).filter(|it| *it == Outcome::Failed), None);
        let (_, request) = desk.next();
        desk.answer(&request, Verdict::Forbidden);
    }
    assert_eq!(desk.outcome(1, 32), Some(Outcome::Failed));
    assert!(desk.tables.switched_off.contains_key(&QueueId(1)));
}

/// Of rows that were read for a digest only the last ones have their data.
#[test]
fn without_its_digest_its_rows_are_read_again() {
    let mut desk = Desk::new([digest(1, "1 hour")]);
    desk.write(1, 1..=30);
    let (_, request) = desk.next();
    assert_eq!(request.deliveries.len(), 30);
    desk.configs[0].digest = None;
    desk.scheduler.configure(desk.configs.clone(), desk.now);
    desk.answer(&request, BROKEN);
    assert_eq!(desk.scheduler.buffered(), 0);
    assert_eq!(ids(&desk.next().1), (1..=10).collect::<Vec<_>>());
}
