//! A webhook in trouble tells another one, when it begins and not again.

use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::numbered;
use zentry_e2e::scene::{Channel, SOON, Scene};

use crate::{channel, replace_worker, scene, set};

fn tells(scene: &mut Scene, channel: &Channel, other: &Channel) {
    set(scene, channel, "notify_webhook_id", &other.id.to_string());
}

/// What the notices say, as a person reads them.
fn notices(channel: &Channel) -> Vec<String> {
    let shown = channel.webhook.shown().into_iter();
    shown
        .map(|event| format!("{event:?}"))
        .filter(|text| text.to_lowercase().contains("webhook trouble"))
        .collect()
}

#[test]
fn who_is_named_hears_of_the_trouble_once() {
    let mut scene = scene(&[]);
    let told = channel(&mut scene, Kind::Workflow);
    let failing = channel(&mut scene, Kind::Discord);
    let gone = channel(&mut scene, Kind::Discord);
    let late = channel(&mut scene, Kind::Discord);
    for channel in [&failing, &gone, &late] {
        tells(&mut scene, channel, &told);
    }
    failing.webhook.always(Behaviour::Answer {
        status: 400,
        headers: Vec::new(),
        body: r#"{"message": "archived", "code": 50083}"#.to_owned(),
    });
    gone.webhook.remove();
    late.webhook.always(Behaviour::Status(500));
    set(&mut scene, &late, "max_age", "2 seconds");
    numbered::complete(&mut scene.client, 1..=3).unwrap();
    told.webhook.wait_for_events(6, SOON);
    let said = notices(&told);
    for (channel, what) in [
        (&failing, "fails"),
        (&gone, "was switched off"),
        (&late, "lets deliveries expire"),
    ] {
        let about = format!("({})", channel.id);
        let told = said
            .iter()
            .filter(|notice| notice.contains(&about) && notice.contains(what));
        assert_eq!(told.count(), 1, "{what}: {said:#?}");
    }

    // It goes on, and nothing more is said.
    replace_worker(&mut scene.client);
    numbered::complete(&mut scene.client, 4..=5).unwrap();
    scene
        .wait_until("what is late to expire", |all| {
            let own = all
                .iter()
                .filter(|delivery| delivery.webhook_integration_id == late.id);
            own.clone().count() == 5 && own.clone().all(|delivery| delivery.status == "failed")
        })
        .unwrap();
    told.webhook.wait_for_events(8, SOON);
    let mut said: Vec<String> = told
        .webhook
        .shown()
        .into_iter()
        .map(|event| format!("{:?}", event.fields))
        .collect();
    said.retain(|fields| fields.contains("(") && !fields.contains("Task"));
    let all = said.len();
    said.sort();
    said.dedup();
    assert_eq!(said.len(), all, "nothing twice: {said:#?}");
}

#[test]
fn two_that_tell_each_other_make_no_loop() {
    let mut scene = scene(&[]);
    let channels = [
        channel(&mut scene, Kind::Discord),
        channel(&mut scene, Kind::Discord),
    ];
    for (channel, other) in [(0, 1), (1, 0)] {
        tells(&mut scene, &channels[channel], &channels[other]);
        channels[channel].webhook.always(Behaviour::Status(500));
        set(&mut scene, &channels[channel], "max_age", "1 second");
    }
    numbered::complete(&mut scene.client, 1..=2).unwrap();
    let deliveries = scene.settle().unwrap();
    let notices = deliveries
        .iter()
        .filter(|delivery| delivery.event_type == "webhook_trouble");
    assert!((1..=4).contains(&notices.count()), "{deliveries:#?}");
}

#[test]
fn nobody_is_told_of_his_own_trouble() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    for (id, what) in [
        (channel.id, "a webhook that fails"),
        (channel.id + 1000, "no webhook"),
    ] {
        let refused = scene.client.execute(
            "UPDATE zentry_notify.webhook_integration SET notify_webhook_id = $2 WHERE id = $1",
            &[&channel.id, &id],
        );
        let refused = refused.unwrap_err();
        let message = refused.as_db_error().unwrap().message();
        assert!(message.contains(what), "{message}");
    }
}
