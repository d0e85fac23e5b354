//! What one lane may do to the others.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use webhook::endpoint::EndpointKind;
use webhook::outcome::Judgement;
use webhook::schedule::{LaneConfig, Policy, Request};

use crate::desk::{BROKEN, Desk, SENT, ids, lane, seconds, verdict};

/// Answers requests after their time; lanes above `hanging` hang to the timeout.
struct Network {
    hanging: i64,
    flying: BinaryHeap<Reverse<(jiff::Timestamp, u64)>>,
    requests: std::collections::BTreeMap<u64, Request>,
}

impl Network {
    fn new(hanging: i64) -> Self {
        Network {
            hanging,
            flying: BinaryHeap::new(),
            requests: Default::default(),
        }
    }

    fn hangs(&self, request: &Request) -> bool {
        request.lane.0 > self.hanging
    }

    fn leave(&mut self, desk: &mut Desk) -> Vec<Request> {
        let requests = desk.leaving();
        for request in &requests {
            let delay = if self.hangs(request) {
                seconds(30.0)
            } else {
                seconds(0.01)
            };
            self.flying.push(Reverse((desk.now + delay, request.id.0)));
            self.requests.insert(request.id.0, request.clone());
        }
        requests
    }

    /// Goes to the next answer or wake before `end`.
    fn step(&mut self, desk: &mut Desk, end: jiff::Timestamp) -> bool {
        let answer = self.flying.peek().map(|Reverse((at, _))| *at);
        let Some(next) = answer
            .into_iter()
            .chain(desk.scheduler.next_wake())
            .min()
            .filter(|at| *at < end)
        else {
            desk.now = end;
            return false;
        };
        desk.now = next.max(desk.now);
        while let Some(Reverse((at, id))) = self.flying.peek().copied()
            && at <= desk.now
        {
            self.flying.pop();
            let request = self.requests.remove(&id).unwrap();
            let how = if self.hangs(&request) { BROKEN } else { SENT };
            desk.judge(&request, &verdict(how));
        }
        true
    }
}

#[test]
fn thousands_that_hang_delay_nobody_who_works() {
    let (lanes, hanging) = (2_000, 1_000);
    let policy = Policy {
        max_in_flight: 64,
        ..Policy::default()
    };
    let mut desk = Desk::with(policy, (1..=lanes).map(lane));
    let mut network = Network::new(hanging);
    for id in 1..=hanging {
        desk.write(id, [1]);
    }
    let warm = desk.now + seconds(60.0);
    network.leave(&mut desk);
    while network.step(&mut desk, warm) {
        network.leave(&mut desk);
    }
    assert!(
        desk.tables
            .rows
            .values()
            .flat_map(|rows| rows.values())
            .all(|row| row.sent())
    );
    for id in hanging + 1..=lanes {
        desk.write(id, 1..=100);
    }

    let mut worst = Duration::ZERO;
    let mut tried = std::collections::BTreeSet::new();
    let mut hung = 0;
    for second in 0..600 {
        let written = desk.now;
        let healthy = second % hanging + 1;
        desk.write(healthy, [100 + i64::from(second as i32)]);
        loop {
            for request in network.leave(&mut desk) {
                if network.hangs(&request) {
                    tried.insert(request.lane);
                    hung += 1;
                } else {
                    worst = worst.max(desk.now.duration_since(written).unsigned_abs());
                }
            }
            if !network.step(&mut desk, written + seconds(1.0)) {
                break;
            }
        }
    }
    assert_eq!(worst, Duration::ZERO);
    assert!(
        hung >= 16 * 20 && tried.len() >= 16 * 20,
        "nor do they starve: {hung} {}",
        tried.len()
    );
}

#[test]
fn a_backlog_does_not_starve_a_single_row() {
    let policy = Policy {
        max_in_flight: 1,
        ..Policy::default()
    };
    let mut desk = Desk::with(policy, [lane(1), lane(2)]);
    desk.write(1, 1..=100_000);
    let request = desk.one();
    desk.write(2, [1]);
    desk.answer(&request, SENT);
    let next = desk.one();
    assert_eq!((next.lane.0, ids(&next)), (2, vec![1]));
}

#[test]
fn lanes_take_turns() {
    let policy = Policy {
        max_in_flight: 1,
        ..Policy::default()
    };
    let speaks_like_discord = |id| LaneConfig {
        kind: EndpointKind::Discord,
        ..lane(id)
    };
    let lanes = (1..=3).map(lane).chain((4..=5).map(speaks_like_discord));
    let mut desk = Desk::with(policy, lanes);
    for id in 1..=5 {
        desk.write(id, 1..=1_000);
    }
    let mut turns = Vec::new();
    for _ in 0..50 {
        let request = desk.one();
        turns.push(request.lane.0);
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
    let one_by_one = |id| LaneConfig {
        max_events_per_message: 1,
        ..lane(id)
    };
    let lanes = waiting.clone().map(one_by_one).chain([lane(9_999)]);
    let mut desk = Desk::with(policy, lanes);
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
        max_in_flight: 8,
        ..Policy::default()
    };
    let mut desk = Desk::with(policy, (1..=20).map(lane));
    for id in 1..=20 {
        desk.write(id, [1]);
        let rows = desk.tables.rows.get_mut(&webhook::schedule::LaneId(id)).unwrap();
        rows.values_mut().for_each(|row| row.delivery.attempts = 1);
    }
    assert_eq!(desk.leaving().len(), 2, "a quarter");
}
