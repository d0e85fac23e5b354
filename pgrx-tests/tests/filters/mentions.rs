//! mention: whom messages ping.

use serde_json::{Value, json};
use zentry_e2e::emulator::{Kind, Webhook};
use zentry_e2e::scene::Scene;
use zentry_e2e::site::fire;

use crate::refused;

const ROLE: &str = "role:123456789012345678";

fn bodies(webhook: &Webhook) -> Vec<Value> {
    let received = webhook.received();
    received.iter().map(|request| request.body.clone()).collect()
}

#[test]
fn every_message_pings_and_trials_too() {
    let mut scene = Scene::start().unwrap();
    let discord = scene.channel(Kind::Discord).unwrap();
    let flow = scene.channel(Kind::Workflow).unwrap();
    for (id, mention) in [(discord.id, ROLE), (flow.id, "user:ada@contoso.com Ada Lovelace")] {
        scene
            .client
            .execute(
                "SELECT zentry_update_webhook($1, mention => $2)",
                &[&id, &mention],
            )
            .unwrap();
    }
    fire(&mut scene.client).unwrap();
    scene.settle().unwrap();
    scene
        .client
        .execute("SELECT * FROM zentry_test_webhook($1)", &[&discord.id])
        .unwrap();
    let sent = bodies(&discord.webhook);
    assert_eq!(sent.len(), 2);
    for body in sent {
        assert_eq!(body["content"], "<@&123456789012345678>");
        assert_eq!(
            body["allowed_mentions"],
            json!({ "parse": [], "roles": ["123456789012345678"] })
        );
    }
    let card = &bodies(&flow.webhook)[0]["attachments"][0]["content"];
    assert_eq!(card["body"][0]["text"], "<at>Ada Lovelace</at>");
    assert_eq!(
        card["msteams"]["entities"][0]["mentioned"]["id"],
        "ada@contoso.com"
    );
    assert_eq!(scene.emulator.complaints(), [] as [&str; 0]);

    let shown = scene
        .client
        .query_one(
            "SELECT mention FROM zentry_notify.webhooks WHERE id = $1",
            &[&discord.id],
        )
        .unwrap();
    assert_eq!(shown.get::<_, &str>(0), ROLE);
    scene
        .client
        .execute("SELECT zentry_update_webhook($1, mention => '')", &[&discord.id])
        .unwrap();
    fire(&mut scene.client).unwrap();
    scene.settle().unwrap();
    let last = bodies(&discord.webhook).pop().unwrap();
    assert_eq!(
        (&last["content"], &last["allowed_mentions"]),
        (&Value::Null, &json!({ "parse": [] }))
    );
}

#[test]
fn what_can_ping_nobody_is_refused_with_a_hint() {
    let mut scene = Scene::start().unwrap();
    let discord = scene.channel(Kind::Discord).unwrap().id;
    let connector = scene.channel(Kind::Connector).unwrap().id;
    let flow = scene.channel(Kind::Workflow).unwrap().id;
    for (id, mention, message) in [
        (
            discord,
            "@everyone",
            "mention: \"@everyone\" is no role or user of Discord",
        ),
        (
            flow,
            ROLE,
            "mention: \"role:123456789012345678\" is no user of Teams",
        ),
        (
            connector,
            "user:ada@contoso.com Ada",
            "mention: a connector of Teams can mention nobody",
        ),
    ] {
        let (code, text, hint) = refused(
            &mut scene.client,
            &format!("SELECT zentry_update_webhook({id}, mention => '{mention}')"),
        );
        assert_eq!(
            (code.as_str(), text.as_str(), hint.is_empty()),
            ("22023", message, false)
        );
    }
    // Another URL has to go with the mention that is there.
    scene
        .client
        .execute(
            "SELECT zentry_update_webhook($1, mention => $2)",
            &[&discord, &ROLE],
        )
        .unwrap();
    let url = scene.emulator.register(Kind::Workflow).url();
    let (_, text, _) = refused(
        &mut scene.client,
        &format!("SELECT zentry_update_webhook({discord}, webhook_type => 'teams', webhook_url => '{url}')"),
    );
    assert!(text.contains("is no user of Teams"), "{text}");
}
