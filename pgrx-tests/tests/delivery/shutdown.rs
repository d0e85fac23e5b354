//! A worker that has to leave lets answers in flight come in, but not for long.

use std::time::Duration;

use zentry_e2e::cluster::{Cluster, ClusterOptions, StopMode};
use zentry_e2e::emulator::{Behaviour, Emulator, Kind};
use zentry_e2e::numbered;
use zentry_e2e::scene::{self, Delivery, SOON, all_sent_at_once};
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry;

use crate::{TASKS, channel, scene, worker};

#[test]
fn sigterm_lets_answers_in_flight_be_recorded_and_the_next_worker_goes_on() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    channel
        .webhook
        .script([Behaviour::Slow(Duration::from_millis(1500))]);
    numbered::complete(&mut scene.client, 1..=25).unwrap();
    channel.webhook.wait_for(1, SOON);
    let old = worker(&mut scene.client);
    scene
        .client
        .execute("SELECT pg_terminate_backend($1)", &[&old])
        .unwrap();
    let deliveries = scene.settle().unwrap();
    assert!(all_sent_at_once(&deliveries));
    assert!(
        numbered::accepted(&channel.webhook).into_iter().eq(1..=25),
        "nothing twice"
    );
    assert_eq!(channel.webhook.requests(), 3);
    assert_ne!(worker(&mut scene.client), old);
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn sigterm_does_not_wait_for_an_answer_that_never_comes() {
    let mut scene = scene(&[("request_timeout", "5min")]);
    let channel = channel(&mut scene, Kind::Discord);
    channel.webhook.script([Behaviour::Hang]);
    numbered::complete(&mut scene.client, [1]).unwrap();
    channel.webhook.wait_for(1, SOON);
    let old = worker(&mut scene.client);
    scene
        .client
        .execute("SELECT pg_terminate_backend($1)", &[&old])
        .unwrap();
    let deliveries = scene.settle().unwrap();
    assert_eq!(
        (deliveries[0].status.as_str(), deliveries[0].attempts),
        ("sent", 1)
    );
    assert_eq!(channel.webhook.requests(), 2);
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn a_fast_shutdown_does_not_wait_for_an_answer_that_never_comes() {
    let emulator = Emulator::start().unwrap();
    let options = ClusterOptions::default()
        .set("zentry_notify.allowed_hosts", scene::hosts(&emulator))
        .set("zentry_notify.allow_http", "on")
        .set("zentry_notify.allow_private_addresses", "on")
        .set("zentry_notify.request_timeout", "5min");
    let mut cluster = Cluster::start(options).unwrap();
    let mut client = cluster.connect().unwrap();
    zentry::load(&mut client).unwrap();
    client.batch_execute("CREATE EXTENSION zentry_notify").unwrap();
    let hanging = emulator.discord_webhook();
    let slow = emulator.workflow();
    for webhook in [&hanging, &slow] {
        scene::register(&mut client, webhook, None, TASKS).unwrap();
    }
    hanging.script([Behaviour::Hang]);
    slow.script([Behaviour::Slow(Duration::from_millis(1500))]);
    numbered::complete(&mut client, [1]).unwrap();
    hanging.wait_for(1, SOON);
    slow.wait_for(1, SOON);

    // It fails if the server runs for another minute, and the answer would be waited for five.
    cluster.stop(StopMode::Fast).unwrap();

    cluster.start_again().unwrap();
    let mut client = cluster.connect().unwrap();
    let deliveries = Delivery::settle(&mut client).unwrap();
    assert!(all_sent_at_once(&deliveries));
    assert_eq!(
        (hanging.requests(), slow.requests()),
        (2, 1),
        "an answer that came was recorded"
    );
    assert_eq!(emulator.complaints(), [""; 0]);
    eventually(SOON, "the log to be whole", || {
        let log = cluster.log_since(0).ok()?;
        log.contains("database system is shut down").then_some(())
    })
    .unwrap();
}
