//! A webhook in trouble tells another one, when it begins and not again.

use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::numbered;
use zentry_e2e::scene::{Channel, SOON, Scene};
use zentry_e2e::wait::eventually;

use crate::{channel, is_true, replace_worker, scene, set};

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
    let mut said = notices(&told);
    let all = said.len();
    said.sort();
    said.dedup();
    assert_eq!(said.len(), all, "nothing twice: {said:#?}");
}

/// Those with notices are told of all that name nobody, and not of themselves.
#[test]
fn those_for_notices_hear_of_whoever_names_nobody() {
    let mut scene = scene(&[]);
    let all = channel(&mut scene, Kind::Workflow);
    let own = channel(&mut scene, Kind::Discord);
    let (failing, with_own) = (
        channel(&mut scene, Kind::Discord),
        channel(&mut scene, Kind::Discord),
    );
    set(&mut scene, &all, "notices", "true");
    tells(&mut scene, &with_own, &own);
    for channel in [&failing, &with_own] {
        channel.webhook.remove();
    }
    scene
        .client
        .batch_execute("SELECT zentry_set_wording('webhook_trouble', title => 'Look here', fields => '{\"Why\": \"{{ reason }}\"}')")
        .unwrap();
    numbered::complete(&mut scene.client, [1]).unwrap();
    let deliveries = scene
        .wait_until("two notices", |all| {
            let notices = all
                .iter()
                .filter(|delivery| delivery.event_type == "webhook_trouble");
            notices.count() == 2 && all.iter().all(|delivery| !delivery.waits())
        })
        .unwrap();
    let told: Vec<i64> = deliveries
        .iter()
        .filter(|delivery| delivery.event_type == "webhook_trouble")
        .map(|delivery| delivery.webhook_integration_id)
        .collect();
    assert!(told.contains(&all.id) && told.contains(&own.id), "{told:?}");
    let notice = own
        .webhook
        .shown()
        .into_iter()
        .find(|event| event.title.contains("Look here"));
    let notice = notice.expect("in the words that were set");
    assert!(
        notice
            .text
            .contains(&format!("({}) was switched off", with_own.id)),
        "{notice:?}"
    );
    assert!(notice.field("Why").is_some(), "{notice:?}");

    // When who is for notices is in trouble itself, nobody is told.
    all.webhook.remove();
    numbered::complete(&mut scene.client, [2]).unwrap();
    eventually(SOON, "it to be switched off", || {
        let gone = "(SELECT state = 'gone' FROM zentry_notify.webhooks WHERE id = $1)";
        is_true(&mut scene.client, gone, &[&all.id]).then_some(())
    })
    .unwrap();
    let notices = "(SELECT count(*) = 2 FROM zentry_notify.logs WHERE event_type = 'webhook_trouble')";
    assert!(is_true(&mut scene.client, notices, &[]));
}

#[test]
fn nobody_subscribes_to_notices_and_no_table_fires_them() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    for (sql, words) in [
        (
            format!(
                "SELECT zentry_update_webhook({}, event_types => '{{webhook_trouble}}')",
                channel.id
            ),
            "notices => true",
        ),
        (
            "SELECT zentry_attach('webhook_trouble', 'tasks_task')".to_owned(),
            "in trouble",
        ),
    ] {
        let error = scene.client.batch_execute(&sql).unwrap_err();
        let hint = error.as_db_error().unwrap().hint().unwrap_or_default();
        assert!(hint.contains(words), "{sql}: {error:?}");
    }
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
    for (id, what) in [(channel.id, "its own trouble"), (channel.id + 1000, "no webhook")] {
        let refused = scene.client.execute(
            "UPDATE zentry_notify.webhook_integration SET notify_webhook_id = $2 WHERE id = $1",
            &[&channel.id, &id],
        );
        let refused = refused.unwrap_err();
        let message = refused.as_db_error().unwrap().message();
        assert!(message.contains(what), "{message}");
    }
}

#[test]
fn where_who_is_named_is_off_those_for_notices_hear() {
    let mut scene = scene(&[]);
    let all = channel(&mut scene, Kind::Workflow);
    let (named, failing) = (
        channel(&mut scene, Kind::Discord),
        channel(&mut scene, Kind::Discord),
    );
    set(&mut scene, &all, "notices", "true");
    tells(&mut scene, &failing, &named);
    set(&mut scene, &named, "is_active", "false");
    failing.webhook.remove();
    numbered::complete(&mut scene.client, [1]).unwrap();
    let told = |scene: &mut Scene, count: usize| {
        scene
            .wait_until("the notice", |every| {
                let notices = every
                    .iter()
                    .filter(|delivery| delivery.event_type == "webhook_trouble");
                notices
                    .filter(|notice| notice.webhook_integration_id == all.id)
                    .count()
                    == count
            })
            .unwrap();
    };
    told(&mut scene, 1);

    // Likewise where it is gone.
    let second = channel(&mut scene, Kind::Discord);
    tells(&mut scene, &second, &named);
    scene
        .client
        .query("SELECT zentry_delete_webhook($1)", &[&named.id])
        .unwrap();
    second.webhook.remove();
    numbered::complete(&mut scene.client, [2]).unwrap();
    told(&mut scene, 2);
}
