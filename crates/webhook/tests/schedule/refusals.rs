//! Messages that are refused, integrations that are switched off.

use webhook::outcome::Verdict;
use webhook::schedule::{Outcome, QueueConfig, QueueId};

use crate::desk::{ABSENT, BROKEN, Desk, REFUSED, SENT, discord, ids, queue, seconds};

#[test]
fn a_single_event_that_is_refused_fails() {
    for culprit in [None, Some(0), Some(5)] {
        let mut desk = Desk::new([queue(1)]);
        desk.write(1, [1]);
        let request = desk.one();
        desk.answer(&request, Verdict::Rejected { culprit });
        assert_eq!(desk.outcome(1, 1), Some(Outcome::Failed));
        let row = desk.row(1, 1).last.clone().unwrap();
        assert_eq!(
            (row.status_code, row.error.as_deref()),
            (Some(400), Some("bad request"))
        );
        desk.nothing_leaves();
    }
}

#[test]
fn a_named_culprit_fails_and_the_others_leave_at_once() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=10);
    let request = desk.one();
    desk.answer(&request, Verdict::Rejected { culprit: Some(3) });
    let request = desk.one();
    assert_eq!(ids(&request), [1, 2, 3, 5, 6, 7, 8, 9, 10]);
    desk.answer(&request, SENT);
    assert_eq!(desk.outcome(1, 4), Some(Outcome::Failed));
    let row = desk.row(1, 10).last.clone().unwrap();
    assert_eq!((row.outcome, row.attempts), (Outcome::Sent, 0));
}

#[test]
fn a_culprit_that_the_message_does_not_hold_is_unknown() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=20);
    let request = desk.one();
    desk.answer(&request, Verdict::Rejected { culprit: Some(10) });
    assert_eq!(ids(&desk.one()), [1, 2, 3, 4, 5]);
    assert_eq!(desk.outcome(1, 11), None);
}

#[test]
fn an_unknown_culprit_is_found_by_halves() {
    for count in 1..=16_usize {
        for bad in 1..=count {
            let mut desk = Desk::new([QueueConfig {
                max_events_per_message: 16,
                ..queue(1)
            }]);
            desk.write(1, 1..=count as i64);
            let mut refusals = 0;
            while desk.tables.unfinished(QueueId(1)).count() > 0 {
                let request = desk.one();
                let refused = request.deliveries.iter().any(|id| id.0 == bad as i64);
                refusals += u32::from(refused);
                desk.answer(&request, if refused { REFUSED } else { SENT });
                desk.record();
            }
            let further = refusals - 1;
            assert!(
                further <= count.next_power_of_two().ilog2(),
                "{further} refusals, {bad} of {count}"
            );
            for id in 1..=count {
                assert_eq!(desk.row(1, id as i64).sent(), id != bad);
                assert_eq!(desk.row(1, id as i64).delivery.attempts, u32::from(id == bad));
            }
        }
    }
}

#[test]
fn after_a_search_messages_are_whole_again() {
    for bad in [None, Some(1), Some(10)] {
        let mut desk = Desk::new([queue(1)]);
        desk.write(1, 1..=50);
        let request = desk.one();
        desk.answer(&request, REFUSED);
        let mut sizes = Vec::new();
        while desk.tables.unfinished(QueueId(1)).count() > 0 {
            let request = desk.one();
            let refused = request.deliveries.iter().any(|id| Some(id.0) == bad);
            desk.answer(&request, if refused { REFUSED } else { SENT });
            desk.record();
            sizes.push(request.deliveries.len());
        }
        if bad == Some(1) {
            assert_eq!(sizes[..4], [5, 2, 1, 10]);
        }
        assert!(
            sizes.iter().filter(|size| **size == 10).count() >= 3,
            "{bad:?}: {sizes:?}"
        );
    }
}

#[test]
fn two_culprits_are_found_too() {
    for (a, b) in [(1, 2), (1, 10), (5, 6), (9, 10), (3, 8)] {
        let mut desk = Desk::new([queue(1)]);
        desk.write(1, 1..=12);
        while desk.tables.unfinished(QueueId(1)).count() > 0 {
            let request = desk.one();
            let refused = request.deliveries.iter().any(|id| id.0 == a || id.0 == b);
            desk.answer(&request, if refused { REFUSED } else { SENT });
            desk.record();
        }
        let sent = (1..=12).filter(|id| desk.row(1, *id).sent()).count();
        assert_eq!(sent, 10);
    }
}

#[test]
fn the_search_survives_a_passing_failure_and_rows_given_back() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=8);
    let request = desk.one();
    desk.answer(&request, REFUSED);
    let request = desk.one();
    assert_eq!(ids(&request), [1, 2, 3, 4]);
    desk.answer(&request, crate::desk::too_fast(crate::desk::seconds(30.0)));
    desk.nothing_leaves();
    assert_eq!(desk.scheduler.buffered(), 0);
    assert_eq!(ids(&desk.next().1), [1, 2, 3, 4]);
}

#[test]
fn a_refusal_shows_that_the_endpoint_works() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=30);
    desk.break_down(6);
    let (_, request) = desk.next();
    desk.answer(&request, REFUSED);
    desk.record();
    assert!(desk.tables.circuits.is_empty());
}

#[test]
fn gone_is_switched_off_and_never_called_again() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=30);
    let request = desk.one();
    desk.answer(&request, Verdict::Gone);
    desk.record();
    assert_eq!(desk.tables.switched_off[&QueueId(1)].as_ref(), "no such webhook");
    assert_eq!(desk.row(1, 10).outcome(), Some(Outcome::Failed));
    assert_eq!(desk.row(1, 30).error(), Some("no such webhook"));
    assert_eq!(desk.scheduler.buffered(), 0);

    desk.write(1, [31]);
    desk.scheduler.configure(vec![queue(1)], desk.now);
    desk.scheduler.configure(
        vec![QueueConfig {
            max_events_per_message: 3,
            ..queue(1)
        }],
        desk.now,
    );
    desk.scheduler.retry_now([QueueId(1)]);
    desk.scheduler.notice_all();
    desk.nothing_leaves();
    assert_eq!(desk.scheduler.next_wake(), None);

    desk.scheduler.configure(
        vec![QueueConfig {
            revision: 1,
            ..queue(1)
        }],
        desk.now,
    );
    assert_eq!(ids(&desk.one()), [31]);
}

#[test]
fn forbidden_fails_all_and_ten_in_a_row_switch_off() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=200);
    let mut messages = Vec::new();
    for _ in 0..10 {
        assert!(desk.tables.switched_off.is_empty());
        let (_, request) = desk.next();
        messages.push(request.deliveries.len());
        desk.answer(&request, Verdict::Forbidden);
        desk.record();
        assert_eq!(
            desk.row(1, request.deliveries[0].0).outcome(),
            Some(Outcome::Failed)
        );
    }
    assert_eq!(messages, [10, 10, 10, 10, 10, 1, 1, 1, 1, 1]);
    let reason = desk.tables.switched_off[&QueueId(1)].as_ref();
    assert!(
        reason.contains("10") && reason.contains("not allowed"),
        "{reason}"
    );
}

/// A worker comes and goes with each event.
#[test]
fn ten_in_a_row_are_ten_whichever_worker_hears_them() {
    let mut desk = Desk::new([queue(1)]);
    for id in 1..=10 {
        assert!(desk.tables.switched_off.is_empty());
        desk.write(1, [id]);
        let (_, request) = desk.next();
        desk.answer(&request, Verdict::Forbidden);
        desk.record();
        desk.crash();
    }
    assert!(desk.tables.switched_off.contains_key(&QueueId(1)));
}

/// What was not answered by the endpoint says nothing of what it would have said.
#[test]
fn an_outage_does_not_break_a_row_of_forbidden() {
    let mut desk = Desk::new([queue(1)]);
    desk.write(1, 1..=200);
    for how in [Verdict::Forbidden; 9]
        .into_iter()
        .chain([ABSENT, Verdict::Forbidden])
    {
        assert!(desk.tables.switched_off.is_empty());
        let (_, request) = desk.next();
        desk.answer(&request, how);
        desk.record();
    }
    assert!(desk.tables.switched_off.contains_key(&QueueId(1)));
}

/// One request tells for all: the others are held, and leave when the channel has been mended.
#[test]
fn a_channel_that_takes_nothing_is_found_out_with_one_request() {
    let mut desk = Desk::new([discord(1)]);
    desk.write(1, 1..=30);
    let request = desk.one();
    desk.answer(&request, Verdict::Misdirected);
    desk.nothing_leaves();
    desk.record();
    assert!(
        desk.tables.circuits.contains_key(&QueueId(1)),
        "its status says so"
    );
    for id in 1..=30 {
        assert!(!desk.row(1, id).finished());
    }
    desk.write(1, [31]);
    desk.nothing_leaves();
    for _ in 0..5 {
        let (slept, request) = desk.next();
        assert_eq!(request.deliveries.len(), 1);
        assert!(slept >= seconds(8.0), "{slept:?}");
        desk.answer(&request, Verdict::Misdirected);
    }
    let (_, request) = desk.next();
    desk.answer(&request, SENT);
    let mut arrived = ids(&request);
    desk.record();
    while desk.tables.unfinished(QueueId(1)).count() > 0 {
        let request = desk.one();
        desk.answer(&request, SENT);
        arrived.extend(ids(&request));
        desk.record();
    }
    assert!(arrived.into_iter().eq(1..=31));
}

#[test]
fn a_channel_that_never_takes_anything_is_switched_off() {
    let mut desk = Desk::new([discord(1)]);
    desk.write(1, 1..=30);
    let start = desk.now;
    for _ in 0..10 {
        assert!(desk.tables.switched_off.is_empty());
        let (_, request) = desk.next();
        desk.answer(&request, Verdict::Misdirected);
        desk.record();
        desk.crash();
    }
    assert_eq!(desk.tables.switched_off[&QueueId(1)].as_ref(), "no thread");
    assert!(desk.now.duration_since(start).as_secs() > 600, "time to mend it");
    assert_eq!(desk.row(1, 1).outcome(), Some(Outcome::Failed));
}

#[test]
fn any_other_answer_breaks_a_row_of_forbidden() {
    for other in [SENT, BROKEN] {
        let mut desk = Desk::new([queue(1)]);
        desk.write(1, 1..=200);
        for how in [Verdict::Forbidden; 9]
            .into_iter()
            .chain([other])
            .chain([Verdict::Forbidden; 9])
        {
            let (_, request) = desk.next();
            desk.answer(&request, how);
            desk.record();
        }
        assert!(desk.tables.switched_off.is_empty());
    }
}
