//! Receivers that check signatures: the standard's own library is what says whether they are right.

use std::time::Duration;

use serde_json::{Value, json};
use standardwebhooks::Webhook as Verifier;
use zentry_e2e::emulator::{Behaviour, Kind, Received};
use zentry_e2e::numbered;
use zentry_e2e::scene::{Channel, Scene, all_sent};

use crate::outages::wait_for_state;
use crate::{channel, is_true, scene};

const SCHEMAS: &str = include_str!("../../../docs/reference/events.schema.json");

/// As far as our schemas go: types, constants, and members of objects.
fn assert_fits(value: &Value, schema: &Value) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_kind = |one: &Value| one == kind || (one == "number" && kind == "integer");
    let fits = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().any(is_kind),
        Value::Null => schema["const"] == *value,
        one => is_kind(one),
    };
    assert!(fits, "{value} is not {schema}");
    for (name, member) in value.as_object().into_iter().flatten() {
        assert_fits(member, &schema["properties"][name]);
    }
}

/// Gives the channel a secret, and returns it.
fn new_secret(scene: &mut Scene, channel: &Channel, arguments: &str) -> String {
    let call = format!("SELECT zentry_new_secret({}{arguments})", channel.id);
    scene.client.query_one(&call, &[]).unwrap().get(0)
}

fn verifies(secret: &str, received: &Received) -> bool {
    let mut headers = http::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, received.header(name).unwrap().parse().unwrap());
    }
    let verifier = Verifier::new(secret).unwrap();
    verifier.verify(received.raw.as_bytes(), &headers).is_ok()
}

#[test]
fn an_event_is_signed_json() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Signed);
    let secret = new_secret(&mut scene, &channel, "");
    assert!(secret.starts_with("whsec_"));
    numbered::complete(&mut scene.client, 1..=3).unwrap();
    let deliveries = scene.settle().unwrap();
    assert!(all_sent(&deliveries));
    let received = channel.webhook.received();
    assert_eq!(received.len(), 3, "a request for each event");
    let schemas: Value = serde_json::from_str(SCHEMAS).unwrap();
    let mut ids = Vec::new();
    for (received, delivery) in received.iter().zip(&deliveries) {
        assert!(verifies(&secret, received));
        assert_eq!(received.body["type"], "task_completed");
        assert_eq!(received.body["data"], delivery.payload);
        assert_fits(&received.body, &schemas["$defs"]["task_completed"]);
        let at: jiff::Timestamp = received.body["timestamp"].as_str().unwrap().parse().unwrap();
        assert_eq!(at, delivery.created_at);
        assert!(
            received
                .header("user-agent")
                .unwrap()
                .starts_with("zentry_notify/")
        );
        ids.push(received.header("webhook-id").unwrap().to_owned());
    }
    ids.dedup();
    assert_eq!(ids.len(), 3);
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

/// What comes again has the same id, and is signed anew.
#[test]
fn an_attempt_more_has_the_same_id() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Signed);
    let secret = new_secret(&mut scene, &channel, "");
    channel.webhook.script([
        Behaviour::LoseAnswer,
        Behaviour::Status(404),
        Behaviour::Status(502),
    ]);
    numbered::complete(&mut scene.client, [1]).unwrap();
    assert!(all_sent(&scene.settle().unwrap()));
    let received = channel.webhook.received();
    assert_eq!(received.len(), 4);
    assert!(received.iter().all(|received| verifies(&secret, received)));
    let ids: Vec<_> = received
        .iter()
        .map(|received| received.header("webhook-id"))
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn a_secret_is_given_or_made_and_the_old_one_has_a_time_of_grace() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Signed);
    let first = new_secret(&mut scene, &channel, "");
    let given = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let second = new_secret(&mut scene, &channel, &format!(", secret => '{given}'"));
    assert_eq!(second, given);
    let mut heard = 0;
    let mut next = |scene: &mut Scene| {
        heard += 1;
        numbered::complete(&mut scene.client, [heard]).unwrap();
        scene.settle().unwrap();
        channel.webhook.received().pop().unwrap()
    };
    let both = next(&mut scene);
    assert!(verifies(&first, &both) && verifies(given, &both));
    // The time of grace is over.
    scene
        .client
        .batch_execute("UPDATE zentry_notify.webhook_secret SET previous_until = now() - interval '1 second'")
        .unwrap();
    let one = next(&mut scene);
    assert!(!verifies(&first, &one) && verifies(given, &one));
    let third = new_secret(&mut scene, &channel, ", grace => '0'");
    let alone = next(&mut scene);
    assert!(!verifies(given, &alone) && verifies(&third, &alone));
}

/// A receiver that knows another secret keeps nothing from its events: they wait, and leave once the secret is another one.
#[test]
fn a_refused_signature_waits_for_another_secret() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Signed);
    channel.webhook.always(Behaviour::Status(401));
    numbered::complete(&mut scene.client, 1..=3).unwrap();
    wait_for_state(&mut scene, &channel, "failing");
    channel.webhook.recover();
    let secret = new_secret(&mut scene, &channel, "");
    assert!(all_sent(&scene.settle().unwrap()));
    assert_eq!(numbered::accepted(&channel.webhook), [1, 2, 3]);
    assert!(verifies(&secret, &channel.webhook.received().pop().unwrap()));

    // Headers are what it looks at, too; and it was switched off.
    channel.webhook.always(Behaviour::Status(403));
    numbered::complete(&mut scene.client, 4..=20).unwrap();
    scene
        .client
        .batch_execute("UPDATE zentry_notify.webhook SET switched_off_at = now(), switched_off_reason = 'x', is_active = false")
        .unwrap();
    wait_for_state(&mut scene, &channel, "gone");
    channel.webhook.recover();
    let update = format!(
        "SELECT zentry_update_webhook({}, headers => '{{\"x-team\": \"blue\"}}')",
        channel.id
    );
    scene.client.batch_execute(&update).unwrap();
    wait_for_state(&mut scene, &channel, "active");
    numbered::complete(&mut scene.client, [21]).unwrap();
    scene.settle().unwrap();
    assert_eq!(numbered::accepted(&channel.webhook).last(), Some(&21));
    assert_eq!(
        channel.webhook.received().pop().unwrap().header("x-team"),
        Some("blue")
    );
}

/// Redirects are an error, and what is not a chat's answer counts by its status alone.
#[test]
fn only_the_status_of_an_answer_counts() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Signed);
    let elsewhere = scene.emulator.register(Kind::Signed);
    let answer = |status, headers: &[(&str, &str)]| Behaviour::Answer {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: "<html>".into(),
    };
    let page = [("content-type", "text/html")];
    channel.webhook.script([
        answer(307, &[("location", &elsewhere.url())]),
        answer(500, &page),
        answer(200, &page),
        answer(201, &page),
    ]);
    numbered::complete(&mut scene.client, 1..=3).unwrap();
    assert!(all_sent(&scene.settle().unwrap()));
    assert_eq!((channel.webhook.requests(), elsewhere.requests()), (5, 0));
}

/// Values of headers are in nothing that a reader sees, not even where the receiver echoes them.
#[test]
fn headers_are_sent_and_shown_to_nobody() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Signed);
    scene
        .client
        .batch_execute(&format!(
            r#"SELECT zentry_update_webhook({}, headers => '{{"Authorization": "Bearer swordfish-swordfish", "x-team": "blue"}}')"#,
            channel.id
        ))
        .unwrap();
    channel.webhook.script([Behaviour::Answer {
        status: 410,
        headers: Vec::new(),
        body: "you sent Bearer swordfish-swordfish, or swordfish-swordfish".into(),
    }]);
    numbered::complete(&mut scene.client, [1]).unwrap();
    let delivery = scene.settle().unwrap().remove(0);
    let received = channel.webhook.received().remove(0);
    assert_eq!(
        received.header("authorization"),
        Some("Bearer swordfish-swordfish")
    );
    assert_eq!(received.header("x-team"), Some("blue"));
    // 410 switches it off.
    wait_for_state(&mut scene, &channel, "gone");
    assert_eq!(delivery.status, "failed");
    assert!(!delivery.response_body.contains("swordfish"), "{delivery:?}");
    assert!(!delivery.error_message.contains("swordfish"), "{delivery:?}");
    assert!(is_true(
        &mut scene.client,
        "(SELECT state = 'gone' AND header_names = '{authorization,x-team}' AND reason NOT LIKE '%swordfish%' FROM zentry_notify.webhooks)",
        &[],
    ));
    scene
        .client
        .batch_execute(&format!(
            "SELECT zentry_update_webhook({}, headers => '{{}}')",
            channel.id
        ))
        .unwrap();
    assert!(is_true(
        &mut scene.client,
        "(SELECT header_names = '{}' FROM zentry_notify.webhooks)",
        &[]
    ));
}

#[test]
fn what_it_takes_no_part_in_is_refused() {
    let mut scene = scene(&[]);
    let (signed, discord) = (
        channel(&mut scene, Kind::Signed),
        channel(&mut scene, Kind::Discord),
    );
    for call in [
        format!("SELECT zentry_update_webhook({}, digest => '1 hour')", signed.id),
        format!("SELECT zentry_update_webhook({}, mention => 'all')", signed.id),
        format!("SELECT zentry_new_secret({})", discord.id),
        format!(
            "SELECT zentry_update_webhook({}, headers => '{{\"a\": \"b\"}}')",
            discord.id
        ),
        format!(
            "SELECT zentry_update_webhook({}, headers => '{{\"host\": \"b\"}}')",
            signed.id
        ),
        format!(
            "SELECT zentry_new_secret({}, secret => 'whsec_swordfish')",
            signed.id
        ),
        "SELECT zentry_register_webhook('x', 'webhook', 'https://hooks.example.net/x')".to_owned(),
        format!(
            "SELECT zentry_register_webhook('x', 'discord', '{}', secret => 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')",
            discord.webhook.url()
        ),
        format!("SELECT zentry_new_secret({}, grace => '31 days')", signed.id),
        "SELECT zentry_new_secret(987654)".to_owned(),
    ] {
        let error = scene.client.batch_execute(&call).unwrap_err();
        let error = error.as_db_error().unwrap();
        assert!(
            ["22023", "P0002", "02000"].contains(&error.code().code()),
            "{error:?}"
        );
        assert!(error.hint().is_some(), "{error:?}");
        assert!(!error.message().contains("swordfish"), "{error:?}");
    }
}

#[test]
fn its_preview_and_its_test_are_events_too() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Signed);
    let secret = new_secret(&mut scene, &channel, "");
    let preview: Value = scene
        .client
        .query_one(
            "SELECT zentry_preview('task_completed', webhook_id => $1)::jsonb",
            &[&channel.id],
        )
        .unwrap()
        .get(0);
    assert_eq!(preview["type"], "task_completed");
    assert_eq!(preview["data"]["task_id"], 4211);
    let status: String = scene
        .client
        .query_one(
            "SELECT status FROM zentry_test_webhook($1, 'Hello')",
            &[&channel.id],
        )
        .unwrap()
        .get(0);
    assert_eq!(status, "sent");
    let received = channel.webhook.wait_for(1, Duration::from_secs(30)).remove(0);
    assert!(verifies(&secret, &received));
    assert_eq!(received.body["data"], json!({"message": "Hello"}));
    scene
        .client
        .batch_execute("SELECT zentry_test_event('task_completed')")
        .unwrap();
    assert!(all_sent(&scene.settle().unwrap()));
    let sample = channel.webhook.received().pop().unwrap();
    assert_eq!(sample.body["sample"], true);
    assert!(sample.body["data"].get("zentry_sample").is_none());
}

/// Who may change a webhook may not learn what its headers say.
#[test]
fn headers_do_not_go_to_another_url() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Signed);
    let url = format!("webhook_url => '{}'", channel.webhook.url());
    let elsewhere = format!("webhook_url => '{}?again'", channel.webhook.url());
    let mut change = |arguments: &str| -> Vec<String> {
        let call = format!("SELECT zentry_update_webhook({}, {arguments})", channel.id);
        scene.client.batch_execute(&call).unwrap();
        let names = "SELECT header_names FROM zentry_notify.webhooks";
        scene.client.query_one(names, &[]).unwrap().get(0)
    };
    let headers = r#"headers => '{"x-key": "swordfish"}'"#;
    assert_eq!(change(headers), ["x-key"]);
    assert_eq!(change(&url), ["x-key"], "it is the same");
    assert_eq!(change("name => 'x'"), ["x-key"]);
    assert_eq!(change(&elsewhere), [""; 0]);
    assert_eq!(change(&format!("{url}, {headers}")), ["x-key"]);
}
