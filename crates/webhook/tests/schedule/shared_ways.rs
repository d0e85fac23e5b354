//! Several databases that send by the same ways out: what an address is told holds for all of them.

use webhook::outcome::Verdict;
use webhook::schedule::{Policy, QueueId, SharedWays};

use crate::desk::{Desk, SENT, discord, queue, seconds};
use crate::parks::global;

const HOUR: i64 = 3600;

/// Two databases, the second one's clock an hour ahead, each with so many webhooks of Discord that have one delivery each.
fn two(policy: &Policy, webhooks: i64) -> (Desk, Desk) {
    let ways = SharedWays::new();
    let desk = |ahead| {
        let mut desk = Desk::sharing(&ways, policy.clone(), ahead, (1..=webhooks).map(discord));
        (1..=webhooks).for_each(|id| desk.write(id, [1]));
        desk
    };
    (desk(0), desk(HOUR))
}

#[test]
fn a_park_of_one_holds_for_the_others_as_long() {
    let (mut one, mut other) = two(&Policy::default(), 1);
    let request = one.one();
    one.answer(&request, global(90.0));
    assert!(one.scheduler.has_changed_ways());
    other.nothing_leaves();
    assert_eq!(other.sleep(), seconds(90.0));
    assert_eq!(other.leaving().len(), 1);
    one.nothing_leaves();
    assert_eq!(one.sleep(), seconds(90.0));
    assert_eq!(one.leaving().len(), 1);
}

#[test]
fn a_park_of_one_takes_the_rows_of_the_others() {
    let ways = SharedWays::new();
    let mut one = Desk::sharing(&ways, Policy::default(), 0, [discord(1)]);
    let mut other = Desk::sharing(&ways, Policy::default(), HOUR, (1..=60).map(discord));
    one.write(1, [1]);
    (1..=60).for_each(|id| other.write(id, [1]));
    let request = one.one();
    assert_eq!(other.leaving().len(), 49);
    assert_eq!(other.scheduler.buffered(), 60);
    one.answer(&request, global(3600.0));
    other.nothing_leaves();
    assert_eq!(other.scheduler.buffered(), 49);
}

#[test]
fn what_is_not_of_discord_goes_on() {
    let ways = SharedWays::new();
    let mut one = Desk::sharing(&ways, Policy::default(), 0, [discord(1)]);
    let mut other = Desk::sharing(&ways, Policy::default(), HOUR, [queue(1)]);
    one.write(1, [1]);
    let request = one.one();
    one.answer(&request, global(90.0));
    other.write(1, [1]);
    assert_eq!(other.one().queue, QueueId(1));
}

#[test]
fn one_request_of_all_finds_out_whether_a_ban_is_over() {
    let (mut one, mut other) = two(&Policy::default(), 2);
    let requests = one.leaving();
    one.answer(&requests[0], Verdict::Blocked);
    one.answer(&requests[1], Verdict::Blocked);
    let (slept, probe) = one.next();
    other.pass(slept);
    other.nothing_leaves();
    one.scheduler.has_changed_ways();
    one.answer(&probe, SENT);
    assert!(one.scheduler.has_changed_ways());
    assert_eq!(other.leaving().len(), 2);
}

#[test]
fn a_person_of_one_ends_a_park_for_all() {
    let (mut one, mut other) = two(&Policy::default(), 1);
    let request = one.one();
    one.answer(&request, global(3600.0));
    other.nothing_leaves();
    one.scheduler.has_changed_ways();
    assert!(one.scheduler.resume([QueueId(1)]));
    assert!(one.scheduler.has_changed_ways());
    assert_eq!(other.leaving().len(), 1);
}

/// What leaves of both within a second, once all that was out is answered.
fn a_second(one: &mut Desk, other: &mut Desk) -> (usize, usize) {
    let count = |desk: &mut Desk| {
        let requests = desk.leaving();
        requests.iter().for_each(|request| desk.answer(request, SENT));
        requests.len()
    };
    let counts = (count(one), count(other));
    one.pass(seconds(1.0));
    other.pass(seconds(1.0));
    counts
}

#[test]
fn the_rate_is_shared_by_those_that_have_something_waiting() {
    let (mut one, mut other) = two(&Policy::default(), 90);
    // The first one does not know of the second yet.
    assert_eq!(a_second(&mut one, &mut other), (50, 0));
    assert_eq!(a_second(&mut one, &mut other), (25, 25));
    // The first one has no more.
    assert_eq!(a_second(&mut one, &mut other), (15, 35));
    assert_eq!(a_second(&mut one, &mut other), (0, 30));
    assert!(one.leaving().is_empty() && other.leaving().is_empty());
}

#[test]
fn who_is_away_holds_nothing() {
    let (mut one, mut other) = two(&Policy::default(), 90);
    assert_eq!(a_second(&mut other, &mut one), (50, 0));
    let now = one.now;
    one.scheduler.configure(Vec::new(), now);
    assert_eq!(a_second(&mut other, &mut one), (40, 0));
}

/// A scheduler that goes without having been answered, as by a panic, holds up no other, and its requests count as arrived.
#[test]
fn who_goes_leaves_nothing_behind() {
    let ways = SharedWays::new();
    let desk = |webhooks| {
        let mut desk = Desk::sharing(&ways, Policy::default(), 0, (1..=webhooks).map(discord));
        (1..=webhooks).for_each(|id| desk.write(id, [1]));
        desk
    };
    let mut other = desk(200);
    let mut one = desk(90);
    assert_eq!(one.leaving().len(), 50);
    drop(one);
    other.nothing_leaves();
    for _ in 0..3 {
        other.pass(seconds(1.0));
        let requests = other.leaving();
        assert_eq!(requests.len(), 50);
        requests.iter().for_each(|request| other.answer(request, SENT));
        // One that comes and goes takes the place of the one before it.
        let mut another = desk(90);
        another.pass(other.now.duration_since(another.now).unsigned_abs());
        another.nothing_leaves();
    }
}

#[test]
fn who_goes_while_it_finds_out_whether_a_ban_is_over_leaves_that_to_others() {
    let (mut one, mut other) = two(&Policy::default(), 2);
    let requests = one.leaving();
    one.answer(&requests[0], Verdict::Blocked);
    one.answer(&requests[1], Verdict::Blocked);
    let (slept, _probe) = one.next();
    other.pass(slept);
    other.nothing_leaves();
    drop(one);
    assert_eq!(other.leaving().len(), 1);
}

#[test]
fn the_lowest_rate_holds_for_all() {
    let ways = SharedWays::new();
    let slow = Policy {
        discord_per_second: 10,
        ..Policy::default()
    };
    let mut one = Desk::sharing(&ways, Policy::default(), 0, (1..=90).map(discord));
    let _other = Desk::sharing(&ways, slow, HOUR, [discord(1)]);
    (1..=90).for_each(|id| one.write(id, [1]));
    assert_eq!(one.leaving().len(), 10);
}

#[test]
fn refusals_of_one_hold_up_no_other() {
    let policy = Policy {
        discord_refusals: 2,
        ..Policy::default()
    };
    let (mut one, mut other) = two(&policy, 4);
    let requests = one.leaving();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        one.answer(request, Verdict::Forbidden);
    }
    one.nothing_leaves();
    assert_eq!(other.leaving().len(), 2);
}
