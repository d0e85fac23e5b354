//! A worker that somebody interrupts.

use std::time::Duration;

use zentry_e2e::emulator::Behaviour;
use zentry_e2e::numbered;
use zentry_e2e::scene::{SOON, Scene, all_sent_at_once};

use crate::{channel, worker};

#[test]
fn a_cancel_neither_ends_the_worker_nor_sends_anything_again() {
    let mut scene = Scene::start().unwrap();
    let channel = channel(&mut scene);
    channel
        .webhook
        .script([Behaviour::Slow(Duration::from_millis(1500))]);
    numbered::complete(&mut scene.client, 1..=15).unwrap();
    channel.webhook.wait_for(1, SOON);
    let process = worker(&mut scene.client);
    for _ in 0..20 {
        let cancelled: bool = scene
            .client
            .query_one("SELECT pg_cancel_backend($1)", &[&process])
            .unwrap()
            .get(0);
        assert!(cancelled);
    }
    let deliveries = scene.settle().unwrap();
    assert!(all_sent_at_once(&deliveries));
    assert!(numbered::accepted(&channel.webhook).into_iter().eq(1..=15));
    assert_eq!(worker(&mut scene.client), process);
}
