//! Webhooks that collect: one message for all that has gathered.

use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::numbered;
use zentry_e2e::scene::{Channel, SOON, Scene};

use crate::{KINDS, channel, is_true, replace_worker, scene, set};

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
    for kind in KINDS {
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
    assert!(
        deliveries
            .iter()
            .all(|delivery| (delivery.status.as_str(), delivery.attempts) == ("sent", 3))
    );
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
