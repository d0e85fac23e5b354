//! Several ways out, each of which is an address of its own to the vendors: which one a queue takes, and each one's limits.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use webhook::outcome::{RateScope, Verdict};
use webhook::schedule::{Policy, QueueConfig, Rate, Request};
use webhook::way::WayId;

use crate::desk::{Desk, SENT, discord, ids, queue, seconds};
use crate::network::{Manner, Network};

pub const A: WayId = WayId(0x11);
pub const B: WayId = WayId(0x22);
const C: WayId = WayId(0x33);

fn banned() -> Verdict {
    Verdict::RateLimited {
        wait: Duration::from_secs(3600),
        scope: RateScope::Discord,
    }
}

pub fn name(desk: &mut Desk, ways: &[WayId]) {
    desk.ways = ways.to_vec();
    desk.scheduler.set_ways(ways);
}

/// The way of each queue that has one event.
pub fn ways_of(desk: &mut Desk, queues: i64, event: i64) -> BTreeMap<i64, WayId> {
    for id in 1..=queues {
        desk.write(id, [event]);
    }
    let mut found = BTreeMap::new();
    while found.len() < usize::try_from(queues).unwrap() {
        let requests = desk.leaving();
        assert!(!requests.is_empty());
        for request in requests {
            found.insert(request.queue.0, request.way);
            desk.answer(&request, SENT);
        }
    }
    desk.record();
    found
}

#[test]
fn a_queue_keeps_its_way_and_only_those_of_a_way_that_goes_move() {
    const QUEUES: i64 = 300;
    let mut desk = Desk::new((1..=QUEUES).map(queue));
    name(&mut desk, &[A, B]);
    let first = ways_of(&mut desk, QUEUES, 1);
    assert_eq!(first, ways_of(&mut desk, QUEUES, 2));
    for way in [A, B] {
        let share = first.values().filter(|own| **own == way).count();
        assert!((100..=200).contains(&share), "{share}");
    }
    name(&mut desk, &[C, A, B]);
    let more = ways_of(&mut desk, QUEUES, 3);
    let moved = |queue: &&i64| first[*queue] != more[*queue];
    assert!(first.keys().filter(moved).all(|queue| more[queue] == C));
    assert!((60..=140).contains(&first.keys().filter(moved).count()));
    name(&mut desk, &[A, B]);
    assert_eq!(first, ways_of(&mut desk, QUEUES, 4));
}

/// How long it takes to send 20 messages to each of 300 webhooks at Discord, one event each.
fn takes(ways: &[WayId]) -> (SignedDuration, Vec<(Timestamp, Request)>) {
    let one = |id| QueueConfig {
        max_events_per_message: 1,
        ..discord(id)
    };
    let mut network = Network::new(Policy::default(), (1..=300).map(one), |_| Manner::Works);
    name(&mut network.desk, ways);
    let start = network.desk.now;
    for id in 1..=300 {
        network.desk.write(id, 1..=20);
    }
    while network.left.len() < 6_000 {
        network.pass(seconds(1.0));
    }
    let last = network.left.last().unwrap().0;
    (last.duration_since(start), network.left)
}

fn most_in(period: Duration, moments: impl Iterator<Item = Timestamp>) -> usize {
    let moments: Vec<Timestamp> = moments.collect();
    let within = |first: usize| {
        let end = moments[first] + period;
        moments[first..].iter().take_while(|at| **at < end).count()
    };
    (0..moments.len()).map(within).max().unwrap_or(0)
}

#[test]
fn three_addresses_carry_three_times_what_one_does_and_none_exceeds_its_limit() {
    let (alone, _) = takes(&[A]);
    let (together, left) = takes(&[A, B, C]);
    let gain = alone.as_secs_f64() / together.as_secs_f64();
    assert!(gain > 2.9, "{gain}: {alone:#} and {together:#}");
    let second = Rate::per_second(50);
    for way in [A, B, C] {
        let own = left.iter().filter(|(_, request)| request.way == way);
        let most = most_in(second.period, own.map(|(at, _)| *at));
        assert!(most <= 50, "{most}");
    }
    // Each webhook has got its own in order.
    let mut next = BTreeMap::new();
    for (_, request) in &left {
        let expected = next.entry(request.queue).or_insert(1);
        assert_eq!(ids(request), [*expected]);
        *expected += 1;
    }
}

#[test]
fn a_banned_address_sends_nothing_until_its_end_and_the_others_go_on() {
    let mut desk = Desk::new((1..=40).map(discord).chain([queue(41)]));
    name(&mut desk, &[A, B]);
    let first = ways_of(&mut desk, 41, 1);
    desk.pass(seconds(10.0));
    // Of those whose way it is, one is told.
    let (told, _) = first.iter().find(|(_, way)| **way == A).unwrap();
    desk.write(*told, [2]);
    let request = desk.one();
    assert_eq!(request.way, A);
    desk.answer(&request, banned());
    // Its message goes by the other way at once, and that is no attempt.
    let again = desk.one();
    assert_eq!((again.queue, again.way, ids(&again)), (request.queue, B, vec![2]));
    desk.answer(&again, SENT);
    assert_eq!(desk.row(*told, 2).delivery.attempts, 0);
    let start = desk.now;
    for event in 3..60 {
        let ways = ways_of(&mut desk, 40, event);
        assert!(
            ways.values().all(|way| *way == B),
            "after {:#}",
            desk.now.duration_since(start)
        );
        // Nobody else minds.
        desk.write(41, [event]);
        let other = desk.one();
        assert_eq!(other.way, first[&41]);
        desk.answer(&other, SENT);
        desk.pass(seconds(60.0));
    }
    // Another worker knows it too.
    desk.record();
    desk.crash();
    let ways = ways_of(&mut desk, 40, 60);
    assert!(ways.values().all(|way| *way == B));
    desk.pass(seconds(240.0));
    let all: Vec<i64> = (1..=41).collect();
    let after = ways_of(&mut desk, 41, 61);
    assert_eq!(all.len(), after.len());
    assert_eq!(first, after, "and they come back");
}

/// Discord's edge turns an address away without saying for how long.
#[test]
fn what_the_edge_turns_away_goes_by_another_address_at_once() {
    let mut desk = Desk::new([discord(1)]);
    name(&mut desk, &[A, B]);
    desk.write(1, [1]);
    let request = desk.one();
    desk.answer(&request, Verdict::Blocked);
    let again = desk.one();
    assert_ne!(again.way, request.way);
    desk.answer(&again, SENT);
    desk.record();
    assert_eq!(desk.row(1, 1).delivery.attempts, 0);
}

#[test]
fn when_all_addresses_are_banned_all_of_discord_waits_for_the_first() {
    let mut desk = Desk::new([discord(1), queue(2)]);
    name(&mut desk, &[A, B]);
    desk.write(1, [1]);
    let first = desk.one();
    desk.answer(&first, banned());
    desk.pass(seconds(60.0));
    let second = desk.one();
    assert_ne!(first.way, second.way);
    desk.answer(&second, banned());
    desk.write(2, [1]);
    assert_eq!(desk.one().queue.0, 2);
    desk.record();
    assert_eq!(desk.tables.discord_parked.len(), 2);
    // The message itself was told to wait for an hour by the last of them.
    let mut waited = Duration::ZERO;
    let third = loop {
        match desk.leaving().pop() {
            Some(request) => break request,
            None => waited += desk.sleep(),
        }
    };
    assert_eq!((third.queue.0, waited), (1, seconds(3600.0)));
    assert_eq!(desk.row(1, 1).delivery.attempts, 0);
}

/// An endpoint may say so to whoever asks.
#[test]
fn an_endpoint_that_sends_everybody_away_is_not_asked_in_circles() {
    let mut desk = Desk::new([discord(1)]);
    name(&mut desk, &[A, B]);
    desk.write(1, [1]);
    let start = desk.now;
    let mut requests = 0;
    while desk.now.duration_since(start) < SignedDuration::from_secs(60) {
        for request in desk.leaving() {
            requests += 1;
            desk.answer(
                &request,
                Verdict::RateLimited {
                    wait: seconds(0.1),
                    scope: RateScope::Discord,
                },
            );
        }
        desk.record();
        desk.now = desk.scheduler.next_wake().unwrap().max(desk.now + seconds(0.001));
    }
    assert!(requests < 70, "{requests}");
}

/// Discord bans an address for 10,000 refusals in ten minutes, whoever they were meant for.
#[test]
fn no_address_is_refused_more_often_than_its_budget() {
    const BUDGET: u32 = 40;
    let policy = Policy {
        discord_refusals: BUDGET,
        ..Policy::default()
    };
    let one = |id| QueueConfig {
        max_events_per_message: 1,
        ..discord(id)
    };
    let mut desk = Desk::with(policy, (1..=60).map(one));
    name(&mut desk, &[A, B]);
    for id in 1..=60 {
        desk.write(id, 1..=12);
    }
    let mut refused: BTreeMap<WayId, Vec<Timestamp>> = BTreeMap::new();
    for _ in 0..5_000 {
        for request in desk.leaving() {
            refused.entry(request.way).or_default().push(desk.now);
            desk.answer(&request, Verdict::Forbidden);
        }
        desk.record();
        match desk.scheduler.next_wake() {
            Some(wake) => desk.now = wake.max(desk.now),
            None => break,
        }
    }
    assert_eq!(
        desk.tables.switched_off.len(),
        60,
        "all of them are found out in the end"
    );
    for moments in refused.values() {
        let most = most_in(seconds(600.0), moments.iter().copied());
        assert!(most <= BUDGET as usize, "{most}");
    }
    assert_eq!(refused.len(), 2);
}

#[test]
fn what_was_refused_before_a_crash_counts() {
    let policy = Policy {
        discord_refusals: 10,
        ..Policy::default()
    };
    let mut desk = Desk::with(policy, [discord(1), queue(2)]);
    let before = desk.now - seconds(300.0);
    desk.scheduler
        .remember_refused(WayId::DIRECT, 10, before, desk.now);
    desk.write(1, [1]);
    desk.nothing_leaves();
    assert!(desk.sleep() >= seconds(300.0));
    assert_eq!(desk.one().queue.0, 1);
}

#[test]
fn each_way_says_what_left_by_it() {
    let mut desk = Desk::new([discord(1)]);
    name(&mut desk, &[A, B]);
    desk.write(1, [1]);
    let first = desk.one();
    desk.answer(&first, banned());
    let second = desk.one();
    desk.answer(&second, Verdict::Unreached);
    let reports = desk.scheduler.take_ways();
    let of = |way| {
        reports
            .iter()
            .find(|report| report.way == way)
            .unwrap()
            .counts
            .clone()
    };
    assert_eq!(
        (
            of(first.way).requests,
            of(first.way).refused,
            of(first.way).unreached
        ),
        (1, 1, 0)
    );
    assert_eq!(
        (
            of(second.way).requests,
            of(second.way).refused,
            of(second.way).unreached
        ),
        (1, 0, 1)
    );
    let counts: Vec<_> = desk
        .scheduler
        .take_ways()
        .into_iter()
        .map(|report| report.counts)
        .collect();
    assert_eq!(counts, vec![Default::default(); 2], "they are counted once");
}
