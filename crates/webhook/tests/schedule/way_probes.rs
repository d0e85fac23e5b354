//! A way out that led nowhere is tried by one request at a time: what is none of its requests holds that up no more than a list that is shorter by then.

use std::collections::BTreeSet;

use webhook::endpoint::{EndpointKind, Vendor};
use webhook::outcome::{RateScope, Verdict};
use webhook::schedule::{QueueConfig, Request};
use webhook::way::WayId;

use crate::desk::{Desk, SENT, discord, queue, seconds};

const PROXY: WayId = WayId(0x22);

fn stream(id: i64) -> QueueConfig {
    QueueConfig {
        kind: EndpointKind::Nats,
        vendor: Vendor::Other,
        ..queue(id)
    }
}

fn name(desk: &mut Desk, ways: &[WayId]) {
    desk.ways = ways.to_vec();
    desk.scheduler.set_ways(ways);
}

/// Writes an event for each of the queues, and answers their requests as `how` says; returns those that it leaves open.
fn pass_event(
    desk: &mut Desk,
    queues: i64,
    event: i64,
    how: impl Fn(&Request) -> Option<Verdict>,
) -> Vec<Request> {
    for id in 1..=queues {
        desk.write(id, [event]);
    }
    let mut open = Vec::new();
    while let Some(requests) = desk.some_leaving() {
        for request in requests {
            match how(&request) {
                Some(verdict) => desk.answer(&request, verdict),
                None => open.push(request),
            }
        }
        desk.record();
    }
    open
}

fn by_proxy_alone(request: &Request) -> Option<Verdict> {
    Some(match request.way {
        PROXY => SENT,
        _ => Verdict::Unreached,
    })
}

#[test]
fn what_streams_publish_keeps_no_way_from_being_tried() {
    const QUEUES: i64 = 30;
    let mut desk = Desk::new((1..=QUEUES).map(queue).chain([stream(QUEUES + 1)]));
    name(&mut desk, &[WayId::DIRECT, PROXY]);
    assert_eq!(pass_event(&mut desk, QUEUES, 1, by_proxy_alone), []);
    // A stream that does not answer, or that always has something in flight.
    desk.write(QUEUES + 1, [1]);
    let published = desk.one();
    assert_eq!(published.queue.0, QUEUES + 1);
    desk.pass(seconds(301.0));
    let mut direct = BTreeSet::new();
    for event in 2..=4 {
        for id in 1..=QUEUES {
            desk.write(id, [event]);
        }
        while let Some(requests) = desk.some_leaving() {
            for request in requests {
                if request.way == WayId::DIRECT {
                    direct.insert(request.queue);
                }
                desk.answer(&request, SENT);
            }
            desk.record();
        }
        desk.pass(seconds(1.0));
    }
    assert!(direct.len() > 1, "the way is open again, and nobody takes it");
    desk.answer(&published, SENT);
}

/// Who has one way out has nothing to be careful for.
#[test]
fn the_only_way_that_is_left_is_open_to_all() {
    const QUEUES: i64 = 30;
    let mut desk = Desk::new((1..=QUEUES).map(queue));
    name(&mut desk, &[WayId::DIRECT, PROXY]);
    assert_eq!(pass_event(&mut desk, QUEUES, 1, by_proxy_alone), []);
    name(&mut desk, &[WayId::DIRECT]);
    desk.pass(seconds(301.0));
    // None of them answers.
    let open = pass_event(&mut desk, QUEUES, 2, |_| None);
    assert_eq!(open.len(), usize::try_from(QUEUES).unwrap());
}

/// What cannot leave takes no room from what can.
#[test]
fn one_way_that_is_banned_and_one_that_is_dead_are_none_for_discord() {
    const QUEUES: i64 = 30;
    let mut desk = Desk::new(
        (1..=QUEUES)
            .map(discord)
            .chain((QUEUES + 1..=2 * QUEUES).map(queue)),
    );
    name(&mut desk, &[WayId::DIRECT, PROXY]);
    let how = |request: &Request| {
        Some(match (request.way, request.queue.0 <= QUEUES) {
            (PROXY, _) => Verdict::Unreached,
            (_, true) => Verdict::RateLimited {
                wait: seconds(3600.0),
                scope: RateScope::Discord,
            },
            (_, false) => SENT,
        })
    };
    assert_eq!(pass_event(&mut desk, 2 * QUEUES, 1, how), []);
    assert!(desk.scheduler.discord_parked_until().is_some());
    let before = desk.scheduler.buffered();
    assert_eq!(pass_event(&mut desk, 2 * QUEUES, 2, how), []);
    assert_eq!(desk.scheduler.buffered(), before, "more of it is read");
    // When the proxy is there again, all leave by it.
    desk.pass(seconds(301.0));
    assert_eq!(pass_event(&mut desk, 2 * QUEUES, 3, |_| Some(SENT)), []);
    while let Some(wake) = desk.scheduler.next_wake() {
        desk.now = wake.max(desk.now);
        for request in desk.leaving() {
            desk.answer(&request, SENT);
        }
        desk.record();
    }
    for id in 1..=2 * QUEUES {
        for event in 1..=3 {
            assert!(desk.row(id, event).sent(), "{id}: {event}");
        }
    }
}
