//! What one queue may do to the others.

use webhook::endpoint::EndpointKind;
use webhook::outcome::Judgement;
use webhook::schedule::{Policy, QueueConfig};

use crate::desk::{Desk, SENT, ids, queue, seconds, verdict};

#[test]
fn a_backlog_does_not_starve_a_single_row() {
    let policy = Policy {
        max_in_flight: 1,
        ..Policy::default()
    };
    let mut desk = Desk::with(policy, [queue(1), queue(2)]);
    desk.write(1, 1..=100_000);
    let request = desk.one();
    desk.write(2, [1]);
    desk.answer(&request, SENT);
    let next = desk.one();
    assert_eq!((next.queue.0, ids(&next)), (2, vec![1]));
}

#[test]
fn lanes_take_turns() {
    let policy = Policy {
        max_in_flight: 1,
        ..Policy::default()
    };
    let speaks_like_discord = |id| QueueConfig {
        kind: EndpointKind::Discord,
        ..queue(id)
    };
    let queues = (1..=3).map(queue).chain((4..=5).map(speaks_like_discord));
    let mut desk = Desk::with(policy, queues);
    for id in 1..=5 {
        desk.write(id, 1..=1_000);
    }
    let mut turns = Vec::new();
    for _ in 0..50 {
        let request = desk.one();
        turns.push(request.queue.0);
        desk.answer(&request, SENT);
    }
    for round in turns[10..].chunks(5) {
        let mut round = round.to_vec();
        round.sort();
        assert_eq!(round, [1, 2, 3, 4, 5], "{turns:?}");
    }
}

#[test]
fn lanes_that_wait_leave_rows_to_those_that_can_send() {
    let max_buffered = 1_600;
    let policy = Policy {
        max_buffered,
        ..Policy::default()
    };
    let waiting = 1..=1_700;
    let one_by_one = |id| QueueConfig {
        max_events_per_message: 1,
        ..queue(id)
    };
    let queues = waiting.clone().map(one_by_one).chain([queue(9_999)]);
    let mut desk = Desk::with(policy, queues);
    desk.nothing_leaves();
    let pause = Some(seconds(4.0));
    for id in waiting {
        desk.write(id, 1..=3);
        let request = desk.one();
        desk.judge(
            &request,
            &Judgement {
                pause,
                ..verdict(SENT)
            },
        );
    }
    desk.write(9_999, 1..=100);
    assert_eq!(desk.one().deliveries.len(), 10);
}

#[test]
fn lanes_whose_rows_failed_before_a_restart_are_suspects() {
    let policy = Policy {
        max_in_flight: 16,
        ..Policy::default()
    };
    let mut desk = Desk::with(policy, (1..=20).map(queue));
    for id in 1..=20 {
        desk.write(id, [1]);
        let rows = desk.tables.rows.get_mut(&webhook::schedule::QueueId(id)).unwrap();
        rows.values_mut().for_each(|row| row.delivery.attempts = 1);
    }
    assert_eq!(desk.leaving().len(), 2, "an eighth");
}
