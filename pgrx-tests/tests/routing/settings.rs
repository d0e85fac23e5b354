//! Settings that change what becomes of routed events.

use zentry_e2e::numbered;
use zentry_e2e::scene::{SOON, Scene, all_sent};
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry;

use crate::{channel, number};

const KEPT: &str =
    "SELECT (SELECT count(*) FROM zentry_notify.event) + (SELECT count(*) FROM zentry_notify.event_detail)";

#[test]
fn without_log_payloads_an_event_goes_as_soon_as_nobody_waits_for_it() {
    let mut scene = Scene::empty().unwrap();
    scene.database.set("zentry_notify.log_payloads", "off").unwrap();
    zentry::load(&mut scene.client).unwrap();
    scene.install().unwrap();
    let channels = [channel(&mut scene), channel(&mut scene)];
    // The second answers late: its deliveries wait in the table meanwhile.
    channels[1]
        .webhook
        .script([zentry_e2e::emulator::Behaviour::Status(503)]);
    numbered::complete(&mut scene.client, 1..=30).unwrap();
    let deliveries = scene.settle().unwrap();
    assert_eq!(deliveries.len(), 60);
    assert!(all_sent(&deliveries));
    for channel in &channels {
        assert!(numbered::accepted(&channel.webhook).into_iter().eq(1..=30));
    }
    eventually(SOON, "the events to go", || {
        (number(&mut scene.client, KEPT) == 0).then_some(())
    })
    .unwrap();
    let deliveries = scene.deliveries().unwrap();
    assert!(!deliveries.is_empty());
    assert!(deliveries.iter().all(|delivery| delivery.payload.is_null()));
}

/// As in a session that has run what pg_dump wrote: nothing of ours that writes events there is taken for a dump.
#[test]
fn a_session_that_checks_no_functions_restores_nothing() {
    let mut scene = Scene::start().unwrap();
    let channel = channel(&mut scene);
    scene
        .client
        .batch_execute(
            "SET check_function_bodies = off; SELECT zentry_test_event('task_completed'); SELECT zentry_test_webhook(1)",
        )
        .unwrap();
    // With an index of somebody else's on expressions the trigger takes a statement instead of writing the row itself.
    scene
        .client
        .batch_execute("CREATE INDEX more ON zentry_notify.event ((data ->> 'task_id'))")
        .unwrap();
    numbered::complete(&mut scene.client, 1..=3).unwrap();
    scene.settle().unwrap();
    let arrived: Vec<i64> = numbered::accepted(&channel.webhook)
        .into_iter()
        .filter(|number| (1..=3).contains(number))
        .collect();
    assert_eq!(arrived, [1, 2, 3]);
    let restored: String = scene
        .client
        .query_one("SELECT restored FROM zentry_notify.route_cursor", &[])
        .unwrap()
        .get(0);
    assert_eq!(restored, "no");
}

#[test]
fn while_sending_is_off_events_become_deliveries_that_wait() {
    let mut scene = Scene::empty().unwrap();
    scene.database.set("zentry_notify.sending", "off").unwrap();
    zentry::load(&mut scene.client).unwrap();
    scene.install().unwrap();
    let channel = channel(&mut scene);
    for number in 1..=5 {
        numbered::complete(&mut scene.client, [number]).unwrap();
    }
    let waiting = scene
        .wait_until("five deliveries that wait", |all| all.len() == 5)
        .unwrap();
    assert!(waiting.iter().all(|delivery| delivery.status == "pending"));
    assert_eq!(waiting[0].payload["task_title"], "Task 1");
    assert!(waiting[0].payload["project_name"].is_string());
    assert_eq!(channel.webhook.requests(), 0);
    scene.database.set("zentry_notify.sending", "on").unwrap();
    numbered::complete(&mut scene.client, [6]).unwrap();
    scene.settle().unwrap();
    assert!(numbered::accepted(&channel.webhook).into_iter().eq(1..=6));
}
