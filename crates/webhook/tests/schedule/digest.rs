//! Webhooks that collect: one message at its time.

use std::time::Duration;

use webhook::digest::Digest;
use webhook::schedule::{Outcome, QueueConfig};

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
    desk.write(1, 1..=2_500);
    let (slept, request) = desk.next();
    assert_eq!((slept, request.deliveries.len()), (60 * MINUTE, 2_000));
    desk.answer(&request, SENT);
    let (slept, request) = desk.next();
    assert_eq!((slept, request.deliveries.len()), (seconds(0.0), 500));
}
