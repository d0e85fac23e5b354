//! A webhook that is gone is switched off and never called again by itself.

use std::time::Duration;

use zentry_e2e::emulator::{Behaviour, Kind, Webhook};
use zentry_e2e::numbered;
use zentry_e2e::scene::{Channel, SOON, Scene};
use zentry_e2e::wait::eventually;

use crate::{channel, is_true, of, replace_worker, scene, set};

type Loss = fn(&Webhook);

/// Every way in which the vendors say so, and how the reason begins.
const LOSSES: [(Kind, Loss, &str); 7] = [
    (
        Kind::Discord,
        Webhook::remove,
        "404: the webhook does not exist any more",
    ),
    (
        Kind::Discord,
        |webhook| webhook.always(Behaviour::Status(401)),
        "401: ",
    ),
    (
        Kind::Connector,
        Webhook::remove,
        "410: the webhook does not exist any more",
    ),
    (
        Kind::Connector,
        |webhook| webhook.always(Behaviour::Status(404)),
        "404: the webhook does not exist any more",
    ),
    (
        Kind::Workflow,
        Webhook::remove,
        "404: the webhook does not exist any more",
    ),
    (Kind::Workflow, Webhook::disable, "400: the flow is switched off"),
    (
        Kind::Workflow,
        |webhook| webhook.always(Behaviour::Status(401)),
        "401: the flow wants a signed-in caller",
    ),
];

fn state(scene: &mut Scene, channel: &Channel) -> String {
    let row = scene.client.query_one(
        "SELECT state FROM zentry_notify.webhooks WHERE id = $1",
        &[&channel.id],
    );
    row.unwrap().get(0)
}

fn wait_until_gone(scene: &mut Scene, channel: &Channel) {
    eventually(SOON, "the webhook to be switched off", || {
        (state(scene, channel) == "gone").then_some(())
    })
    .unwrap();
}

/// What of the URL nobody may see.
fn secret(webhook: &Webhook) -> String {
    let url = webhook.url();
    let start = match webhook.kind() {
        Kind::Workflow => url.find("sig=").unwrap() + "sig=".len(),
        Kind::GoogleChat => url.find("key=").unwrap() + "key=".len(),
        _ => url.rfind('/').unwrap() + 1,
    };
    url[start..].to_owned()
}

/// The logs of all tests are one: numbers that no other test has tell the lines apart.
fn number_webhooks_from(scene: &mut Scene, first: i64) {
    let alter = format!("ALTER TABLE zentry_notify.webhook ALTER id RESTART WITH {first}");
    scene.client.batch_execute(&alter).unwrap();
}

#[test]
fn a_webhook_that_is_gone_is_switched_off_and_comes_back_with_a_new_url() {
    let mut scene = scene(&[]);
    number_webhooks_from(&mut scene, 710_001);
    let log_start = scene.database.cluster().log_end().unwrap();
    let channels = LOSSES.map(|(kind, lose, reason)| {
        let channel = channel(&mut scene, kind);
        lose(&channel.webhook);
        (channel, reason)
    });
    let witness = channel(&mut scene, Kind::Discord);
    numbered::complete(&mut scene.client, 1..=12).unwrap();
    let deliveries = scene.settle().unwrap();

    let log = scene.database.cluster().log_since(log_start).unwrap();
    for (channel, reason) in &channels {
        wait_until_gone(&mut scene, channel);
        let row = scene.client.query_one(
            "SELECT NOT is_active AND switched_off_at BETWEEN now() - interval '10 minutes' AND now(), switched_off_reason \
             FROM zentry_notify.webhook_integration WHERE id = $1",
            &[&channel.id],
        );
        let row = row.unwrap();
        assert!(row.get::<_, bool>(0), "{reason}");
        let given: String = row.get(1);
        assert!(given.starts_with(reason), "{given}");

        let own = of(&deliveries, channel);
        assert_eq!(own.len(), 12);
        for (index, delivery) in own.into_iter().enumerate() {
            assert_eq!(delivery.status, "failed");
            assert!(
                delivery.error_message.contains(reason),
                "{}",
                delivery.error_message
            );
            assert_eq!(
                delivery.attempts,
                i32::from(index < 10),
                "only the first message was posted"
            );
        }

        let warning = format!("webhook {} is switched off: {reason}", channel.id);
        let warnings = log
            .lines()
            .filter(|line| line.contains("WARNING") && line.contains(&warning));
        assert_eq!(warnings.count(), 1, "{warning}");
        assert!(
            !log.contains(&secret(&channel.webhook)),
            "{reason}: the log has the secret"
        );
    }

    // What happens meanwhile is for the others.
    numbered::complete(&mut scene.client, [13]).unwrap();
    witness.webhook.wait_for_events(13, SOON);
    for (channel, reason) in &channels {
        assert_eq!(channel.webhook.requests(), 1, "{reason}: called again");
    }

    for (channel, _) in &channels {
        let mended = scene.emulator.register(channel.webhook.kind());
        scene
            .client
            .execute(
                "SELECT zentry_update_webhook($1, webhook_url => $2)",
                &[&channel.id, &mended.url()],
            )
            .unwrap();
        assert_eq!(state(&mut scene, channel), "active");
        let retried = scene
            .client
            .query_one("SELECT zentry_retry_failed($1)", &[&channel.id])
            .unwrap();
        assert_eq!(retried.get::<_, i64>(0), 12);
        mended.wait_for_events(12, SOON);
        assert!(numbered::accepted(&mended).into_iter().eq(1..=12));
        assert_eq!(channel.webhook.requests(), 1);
    }
    let deliveries = scene.settle().unwrap();
    let again = deliveries.iter().filter(|delivery| delivery.retry_of.is_some());
    assert!(again.clone().all(|delivery| delivery.status == "sent"));
    assert_eq!(again.count(), 12 * channels.len());
}

#[test]
fn setting_is_active_brings_a_webhook_back() {
    const CLEARED: &str = "count(*) = 1 FROM zentry_notify.webhook_integration \
                           WHERE is_active AND switched_off_at IS NULL AND switched_off_reason IS NULL";
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    for round in 0..5 {
        channel.webhook.remove();
        numbered::complete(&mut scene.client, [2 * round]).unwrap();
        wait_until_gone(&mut scene, &channel);
        channel.webhook.restore();
        set(&mut scene, &channel, "is_active", "true");
        assert!(is_true(&mut scene.client, CLEARED, &[]));
        numbered::complete(&mut scene.client, [2 * round + 1]).unwrap();
        let deliveries = scene.settle().unwrap();
        let last = deliveries.last().unwrap();
        assert_eq!((last.status.as_str(), last.error_message.as_str()), ("sent", ""));
        assert_eq!(state(&mut scene, &channel), "active");
    }
    assert_eq!(numbered::accepted(&channel.webhook), [1, 3, 5, 7, 9]);
}

/// The worker sees only that it is on, as it was before.
#[test]
fn a_webhook_that_is_mended_before_the_worker_looks_again_comes_back_too() {
    const WAITING: &str = "SELECT FROM zentry_notify.delivery WHERE id > 10 FOR UPDATE";
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    channel.webhook.remove();
    channel.webhook.script([Behaviour::Slow(Duration::from_secs(2))]);
    numbered::complete(&mut scene.client, 1..=12).unwrap();

    // The worker has to give up two deliveries, and can't while they are locked.
    scene
        .wait_until("the deliveries to wait in the table", |all| all.len() == 12)
        .unwrap();
    let mut other = scene.database.connect().unwrap();
    let mut lock = other.transaction().unwrap();
    assert_eq!(lock.query(WAITING, &[]).unwrap().len(), 2);
    wait_until_gone(&mut scene, &channel);
    channel.webhook.restore();
    set(&mut scene, &channel, "is_active", "true");
    lock.commit().unwrap();

    numbered::complete(&mut scene.client, [13]).unwrap();
    let deliveries = scene.settle().unwrap();
    assert_eq!(deliveries.last().unwrap().status, "sent");
    assert!(numbered::accepted(&channel.webhook).ends_with(&[13]));
}

/// What a transaction wrote while the webhook was active is not for it when it commits afterwards. `between`: what happens before.
fn a_late_commit_is_not_for_it(between: fn(&mut Scene)) {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    channel.webhook.remove();
    let mut other = scene.database.connect().unwrap();
    let mut late = other.transaction().unwrap();
    numbered::complete(&mut late, [2]).unwrap();
    numbered::complete(&mut scene.client, [1]).unwrap();
    wait_until_gone(&mut scene, &channel);
    between(&mut scene);
    late.commit().unwrap();

    let deliveries = scene.settle().unwrap();
    assert_eq!(deliveries.len(), 1);
    for delivery in &deliveries {
        assert_eq!(delivery.status, "failed");
        assert!(
            delivery
                .error_message
                .contains("404: the webhook does not exist any more"),
            "{}",
            delivery.error_message
        );
    }
    assert_eq!(channel.webhook.requests(), 1);
}

#[test]
fn what_is_committed_after_a_webhook_was_switched_off_is_not_for_it() {
    a_late_commit_is_not_for_it(|_| ());
}

#[test]
fn what_is_committed_when_another_worker_has_taken_over_is_not_either() {
    a_late_commit_is_not_for_it(|scene| replace_worker(&mut scene.client));
}

#[test]
fn a_page_for_browsers_is_no_proof_that_a_webhook_is_gone() {
    let mut scene = scene(&[]);
    let channels = [Kind::Discord, Kind::Workflow].map(|kind| channel(&mut scene, kind));
    for channel in &channels {
        channel.webhook.script([Behaviour::Answer {
            status: 404,
            headers: vec![("content-type".to_owned(), "text/html".to_owned())],
            body: "<html><body>Not Found</body></html>".to_owned(),
        }]);
    }
    numbered::complete(&mut scene.client, [1]).unwrap();
    let deliveries = scene.settle().unwrap();
    for channel in &channels {
        let delivery = of(&deliveries, channel)[0];
        assert_eq!((delivery.status.as_str(), delivery.attempts), ("sent", 2));
        assert_eq!(state(&mut scene, channel), "active");
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}
