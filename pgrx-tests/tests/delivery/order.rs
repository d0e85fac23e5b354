//! Per channel deliveries leave in the order of their ids, one request in flight.

use std::time::Duration;

use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::numbered;
use zentry_e2e::scene::{SOON, all_sent};

use crate::{channel, of, scene, set};

#[test]
fn deliveries_arrive_in_order_of_id_with_one_request_in_flight() {
    let mut scene = scene(&[]);
    let channels = Kind::ALL.map(|kind| channel(&mut scene, kind));
    for channel in &channels {
        set(&mut scene, channel, "max_events_per_message", "1");
        channel.webhook.always(Behaviour::Slow(Duration::from_millis(20)));
    }
    for transaction in 0..10 {
        numbered::complete(&mut scene.client, 3 * transaction + 1..=3 * transaction + 3).unwrap();
    }
    let deliveries = scene.settle().unwrap();
    for channel in &channels {
        let title = |number: &i64| format!("Task {number}");
        let arrived: Vec<String> = numbered::accepted(&channel.webhook).iter().map(title).collect();
        let own = of(&deliveries, channel);
        let logged: Vec<_> = own
            .iter()
            .map(|delivery| delivery.payload["task_title"].as_str().unwrap())
            .collect();
        assert_eq!(arrived, logged);
        assert_eq!(arrived.len(), 30);
        assert_eq!(channel.webhook.max_in_flight(), 1);
        assert!(all_sent(&own));
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn a_retry_keeps_its_place() {
    let mut scene = scene(&[]);
    let channels = Kind::ALL.map(|kind| channel(&mut scene, kind));
    for channel in &channels {
        channel
            .webhook
            .script([Behaviour::Normal, Behaviour::Status(500), Behaviour::Status(502)]);
        set(&mut scene, channel, "max_events_per_message", "1");
    }
    numbered::complete(&mut scene.client, 1..=3).unwrap();
    for channel in &channels {
        channel.webhook.wait_for(2, SOON);
    }
    numbered::complete(&mut scene.client, 4..=6).unwrap();
    let deliveries = scene.settle().unwrap();
    for channel in &channels {
        assert_eq!(numbered::accepted(&channel.webhook), [1, 2, 3, 4, 5, 6]);
        assert_eq!(channel.webhook.requests(), 8);
        let attempts = of(&deliveries, channel)
            .iter()
            .map(|delivery| delivery.attempts)
            .collect::<Vec<_>>();
        assert_eq!(attempts, [1, 3, 1, 1, 1, 1]);
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}
