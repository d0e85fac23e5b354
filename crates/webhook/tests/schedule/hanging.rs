//! Thousands of endpoints that hang, and what that does to those that work.

use std::time::Duration;

use webhook::schedule::{Policy, QueueConfig, QueueId};

use crate::desk::{queue, seconds};
use crate::network::{Manner, Network};

const QUEUES: i64 = 10_000;
const HANGING: usize = 5_000;
const YOUNG: usize = 256;

/// Every other queue.
fn half_hang(queue: i64) -> Manner {
    match queue % 2 {
        0 => Manner::Works,
        _ => Manner::Hangs,
    }
}

fn half_are_broken(queue: i64) -> Manner {
    match queue % 4 {
        0 | 2 => Manner::Works,
        1 => Manner::Hangs,
        _ => Manner::Fails,
    }
}

fn all_work(_: i64) -> Manner {
    Manner::Works
}

fn policy(max_slow: usize) -> Policy {
    Policy {
        max_in_flight: YOUNG,
        max_slow,
        ..Policy::default()
    }
}

fn proven(id: i64) -> QueueConfig {
    QueueConfig {
        proven: true,
        ..queue(id)
    }
}

fn is_healthy(id: i64) -> bool {
    id % 2 == 0
}

/// Writes five rows for each of these queues, and says how long after it the last request to a healthy one left.
fn burst(network: &mut Network, queues: impl Iterator<Item = i64>, patience: Duration) -> Duration {
    let mut healthy = 0;
    for id in queues {
        network.desk.write(id, 1..=5);
        healthy += usize::from(is_healthy(id));
    }
    let start = network.desk.now;
    network.left.clear();
    network.pass(patience);
    let (last, sent) = network.last_to(is_healthy, start);
    assert_eq!(sent, healthy, "one message each");
    last
}

/// So long it takes until `hanging` requests, that leave in turns by a share of the connections, are slow.
fn found_out(hanging: usize, share: usize) -> Duration {
    seconds(0.5) * hanging.div_ceil(share) as u32
}

#[test]
fn those_that_are_known_to_work_are_not_delayed() {
    let healthy = || (1..=QUEUES).filter(|id| is_healthy(*id));
    let mut alone = Network::new(policy(512), (1..=QUEUES).map(proven), all_work);
    let alone = burst(&mut alone, healthy(), seconds(60.0));

    for manner in [half_hang, half_are_broken] {
        let queues = (1..=QUEUES).map(|id| if is_healthy(id) { proven(id) } else { queue(id) });
        let mut beside = Network::new(policy(512), queues, manner);
        // So many leave at once that the others' share is felt; no wait for an answer is.
        let delay = burst(&mut beside, 1..=QUEUES, seconds(60.0));
        assert!(delay <= 2 * alone, "{delay:?}, alone {alone:?}");
        // Nor are they the next time.
        for id in healthy() {
            beside.desk.write(id, [6]);
        }
        let start = beside.desk.now;
        beside.left.clear();
        beside.pass(seconds(60.0));
        assert!(beside.last_to(is_healthy, start).0 <= 2 * alone);
    }
}

#[test]
fn at_first_contact_the_hanging_are_found_out_one_share_after_the_other() {
    let mut network = Network::new(policy(HANGING), (1..=QUEUES).map(queue), half_hang);
    let delay = burst(&mut network, 1..=QUEUES, seconds(60.0));
    assert!(
        delay <= found_out(HANGING, YOUNG * 3 / 8) + seconds(0.5),
        "{delay:?}"
    );
}

#[test]
fn those_that_worked_until_now_are_found_out_as_well() {
    let mut network = Network::new(policy(HANGING), (1..=QUEUES).map(proven), all_work);
    burst(&mut network, 1..=QUEUES, seconds(60.0));
    for silence in [seconds(1.0), seconds(3_600.0)] {
        network.manner = all_work;
        network.pass(silence);
        network.manner = half_hang;
        for id in 1..=QUEUES {
            network.desk.write(id, [network.desk.now.as_second()]);
        }
        let start = network.desk.now;
        network.left.clear();
        network.pass(seconds(120.0));
        let (delay, sent) = network.last_to(is_healthy, start);
        assert_eq!(sent, HANGING);
        assert!(
            delay <= found_out(HANGING, YOUNG * 7 / 8) + seconds(0.5),
            "{delay:?}"
        );
    }
}

#[test]
fn more_than_can_be_set_aside_delay_none_that_works() {
    // Unknown queues hold all connections for slow requests and their share of the others.
    let queues = (1..=QUEUES).map(|id| if id <= 100 { proven(id) } else { queue(id) });
    let mut network = Network::new(policy(512), queues, half_hang);
    for id in 101..=QUEUES {
        network.desk.write(id, 1..=5);
    }
    network.pass(seconds(10.0));
    for second in 0..60 {
        let id = 2 * (second % 50) + 2;
        network.desk.write(id, [second + 100]);
        let start = network.desk.now;
        network.left.clear();
        network.pass(seconds(1.0));
        let own = |(_, request): &&(_, webhook::schedule::Request)| request.queue == QueueId(id);
        let (at, _) = network.left.iter().find(own).unwrap();
        assert_eq!(*at, start);
    }
}

#[test]
fn a_vendor_that_works_slowly_is_not_slowed_down_further() {
    let mut network = Network::new(policy(HANGING), (1..=QUEUES).map(proven), |_| Manner::Slow(5));
    for id in 1..=QUEUES {
        network.desk.write(id, 1..=5);
    }
    let start = network.desk.now;
    network.pass(seconds(120.0));
    let (last, sent) = network.last_to(|_| true, start);
    assert_eq!(sent, QUEUES as usize);
    // Set aside as they become slow; without that, 256 at a time would take 195 s.
    assert!(
        last <= found_out(QUEUES as usize, YOUNG * 7 / 8) + seconds(5.0),
        "{last:?}"
    );
}

#[test]
fn those_that_hang_are_tried_again_and_recover() {
    let mut network = Network::new(policy(512), (1..=QUEUES).map(queue), half_hang);
    for id in 1..=QUEUES {
        network.desk.write(id, [1]);
    }
    network.pass(seconds(3_600.0));
    let tried: std::collections::BTreeSet<QueueId> =
        network.left.iter().map(|(_, request)| request.queue).collect();
    assert_eq!(tried.len(), QUEUES as usize, "nobody starves");
    network.manner = all_work;
    network.pass(seconds(2.0 * 3_600.0));
    let rows = network.desk.tables.rows.values().flat_map(|rows| rows.values());
    assert_eq!(rows.filter(|row| row.sent()).count(), QUEUES as usize);
}
