//! What one endpoint says for all of its host: global limits, and the edge that turns this address away.

use webhook::endpoint::EndpointKind;
use webhook::outcome::{RateScope, Verdict};
use webhook::schedule::{Policy, QueueConfig};

use crate::desk::{Desk, SENT, discord, queue, seconds};

pub fn global(wait: f64) -> Verdict {
    Verdict::RateLimited {
        wait: seconds(wait),
        scope: RateScope::Discord,
    }
}

#[test]
fn a_global_limit_parks_all_of_discord_and_nobody_else() {
    let mut desk = Desk::new([discord(1), discord(2), discord(3), queue(4)]);
    desk.write(1, [1]);
    desk.write(2, [1]);
    let requests = desk.leaving();
    desk.answer(&requests[0], global(90.0));
    desk.answer(&requests[1], SENT);
    desk.write(2, [2]);
    desk.write(3, [1]);
    desk.write(4, [1]);
    assert_eq!(desk.one().queue.0, 4);
    desk.sleep();
    assert_eq!(
        desk.now
            .duration_since(desk.row(1, 1).last.as_ref().unwrap().at)
            .as_secs(),
        90
    );
    let mut queues: Vec<i64> = desk.leaving().iter().map(|request| request.queue.0).collect();
    queues.sort();
    assert_eq!(queues, [1, 2, 3]);
}

#[test]
fn a_park_takes_the_rows_of_queues_that_were_ready() {
    let policy = Policy {
        max_in_flight: 6,
        ..Policy::default()
    };
    let mut desk = Desk::with(policy, (1..=4).map(discord));
    for id in 1..=4 {
        desk.write(id, 1..=10);
    }
    let requests = desk.leaving();
    assert_eq!(
        requests.len(),
        2,
        "the others are for those that have proven themselves"
    );
    assert_eq!(desk.scheduler.buffered(), 40);
    desk.answer(&requests[0], global(3600.0));
    desk.nothing_leaves();
    assert_eq!(desk.scheduler.buffered(), 10);
    desk.answer(&requests[1], SENT);
    assert_eq!(desk.sleep(), seconds(3600.0));
    assert_eq!(desk.leaving().len(), 3);
}

#[test]
fn a_park_outlives_a_crash() {
    let mut desk = Desk::new([discord(1), discord(2)]);
    desk.write(1, [1]);
    let request = desk.one();
    desk.answer(&request, global(3600.0));
    desk.record();
    desk.pass(seconds(600.0));
    desk.crash();
    desk.write(2, [1]);
    desk.nothing_leaves();
    assert_eq!(desk.sleep(), seconds(3000.0));
    assert_eq!(desk.leaving().len(), 2);
}

#[test]
fn hosts_that_speak_like_discord_park_each_other_only() {
    let like = |id| QueueConfig {
        kind: EndpointKind::Discord,
        ..queue(id)
    };
    let mut desk = Desk::new([like(1), like(2), discord(3), queue(4)]);
    desk.write(1, [1]);
    let request = desk.one();
    desk.answer(&request, global(60.0));
    for id in 2..=4 {
        desk.write(id, [1]);
    }
    let queues: Vec<i64> = desk.leaving().iter().map(|request| request.queue.0).collect();
    assert_eq!(queues, [3, 4]);
    assert!(desk.tables.discord_parked.is_empty());
    assert_eq!(desk.sleep(), seconds(60.0));
    assert_eq!(desk.leaving().len(), 2);
}

/// The edge turns this address away: nobody is to blame, nothing is lost, and one request finds out whether it still does.
#[test]
fn the_edge_parks_all_of_discord_and_blames_nobody() {
    let mut desk = Desk::new((1..=5).map(discord).chain([queue(6)]));
    let start = desk.now;
    for id in 1..=6 {
        desk.write(id, 1..=20);
    }
    let requests = desk.leaving();
    assert_eq!(requests.len(), 6);
    for request in &requests {
        desk.answer(
            request,
            if request.queue.0 == 6 {
                SENT
            } else {
                Verdict::Blocked
            },
        );
    }
    let mut probes = 0;
    while desk.now.duration_since(start).as_secs() < 7_200 {
        let leaving = desk.leaving();
        let of_discord: Vec<_> = leaving.iter().filter(|request| request.queue.0 != 6).collect();
        assert!(of_discord.len() <= 1, "one of them finds out");
        for request in &leaving {
            let sent = request.queue.0 == 6;
            probes += usize::from(!sent);
            desk.answer(request, if sent { SENT } else { Verdict::Blocked });
        }
        desk.record();
        let wake = desk.scheduler.next_wake().unwrap();
        assert!(wake <= desk.now + seconds(300.0));
        desk.now = wake.max(desk.now);
    }
    assert!((20..60).contains(&probes), "{probes}");
    assert!(desk.tables.circuits.is_empty() && desk.tables.switched_off.is_empty());
    for id in 1..=5 {
        for row in 1..=20 {
            assert_eq!(desk.row(id, row).delivery.attempts, 0);
        }
    }
    // The first that passes lets all of them go.
    let (_, request) = desk.next();
    desk.answer(&request, SENT);
    assert_eq!(desk.leaving().len(), 5);
}

#[test]
fn a_park_by_the_edge_outlives_a_crash() {
    let mut desk = Desk::new([discord(1), discord(2)]);
    desk.write(1, [1]);
    let request = desk.one();
    desk.answer(&request, Verdict::Blocked);
    desk.record();
    desk.crash();
    desk.write(2, [1]);
    desk.nothing_leaves();
    assert!(desk.sleep() >= seconds(8.0));
}
