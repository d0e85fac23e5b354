//! Back-off, giving up, expiry.

use std::time::Duration;

use webhook::outcome::Verdict;
use webhook::schedule::{DeliveryId, Outcome, Policy, QueueConfig, QueueId};

use crate::desk::{ABSENT, BROKEN, Desk, SENT, ids, queue, seconds};
use crate::glue::turn;

#[test]
fn a_retry_keeps_its_place() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    let request = desk.one();
    desk.write(1, [2]);
    desk.answer(&request, BROKEN);
    let (slept, request) = desk.next();
    assert!(slept <= seconds(1.0));
    assert_eq!(ids(&request)[0], 1);
    assert_eq!(desk.row(1, 1).delivery.attempts, 1);
}

#[test]
fn back_off_doubles_with_jitter() {
    let mut longest = [Duration::ZERO; 4];
    for seed in 0..50 {
        let mut desk = Desk::new([queue(1)]);
        desk.scheduler = webhook::schedule::Scheduler::new(Policy::default(), seed);
        desk.scheduler.configure(vec![queue(1)], desk.now);
        desk.write(1, [1]);
        let request = desk.one();
        desk.answer(&request, BROKEN);
        for longest in &mut longest {
            let (slept, request) = desk.next();
            *longest = slept.max(*longest);
            desk.answer(&request, BROKEN);
        }
    }
    for (longest, ceiling) in longest.iter().zip([1.0, 2.0, 4.0, 8.0]) {
        assert!(
            *longest <= seconds(ceiling) && *longest > seconds(ceiling * 0.8),
            "{longest:?} {ceiling}"
        );
    }
}

/// For almost as long as deliveries live, and for whatever reason that is not the message's: nothing is lost, it is tried at
/// least every five minutes, and when it is over everything leaves at once, in its order and in whole messages.
#[test]
fn an_outage_loses_nothing() {
    for how in [ABSENT, BROKEN] {
        for hours in [0.03, 1.0, 23.0] {
            let mut desk = Desk::new([queue(1)]);
            let over = desk.now + seconds(hours * 3600.0);
            desk.write(1, 1..=30);
            let (mut written, mut probes) = (30, 0);
            while desk.now < over {
                for request in desk.leaving() {
                    desk.answer(&request, how);
                    probes += 1;
                }
                desk.record();
                let wake = desk.scheduler.next_wake().unwrap();
                assert!(wake <= desk.now + seconds(300.0), "tried too seldom");
                desk.now = wake.max(desk.now);
                written += 1;
                desk.write(1, [written]);
            }
            let most = 20 + (hours * 3600.0 / 150.0) as i64;
            assert!((5..most).contains(&probes), "{probes} in {hours} h");
            let mut arrived = Vec::new();
            let mut messages = 0;
            while desk.tables.unfinished(QueueId(1)).count() > 0 {
                let before = desk.now;
                let (slept, request) = desk.next();
                assert!(slept.is_zero() || messages == 0, "{slept:?} after {before}");
                desk.answer(&request, SENT);
                desk.record();
                arrived.extend(ids(&request));
                messages += 1;
            }
            assert!(arrived.iter().copied().eq(1..=written), "{arrived:?}");
            // Those that went alone in between did so to find out whether one of them was to blame.
            assert!(messages <= written / 10 + 12, "{messages} for {written}");
        }
    }
}

/// Whether it is down or somebody else answers in its place, what waits is told apart from what makes it fail.
#[test]
fn a_message_that_makes_the_endpoint_fail_is_found_out_and_given_up() {
    for max_attempts in [0, 1, 3, 8] {
        let policy = Policy {
            max_attempts,
            ..Policy::default()
        };
        let mut desk = Desk::with(policy, [queue(1)]);
        desk.write(1, 1..=3);
        let mut failed = 0;
        while desk.tables.unfinished(QueueId(1)).count() > 0 {
            let (_, request) = desk.next();
            let bad = ids(&request).contains(&1);
            failed += i64::from(bad);
            desk.answer(&request, if bad { BROKEN } else { SENT });
            desk.record();
        }
        let row = desk.row(1, 1).last.clone().unwrap();
        assert_eq!((row.outcome, row.status_code), (Outcome::Failed, Some(500)));
        assert_eq!(i64::from(row.attempts), failed);
        assert!(row.attempts > max_attempts, "{row:?}");
        assert!(row.attempts <= max_attempts.max(3) + 1, "{row:?}");
        assert!(desk.row(1, 2).sent() && desk.row(1, 3).sent());
    }
}

/// What has nothing behind it that could show that the endpoint works is in nobody's way.
#[test]
fn a_single_message_is_tried_until_it_is_too_old() {
    for how in [ABSENT, BROKEN] {
        let mut desk = Desk::new([queue(1)]);
        desk.write(1, [1]);
        let end = desk.now + seconds(86_400.0);
        while desk.tables.unfinished(QueueId(1)).count() > 0 {
            assert!(desk.now <= end + seconds(300.0));
            for request in desk.leaving() {
                desk.answer(&request, how);
            }
            desk.record();
            if let Some(wake) = desk.scheduler.next_wake() {
                desk.now = wake.max(desk.now);
            }
        }
        let row = desk.row(1, 1);
        assert!(row.error().unwrap().starts_with("expired"), "{row:?}");
        assert!(row.delivery.attempts > 280);
    }
}

/// If the endpoint takes the second message when it had not taken the first, and then the first one too, nothing is lost.
#[test]
fn nobody_is_given_up_who_is_taken_in_the_end() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=3);
    loop {
        let (_, request) = desk.next();
        if ids(&request) == [2] {
            desk.answer(&request, SENT);
            break;
        }
        desk.answer(&request, BROKEN);
        desk.record();
    }
    let (slept, request) = desk.next();
    assert_eq!((slept, ids(&request)), (Duration::ZERO, vec![1]));
    desk.answer(&request, SENT);
    let (slept, request) = desk.next();
    assert_eq!((slept, ids(&request)), (Duration::ZERO, vec![3]));
}

/// The network's failures are nobody's fault, however many there are.
#[test]
fn what_no_answer_was_about_is_never_doubted() {
    let mut desk = Desk::with(
        Policy {
            max_attempts: 1,
            ..Policy::default()
        },
        [queue(1)],
    );
    desk.write(1, 1..=30);
    for _ in 0..40 {
        let (_, request) = desk.next();
        assert_eq!(ids(&request)[0], 1);
        desk.answer(&request, ABSENT);
    }
    let (_, request) = desk.next();
    desk.answer(&request, SENT);
    assert_eq!(ids(&request), [1]);
    assert_eq!(desk.one().deliveries.len(), 10, "they need not go alone");
}

/// An endpoint that fails is left alone for as long as it asks, within reason; who answers in its place is not heard.
#[test]
fn nobody_asks_for_a_day_by_failing() {
    for wait in [299, 301, 4_000, 86_400] {
        let asked = Duration::from_secs(wait);
        let wait = Some(asked);
        for (how, most) in [
            (Verdict::Retry { wait }, 3_600.0),
            (Verdict::Unavailable { wait }, 300.0),
        ] {
            let mut desk = Desk::new([queue(1)]);
            desk.write(1, [1]);
            let request = desk.one();
            desk.answer(&request, how);
            assert_eq!(desk.next().0, asked.min(seconds(most)));
        }
    }
}

#[test]
fn attempts_and_their_times_outlive_a_crash() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    desk.break_down(4);
    desk.record();
    let Some(Outcome::Retry { next_attempt_at }) = desk.row(1, 1).outcome() else {
        panic!()
    };
    desk.crash();
    let (_, request) = desk.next();
    assert_eq!(desk.now, next_attempt_at);
    desk.answer(&request, BROKEN);
    desk.record();
    assert_eq!(desk.row(1, 1).delivery.attempts, 5);
}

#[test]
fn an_event_that_makes_the_endpoint_fail_does_not_take_its_neighbours_along() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=20);
    while desk.row(1, 20).outcome().is_none() {
        let (_, request) = desk.next();
        let how = if ids(&request).contains(&7) { BROKEN } else { SENT };
        desk.answer(&request, how);
        desk.record();
    }
    for id in 1..=20 {
        assert_eq!(desk.row(1, id).sent(), id != 7, "{id}");
    }
}

#[test]
fn what_has_failed_twice_goes_alone_whoever_stands_beside_it() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [2]);
    desk.break_down(2);
    desk.write(1, [3, 4]);
    assert_eq!(ids(&desk.next().1), [2]);
    desk.crash();
    desk.write(1, [1]);
    desk.pass(seconds(10.0));
    let request = desk.one();
    assert_eq!(ids(&request), [1]);
    desk.answer(&request, SENT);
    let request = desk.one();
    assert_eq!(ids(&request), [2]);
    desk.answer(&request, SENT);
    assert_eq!(ids(&desk.one()), [3, 4]);
}

#[test]
fn what_is_not_due_does_not_leave_with_what_is() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [2]);
    let request = desk.one();
    desk.answer(
        &request,
        Verdict::Retry {
            wait: Some(seconds(60.0)),
        },
    );
    desk.record();
    desk.crash();
    desk.write(1, [1]);
    assert_eq!(ids(&desk.one()), [1]);
}

#[test]
fn what_is_too_old_fails_without_a_request() {
    for (max_age, of_queue) in [(3600, None), (1, Some(3600))] {
        let policy = Policy {
            max_age: Duration::from_secs(max_age),
            ..Policy::default()
        };
        let config = QueueConfig {
            max_age: of_queue.map(Duration::from_secs),
            ..queue(1)
        };
        let mut desk = Desk::with(policy, [config]);
        desk.write(1, 1..=1000);
        desk.pass(seconds(3000.0));
        desk.write(1, [1001, 1002]);
        desk.pass(seconds(601.0));
        assert_eq!(ids(&desk.one()), [1001, 1002]);
        let row = desk.row(1, 1000);
        let error = row.error().unwrap();
        assert_eq!(row.outcome(), Some(Outcome::Failed));
        assert!(error.starts_with("expired") && error.contains("1h"), "{error}");
        assert_eq!(desk.scheduler.buffered(), 2);
    }
}

#[test]
fn what_stands_behind_the_expired_still_waits_for_its_time() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, [1]);
    desk.pass(seconds(90_000.0));
    desk.write(1, [2]);
    let rows = desk.tables.rows.get_mut(&QueueId(1)).unwrap();
    let second = rows.get_mut(&DeliveryId(2)).unwrap();
    second.delivery.next_attempt_at = Some(desk.now + seconds(60.0));
    let (slept, request) = desk.next();
    assert_eq!((slept, ids(&request)), (seconds(60.0), vec![2]));
}

#[test]
fn the_expired_have_to_be_recorded_before_more_is_read() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=100);
    desk.pass(seconds(90_000.0));
    let turn = turn(&mut desk.scheduler, &mut desk.tables, desk.now, 10);
    assert_eq!((turn.claimed, turn.requests.len()), (1, 0));
    assert!(desk.scheduler.has_changes());
    assert_eq!(desk.scheduler.claims(desk.now), []);
    desk.record();
    assert_eq!(desk.scheduler.claims(desk.now).len(), 1);
}

#[test]
fn an_outage_of_a_day_floods_nobody() {
    let mut desk = Desk::new([queue(1)]);
    let end = desk.now + seconds(30.0 * 3600.0);
    let (mut id, mut requests) = (0, 0);
    while desk.now < end {
        id += 1;
        desk.write(1, [id]);
        desk.pass(seconds(60.0));
        for request in desk.leaving() {
            desk.answer(&request, ABSENT);
            requests += 1;
        }
    }
    let (_, request) = desk.next();
    desk.answer(&request, SENT);
    desk.record();
    let rows = &desk.tables.rows[&QueueId(1)];
    let expired = rows
        .values()
        .filter(|row| row.error().is_some_and(|error| error.starts_with("expired")))
        .count();
    assert!(
        (300..=480).contains(&expired),
        "six hours' worth, but for those that were tried: {expired}"
    );
    assert!(
        requests < 30 * 24 + 10,
        "one in two and a half minutes at most: {requests}"
    );
}
