//! Endpoints that cannot be reached, by one way out or by all of them.

use jiff::SignedDuration;
use webhook::outcome::Verdict;
use webhook::schedule::Outcome;

use crate::desk::{Desk, SENT, queue, seconds};
use crate::ways::{A, B, name, ways_of};

#[test]
fn what_cannot_be_reached_by_one_way_goes_by_the_other_at_once() {
    let mut desk = Desk::new((1..=30).map(queue));
    name(&mut desk, &[A, B]);
    let first = ways_of(&mut desk, 30, 1);
    let mut tried = 0;
    for event in 2..=5 {
        for id in 1..=30 {
            desk.write(id, [event]);
        }
        while let Some(requests) = desk.some_leaving() {
            for request in requests {
                let dead = request.way == A;
                tried += usize::from(dead);
                desk.answer(&request, if dead { Verdict::Unreached } else { SENT });
            }
        }
    }
    desk.record();
    for id in 1..=30 {
        for event in 1..=5 {
            let row = desk.row(id, event);
            assert_eq!((row.outcome(), row.delivery.attempts), (Some(Outcome::Sent), 0));
        }
    }
    // All that were in flight at the time, and no more.
    let of_a = first.values().filter(|way| **way == A).count();
    assert!((3..=of_a).contains(&tried), "{tried} of {of_a}");
    // It is tried by one request at a time, and when it leads somewhere again, all come back.
    desk.pass(seconds(301.0));
    let mut probes = 0;
    for id in 1..=30 {
        desk.write(id, [6]);
    }
    while let Some(requests) = desk.some_leaving() {
        let by_a = requests.iter().filter(|request| request.way == A).count();
        probes = probes.max(by_a);
        for request in requests {
            desk.answer(&request, SENT);
        }
        desk.record();
    }
    assert_eq!(probes, 1);
    assert_eq!(first, ways_of(&mut desk, 30, 7));
}

#[test]
fn a_single_webhook_leaves_a_way_that_is_dead_and_comes_back() {
    let mut desk = Desk::new([queue(1)]);
    name(&mut desk, &[A, B]);
    desk.write(1, [1]);
    let own = desk.one();
    desk.answer(&own, SENT);
    for event in 2..=9 {
        desk.write(1, [event]);
        let mut request = desk.one();
        if event == 2 {
            assert_eq!(request.way, own.way);
            desk.answer(&request, Verdict::Unreached);
            request = desk.one();
        }
        assert_ne!(request.way, own.way);
        desk.answer(&request, SENT);
        desk.record();
        desk.pass(seconds(30.0));
    }
    desk.pass(seconds(100.0));
    desk.write(1, [10]);
    assert_eq!(desk.one().way, own.way);
}

/// What no way leads to is tried as if there were one.
#[test]
fn an_endpoint_that_is_dead_fails_by_all_ways_and_once() {
    let mut desk = Desk::new([queue(1)]);
    name(&mut desk, &[A, B]);
    desk.write(1, [1]);
    for attempts in 1..=4 {
        let (_, first) = desk.next();
        desk.answer(&first, Verdict::Unreached);
        let second = desk.one();
        assert_ne!(first.way, second.way);
        desk.answer(&second, Verdict::Unreached);
        desk.nothing_leaves();
        let row = desk.row(1, 1);
        assert!(matches!(row.outcome(), Some(Outcome::Retry { .. })));
        assert_eq!(row.delivery.attempts, attempts);
    }
}

#[test]
fn when_all_ways_are_dead_each_is_still_tried() {
    let mut desk = Desk::new((1..=6).map(queue));
    name(&mut desk, &[A, B]);
    for id in 1..=6 {
        desk.write(id, [1]);
    }
    let start = desk.now;
    while desk.now.duration_since(start) < SignedDuration::from_mins(30) {
        for request in desk.leaving() {
            desk.answer(&request, Verdict::Unreached);
        }
        desk.record();
        desk.now = desk.scheduler.next_wake().unwrap().max(desk.now);
    }
    for _ in 0..1_000 {
        for request in desk.leaving() {
            let works = request.way == B;
            desk.answer(&request, if works { SENT } else { Verdict::Unreached });
        }
        desk.record();
        match desk.scheduler.next_wake() {
            Some(wake) => desk.now = wake.max(desk.now),
            None => break,
        }
    }
    for id in 1..=6 {
        assert_eq!(desk.row(id, 1).outcome(), Some(Outcome::Sent));
    }
}
