//! TRUNCATE of our tables while the worker has work in hand: numbers that come again are not the same thing.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use zentry_e2e::emulator::Behaviour;
use zentry_e2e::numbered;
use zentry_e2e::scene::{SOON, Scene};

use crate::{channel, number};

/// Titles of the log's rows that count as sent, and how many rows do.
fn sent(scene: &mut Scene) -> (BTreeSet<i64>, usize) {
    let deliveries = scene.settle().unwrap();
    let sent: Vec<_> = deliveries
        .iter()
        .filter(|delivery| delivery.status == "sent")
        .collect();
    let title = |payload: &Value| -> Option<i64> {
        payload["task_title"]
            .as_str()?
            .strip_prefix("Task ")?
            .parse()
            .ok()
    };
    let told = sent.iter().filter_map(|delivery| title(&delivery.payload));
    (told.collect(), sent.len())
}

fn truncate_in_flight(tables: &str) {
    let mut scene = Scene::start().unwrap();
    let channel = channel(&mut scene);
    let cap = "UPDATE zentry_notify.webhook_integration SET max_events_per_message = 1";
    scene.client.batch_execute(cap).unwrap();
    numbered::complete(&mut scene.client, 1..=3).unwrap();
    channel.webhook.wait_for_events(3, SOON);
    scene.settle().unwrap();
    channel.webhook.script([
        Behaviour::Slow(Duration::from_millis(700)),
        Behaviour::Status(500),
    ]);
    numbered::complete(&mut scene.client, 4..=30).unwrap();
    channel.webhook.wait_for(4, SOON);
    const LAST: [&str; 2] = [
        "SELECT last_value FROM zentry_notify.event_id_seq",
        "SELECT last_value FROM zentry_notify.delivery_id_seq",
    ];
    const FIRST: [&str; 2] = [
        "SELECT min(e.id) FROM zentry_notify.event e WHERE e.data ->> 'task_title' = 'Task 31'",
        "SELECT min(l.id) FROM zentry_notify.logs l WHERE l.payload ->> 'task_title' = 'Task 31'",
    ];
    let before = LAST.map(|sql| number(&mut scene.client, sql));
    scene
        .client
        .batch_execute(&format!("TRUNCATE {tables} RESTART IDENTITY"))
        .unwrap();
    numbered::complete(&mut scene.client, 31..=40).unwrap();
    let (told, rows) = sent(&mut scene);
    let arrived = numbered::accepted(&channel.webhook);
    let once: BTreeSet<i64> = arrived.iter().copied().collect();
    assert_eq!(arrived.len(), once.len(), "{tables}: {arrived:?}");
    assert!((31..=40).all(|n| once.contains(&n)), "{tables}: {arrived:?}");
    assert!((31..=40).all(|n| told.contains(&n)), "{tables}: {told:?}");
    assert!(told.is_subset(&once), "{tables}: {told:?} of {once:?}");
    let received = usize::try_from(channel.webhook.event_count()).unwrap();
    assert!(
        rows <= received,
        "{tables}: {rows} rows of {received}: {arrived:?}"
    );
    let after = FIRST.map(|sql| number(&mut scene.client, sql));
    assert!(
        after[0] > before[0] && after[1] > before[1],
        "{tables}: {after:?} after {before:?}"
    );
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn nothing_counts_as_sent_that_never_left_when_events_are_truncated() {
    truncate_in_flight("zentry_notify.event, zentry_notify.event_detail");
}

#[test]
fn nothing_counts_as_sent_that_never_left_when_deliveries_are_truncated() {
    truncate_in_flight("zentry_notify.delivery");
}

#[test]
fn nothing_counts_as_sent_that_never_left_when_both_are_truncated() {
    truncate_in_flight("zentry_notify.delivery, zentry_notify.event, zentry_notify.event_detail");
}

#[test]
fn what_waited_for_a_truncated_webhook_never_goes_to_the_next_one() {
    let mut scene = Scene::start().unwrap();
    let old = channel(&mut scene);
    old.webhook.script([Behaviour::Slow(Duration::from_millis(700))]);
    old.webhook.script([
        Behaviour::Status(503),
        Behaviour::Status(503),
        Behaviour::Status(503),
    ]);
    numbered::complete(&mut scene.client, 1..=40).unwrap();
    old.webhook.wait_for(1, SOON);
    scene
        .client
        .batch_execute("TRUNCATE zentry_notify.webhook RESTART IDENTITY")
        .unwrap();
    let new = channel(&mut scene);
    assert!(new.id > old.id);
    numbered::complete(&mut scene.client, 41..=45).unwrap();
    new.webhook.wait_for_events(5, SOON);
    let deliveries = scene
        .wait_until("the new webhook's deliveries to be written", |all| {
            let new = all
                .iter()
                .filter(|delivery| delivery.webhook_integration_id == new.id);
            new.filter(|delivery| delivery.status == "sent").count() == 5
        })
        .unwrap();
    assert_eq!(numbered::accepted(&new.webhook), [41, 42, 43, 44, 45]);
    assert!(numbered::accepted(&old.webhook).iter().all(|n| *n <= 40));
    let of_new = deliveries
        .iter()
        .filter(|delivery| delivery.webhook_integration_id == new.id)
        .count();
    assert_eq!(of_new, 5);
}

/// A cursor that was set anew, and an event, in one commit: nobody wakes the worker for the event alone.
#[test]
fn what_comes_with_a_new_cursor_does_not_wait_for_what_comes_next() {
    let mut scene = Scene::start().unwrap();
    let channel = channel(&mut scene);
    numbered::complete(&mut scene.client, 1..=2).unwrap();
    channel.webhook.wait_for_events(2, SOON);
    scene.settle().unwrap();
    // So that the new one is not what the worker has known.
    scene
        .client
        .batch_execute("DELETE FROM zentry_notify.event; BEGIN; TRUNCATE zentry_notify.route_cursor; SELECT zentry_notify.route_from_now()")
        .unwrap();
    numbered::complete(&mut scene.client, 3..=3).unwrap();
    scene.client.batch_execute("COMMIT").unwrap();
    channel.webhook.wait_for_events(3, SOON);
    scene.settle().unwrap();
    assert_eq!(numbered::accepted(&channel.webhook), [1, 2, 3]);
}
