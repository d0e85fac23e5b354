//! Webhooks that collect: one message for all that has gathered.

use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::numbered;
use zentry_e2e::scene::{Channel, Delivery, SOON, Scene, all_sent};

use crate::{channel, is_true, of, replace_worker, scene, set};

fn waiting(scene: &mut Scene, count: usize) {
    let what = format!("{count} to wait in the table");
    scene
        .wait_until(&what, |all| {
            all.len() == count && all.iter().all(|delivery| delivery.waits())
        })
        .unwrap();
}

/// What gathers is held, and not late.
fn held_for_an_hour(scene: &mut Scene) -> bool {
    is_true(
        &mut scene.client,
        "(SELECT held_until BETWEEN now() + interval '50 minutes' AND now() + interval '1 hour' FROM zentry_notify.webhooks) \
         AND NOT EXISTS (SELECT FROM zentry_notify.due_delivery)",
        &[],
    )
}

/// The time that it gathers passes.
fn an_hour_later(scene: &mut Scene, channel: &Channel) {
    scene
        .client
        .batch_execute(&format!(
            "UPDATE zentry_notify.event SET created_at = created_at - interval '1 hour'; SELECT zentry_resume({})",
            channel.id
        ))
        .unwrap();
}

#[test]
fn what_has_gathered_arrives_as_one_message_in_every_format() {
    for kind in Kind::CHATS {
        let mut scene = scene(&[]);
        let channel = channel(&mut scene, kind);
        set(&mut scene, &channel, "digest", "1 hour");
        numbered::complete(&mut scene.client, 1..=12).unwrap();
        waiting(&mut scene, 12);
        // Whatever becomes of the worker.
        replace_worker(&mut scene.client);
        numbered::complete(&mut scene.client, 13..=15).unwrap();
        waiting(&mut scene, 15);
        assert_eq!(channel.webhook.requests(), 0, "{kind:?}");
        assert!(held_for_an_hour(&mut scene), "{kind:?}");

        an_hour_later(&mut scene, &channel);
        let deliveries = scene.settle().unwrap();
        for delivery in &deliveries {
            assert_eq!(
                (delivery.status.as_str(), delivery.attempts),
                ("sent", 1),
                "{kind:?}"
            );
        }
        assert_eq!(channel.webhook.requests(), 1, "{kind:?}");
        let shown = channel.webhook.shown();
        let [digest] = shown.as_slice() else {
            panic!("{kind:?}: {shown:?}")
        };
        let said = format!("{digest:?}");
        assert!(digest.title.contains("15 events"), "{kind:?}: {said}");
        assert_eq!(digest.field("Task Completed"), Some("15"), "{kind:?}: {said}");
        assert!(
            said.contains("The last 10 of them") && said.matches("✅").count() == 10,
            "{kind:?}: {said}"
        );
    }
}

#[test]
fn a_digest_that_fails_is_sent_again_as_a_whole() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    set(&mut scene, &channel, "digest", "1 hour");
    channel
        .webhook
        .script([Behaviour::Status(500), Behaviour::Status(502)]);
    numbered::complete(&mut scene.client, 1..=5).unwrap();
    waiting(&mut scene, 5);
    an_hour_later(&mut scene, &channel);
    let deliveries = scene.settle().unwrap();
    let told: Vec<(&str, i32)> = deliveries
        .iter()
        .map(|delivery| (delivery.status.as_str(), delivery.attempts))
        .collect();
    assert_eq!(told, [("sent", 3); 5]);
    assert_eq!(channel.webhook.requests(), 3);
}

/// Without its digest, a webhook is told at once what has gathered.
#[test]
fn what_has_gathered_leaves_when_the_digest_is_taken_away() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Workflow);
    set(&mut scene, &channel, "digest", "0 0 1 1 *");
    numbered::complete(&mut scene.client, 1..=3).unwrap();
    waiting(&mut scene, 3);
    scene
        .client
        .batch_execute(&format!(
            "SELECT zentry_update_webhook({}, digest => '')",
            channel.id
        ))
        .unwrap();
    channel.webhook.wait_for_events(3, SOON);
    assert!(numbered::accepted(&channel.webhook).into_iter().eq(1..=3));
}

#[test]
fn a_preview_shows_the_digest() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    set(&mut scene, &channel, "digest", "1 hour");
    let preview: serde_json::Value = scene
        .client
        .query_one(
            "SELECT zentry_preview('task_completed', webhook_id => $1)",
            &[&channel.id],
        )
        .unwrap()
        .get(0);
    assert_eq!(preview["embeds"][0]["title"], "📋 1 event");
    assert_eq!(preview["embeds"][0]["fields"][0]["name"], "Task Completed");
    // The test message is none.
    scene
        .client
        .execute("SELECT zentry_test_webhook($1)", &[&channel.id])
        .unwrap();
    assert_eq!(channel.webhook.requests(), 1);
}

/// A burst that is routed in pieces, while the digest that it belongs to is due.
#[test]
fn whatever_comes_before_it_is_in_the_one_message() {
    const EVENTS: i64 = 5_000;
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    set(&mut scene, &channel, "digest", "1 hour");
    numbered::complete(&mut scene.client, 1..=3).unwrap();
    waiting(&mut scene, 3);
    // Nothing is routed meanwhile.
    let mut other = scene.database.connect().unwrap();
    other
        .batch_execute("BEGIN; LOCK TABLE zentry_notify.route_cursor IN ACCESS EXCLUSIVE MODE")
        .unwrap();
    numbered::complete(&mut scene.client, 4..=EVENTS).unwrap();
    an_hour_later(&mut scene, &channel);
    other.batch_execute("COMMIT").unwrap();
    let all_sent = |all: &[Delivery]| {
        all.len() == EVENTS as usize && all.iter().all(|delivery| delivery.status == "sent")
    };
    scene.wait_until("all of them to be sent", all_sent).unwrap();
    assert_eq!(channel.webhook.requests(), 1);
    let shown = channel.webhook.shown();
    assert!(shown[0].title.contains("5,000 events"), "{shown:?}");
    let said = format!("{shown:?}");
    for number in EVENTS - 9..=EVENTS {
        assert!(said.contains(&format!("Task {number}")), "{number}: {said}");
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn a_digest_that_may_not_be_posted_is_kept() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    set(&mut scene, &channel, "digest", "1 hour");
    channel.webhook.script([Behaviour::Answer {
        status: 403,
        headers: Vec::new(),
        body: r#"{"message": "Missing Permissions", "code": 50013}"#.to_owned(),
    }]);
    numbered::complete(&mut scene.client, 1..=12).unwrap();
    waiting(&mut scene, 12);
    an_hour_later(&mut scene, &channel);
    channel.webhook.wait_for(1, SOON);
    scene
        .wait_until("its answer to be recorded", |all| {
            all.len() == 12
                && all
                    .iter()
                    .all(|delivery| delivery.waits() && delivery.error_message.contains("403 forbidden"))
        })
        .unwrap();
    scene
        .client
        .execute("SELECT zentry_resume($1)", &[&channel.id])
        .unwrap();
    let deliveries = scene.settle().unwrap();
    assert!(all_sent(&deliveries), "{deliveries:#?}");
    assert_eq!(channel.webhook.requests(), 2);
}

#[test]
fn a_sample_among_events_is_told_from_them() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    set(&mut scene, &channel, "digest", "1 hour");
    scene.client.execute("SELECT zentry_test_event()", &[]).unwrap();
    numbered::complete(&mut scene.client, 1..=12).unwrap();
    waiting(&mut scene, 13);
    an_hour_later(&mut scene, &channel);
    scene.settle().unwrap();
    let said = format!("{:?}", channel.webhook.shown());
    assert!(said.contains("1 of them is a sample, not an event"), "{said}");
    assert!(!said.contains("A sample, not an event"), "{said}");

    numbered::complete(&mut scene.client, [13]).unwrap();
    scene.client.execute("SELECT zentry_test_event()", &[]).unwrap();
    waiting_of(&mut scene, &channel, 2);
    an_hour_later(&mut scene, &channel);
    scene.settle().unwrap();
    let shown = channel.webhook.shown();
    let said = format!("{:?}", shown[1]);
    assert!(said.matches("Sample: ").count() == 1, "{said}");
}

fn waiting_of(scene: &mut Scene, channel: &Channel, count: usize) {
    scene
        .wait_until("these to wait in the table", |all| {
            of(all, channel)
                .iter()
                .filter(|delivery| delivery.waits())
                .count()
                == count
        })
        .unwrap();
}

/// Also of one that a person has switched off: it grows old from when it would have left.
#[test]
fn what_gathers_for_one_that_is_off_grows_no_older() {
    let mut scene = scene(&[]);
    let gathering = channel(&mut scene, Kind::Discord);
    let quiet = channel(&mut scene, Kind::Discord);
    let ordinary = channel(&mut scene, Kind::Discord);
    let awake = channel(&mut scene, Kind::Discord);
    set(&mut scene, &gathering, "digest", "1 day");
    scene
        .client
        .execute(
            "SELECT zentry_update_webhook($1, quiet_hours => to_char(now() AT TIME ZONE 'UTC' - interval '6 hours', 'HH24:MI') \
                                                             || to_char(now() AT TIME ZONE 'UTC' + interval '1 hour', '-HH24:MI \"UTC\"'))",
            &[&quiet.id],
        )
        .unwrap();
    for channel in [&gathering, &quiet, &ordinary] {
        set(&mut scene, channel, "max_age", "1 hour");
        set(&mut scene, channel, "is_active", "false");
        let waits = "INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload, created_at) \
                     VALUES ($1, 'task_completed', '{}', now() - interval '5 hours')";
        scene.client.execute(waits, &[&channel.id]).unwrap();
    }
    numbered::complete(&mut scene.client, [1]).unwrap();
    awake.webhook.wait_for_events(1, SOON);
    // One that comes looks for what has expired.
    replace_worker(&mut scene.client);
    let expired = |all: &[Delivery]| of(all, &ordinary)[0].status == "failed";
    let all = scene.wait_until("the ordinary one to expire", expired).unwrap();
    assert!(of(&all, &ordinary)[0].error_message.starts_with("expired: "));
    for channel in [&gathering, &quiet] {
        assert_eq!(of(&all, channel)[0].status, "pending");
    }
}
