//! After an outage a channel is not flooded with what nobody wants to know any more.

use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::numbered;
use zentry_e2e::scene::{Channel, SOON, Scene};

use crate::{channel, of, scene, set};

/// Three deliveries that were created so long ago.
fn outage(scene: &mut Scene, channel: &Channel, age: &str) {
    let backdated = format!(
        "INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload, created_at) \
         SELECT {}, 'task_completed', jsonb_build_object('task_title', 'Task ' || n), now() - interval '{age}' \
         FROM generate_series(1, 3) n",
        channel.id
    );
    scene.client.batch_execute(&backdated).unwrap();
}

fn outcome(scene: &mut Scene, channel: &Channel) -> Vec<(String, i32, String)> {
    let deliveries = scene.settle().unwrap();
    let own = of(&deliveries, channel).into_iter();
    own.map(|delivery| {
        (
            delivery.status.clone(),
            delivery.attempts,
            delivery.error_message.clone(),
        )
    })
    .collect()
}

fn sent() -> (String, i32, String) {
    ("sent".to_owned(), 1, String::new())
}

fn expired(error: &str) -> (String, i32, String) {
    ("failed".to_owned(), 0, error.to_owned())
}

#[test]
fn what_is_older_than_a_day_expires_without_a_request() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    // The worker learns of all of them at once.
    scene.client.batch_execute("BEGIN").unwrap();
    outage(&mut scene, &channel, "25 hours");
    outage(&mut scene, &channel, "23 hours");
    numbered::complete(&mut scene.client, [4]).unwrap();
    scene.client.batch_execute("COMMIT").unwrap();
    let late = expired("expired: not delivered within 24h");
    let expected = [vec![late; 3], vec![sent(); 4]].concat();
    assert_eq!(outcome(&mut scene, &channel), expected);
    assert_eq!(numbered::messages(&channel.webhook), [[1, 2, 3, 4]]);
    assert_eq!(channel.webhook.requests(), 1);

    // A person may want one of them all the same.
    scene.client.execute("SELECT zentry_retry(2)", &[]).unwrap();
    scene.settle().unwrap();
    assert_eq!(numbered::messages(&channel.webhook), [vec![1, 2, 3, 4], vec![2]]);
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn max_age_is_a_setting_and_a_channel_may_have_its_own() {
    let mut scene = scene(&[("max_age", "2h")]);
    let ordinary = channel(&mut scene, Kind::Discord);
    let patient = channel(&mut scene, Kind::Workflow);
    let hasty = channel(&mut scene, Kind::Connector);
    set(&mut scene, &patient, "max_age", "3 days");
    set(&mut scene, &hasty, "max_age", "30 minutes");
    for (channel, age) in [(&ordinary, "3 hours"), (&patient, "2 days"), (&hasty, "1 hour")] {
        outage(&mut scene, channel, age);
    }
    numbered::complete(&mut scene.client, [4]).unwrap();
    let late = |limit: &str| {
        let late = expired(&format!("expired: not delivered within {limit}"));
        [vec![late; 3], vec![sent()]].concat()
    };
    assert_eq!(outcome(&mut scene, &ordinary), late("2h"));
    assert_eq!(outcome(&mut scene, &hasty), late("30m"));
    assert_eq!(outcome(&mut scene, &patient), vec![sent(); 4]);
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn what_waits_for_another_try_expires_too() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    set(&mut scene, &channel, "max_age", "2 seconds");
    channel.webhook.always(Behaviour::Status(500));
    numbered::complete(&mut scene.client, [1]).unwrap();
    channel.webhook.wait_for(1, SOON);
    let deliveries = scene.settle().unwrap();
    assert_eq!(deliveries[0].status, "failed");
    assert_eq!(deliveries[0].error_message, "expired: not delivered within 2s");
    assert!((1..8).contains(&deliveries[0].attempts));
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

/// A length of time that no clock has would stop the worker of everybody.
#[test]
fn an_age_of_more_than_a_year_is_refused() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    for age in ["178000000 years", "366 days 1 hour", "-1 day"] {
        let error = scene
            .client
            .batch_execute(&format!(
                "SELECT zentry_update_webhook({}, max_age => '{age}')",
                channel.id
            ))
            .unwrap_err();
        assert_eq!(
            error.code(),
            Some(&postgres::error::SqlState::CHECK_VIOLATION),
            "{age}"
        );
    }
    // As 0.2.0 may have left it.
    scene
        .client
        .batch_execute(
            "SET session_replication_role = replica; UPDATE zentry_notify.webhook SET max_age = '178000000 years'; \
             RESET session_replication_role",
        )
        .unwrap();
    numbered::complete(&mut scene.client, [1]).unwrap();
    assert_eq!(outcome(&mut scene, &channel), [sent()]);
}
