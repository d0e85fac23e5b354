//! Without `shared_preload_libraries` everything but sending works, and what waits is sent after it is set.

use zentry_e2e::cluster::{Cluster, ClusterOptions, StopMode};
use zentry_e2e::emulator::{Emulator, Kind};
use zentry_e2e::scene::{Delivery, all_sent, hosts, register};
use zentry_e2e::zentry::{self, id};

#[test]
fn what_waits_is_sent_once_the_library_is_preloaded() {
    let emulator = Emulator::start().unwrap();
    let options = ClusterOptions {
        preload: false,
        ..ClusterOptions::default()
    };
    let options = options
        .set("zentry_notify.allowed_hosts", hosts(&emulator))
        .set("zentry_notify.allow_http", "on")
        .set("zentry_notify.allow_private_addresses", "on");
    let mut cluster = Cluster::start(options).unwrap();
    let mut client = cluster.connect().unwrap();
    zentry::load(&mut client).unwrap();
    drop(client);

    let log = cluster.log_end().unwrap();
    cluster
        .connect()
        .unwrap()
        .batch_execute("CREATE EXTENSION zentry_notify")
        .unwrap();
    let said = cluster.log_since(log).unwrap();
    assert!(
        said.contains("WARNING:  zentry_notify is not preloaded: notifications are written but not sent"),
        "{said}"
    );
    assert!(
        said.contains("HINT:  Add zentry_notify to shared_preload_libraries"),
        "{said}"
    );

    let mut client = cluster.connect().unwrap();
    let webhooks = [Kind::Discord, Kind::Workflow].map(|kind| emulator.register(kind));
    let ids = webhooks
        .each_ref()
        .map(|webhook| register(&mut client, webhook, None, None).unwrap());
    zentry::complete_task(&mut client, id::LANDING_PAGE, jiff::Timestamp::now()).unwrap();
    zentry::bulk_complete(&mut client, &[3]).unwrap();
    client
        .query("SELECT zentry_test_event('badge_earned')", &[])
        .unwrap();
    let waiting = Delivery::all(&mut client).unwrap();
    // Who hears of the two tasks is found out later; the sample's deliveries are written with it.
    assert_eq!(waiting.len(), 2);
    let captured = "SELECT event_type FROM zentry_notify.event ORDER BY id";
    let captured: Vec<String> = client
        .query(captured, &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(captured, ["task_completed", "task_completed", "badge_earned"]);
    assert!(!waiting.is_empty());
    assert!(
        waiting
            .iter()
            .all(|delivery| delivery.status == "pending" && delivery.attempts == 0)
    );
    // This one is posted by the session itself.
    let status: String = client
        .query_one("SELECT status FROM zentry_test_webhook($1)", &[&ids[0]])
        .unwrap()
        .get(0);
    assert_eq!(status, "sent");
    assert_eq!(emulator.requests(), 1);
    drop(client);

    cluster
        .conf(&[("shared_preload_libraries", "zentry_notify")])
        .unwrap();
    cluster.restart(StopMode::Fast).unwrap();
    let mut client = cluster.connect().unwrap();
    let deliveries = Delivery::settle(&mut client).unwrap();
    // Three events waited for two webhooks, one was a test, and the milestone of the third completed task was not counted until now.
    assert_eq!(deliveries.len(), 9);
    assert!(all_sent(&deliveries), "{deliveries:#?}");
    assert_eq!((webhooks[0].event_count(), webhooks[1].event_count()), (5, 4));
    assert_eq!(emulator.complaints(), [] as [&str; 0]);
}
