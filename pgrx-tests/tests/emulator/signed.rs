//! A program's rules: those of Standard Webhooks, and what its libraries take.

use jiff::Timestamp;
use serde_json::{Value, json};
use zentry_e2e::emulator::{Emulator, Kind, Verdict, Webhook};

use crate::plain_client;

const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

/// The status of the answer.
fn post(webhook: &Webhook, headers: &[(&str, &str)], body: &Value) -> u16 {
    let mut request = plain_client().post(webhook.url());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send(body.to_string()).unwrap().status().as_u16()
}

fn event() -> Value {
    json!({"type": "task_completed", "timestamp": "2024-01-15T10:30:00.123456Z", "data": {"task_id": 4211}})
}

/// A good request's headers, but for those of these names, and with these.
fn headers<'a>(now: &'a str, other: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let good = [
        ("content-type", "application/json; charset=utf-8"),
        ("webhook-id", "0123456789abcdef"),
        ("webhook-timestamp", now),
        ("webhook-signature", SIGNATURE),
    ];
    let mut all: Vec<_> = good
        .into_iter()
        .filter(|(name, _)| other.iter().all(|(instead, _)| instead != name))
        .collect();
    all.extend(other.iter().filter(|(_, value)| !value.is_empty()));
    all
}

#[test]
fn what_is_signed_is_taken() {
    let emulator = Emulator::start().unwrap();
    let webhook = emulator.register(Kind::Signed);
    let now = Timestamp::now().as_second().to_string();
    assert_eq!(post(&webhook, &headers(&now, &[]), &event()), 204);
    let both = format!("{SIGNATURE} {SIGNATURE}");
    assert_eq!(
        post(
            &webhook,
            &headers(&now, &[("webhook-signature", &both)]),
            &event()
        ),
        204
    );
    let received = webhook.received();
    assert!(received.iter().all(|received| received.accepted()));
    assert_eq!(received[0].raw, event().to_string());
    let shown = webhook.events().remove(0);
    assert_eq!(
        (shown.title.as_str(), shown.field("task_id")),
        ("task_completed", Some("4211"))
    );
}

#[test]
fn what_some_library_would_not_take_is_refused() {
    let emulator = Emulator::start().unwrap();
    let webhook = emulator.register(Kind::Signed);
    let now = Timestamp::now().as_second();
    let (now, old) = (now.to_string(), (now - 400).to_string());
    let double = format!("{SIGNATURE}  {SIGNATURE}");
    let url_safe = SIGNATURE.replace('+', "-");
    for other in [
        ("webhook-id", ""),
        ("webhook-id", "a b"),
        ("webhook-timestamp", ""),
        ("webhook-timestamp", "1.5"),
        ("webhook-timestamp", &old),
        ("webhook-signature", ""),
        ("webhook-signature", "v1,short="),
        ("webhook-signature", &double),
        ("webhook-signature", &url_safe),
        ("content-type", "text/plain"),
    ] {
        assert_eq!(
            post(&webhook, &headers(&now, &[other]), &event()),
            400,
            "{other:?}"
        );
    }
    let mut twice = headers(&now, &[]);
    twice.push(("webhook-id", "b"));
    assert_eq!(post(&webhook, &twice, &event()), 400);
    for (name, value) in [
        ("type", json!("task completed")),
        ("type", json!(7)),
        ("timestamp", json!("yesterday")),
        ("data", json!([])),
    ] {
        let mut body = event();
        body[name] = value;
        assert_eq!(post(&webhook, &headers(&now, &[]), &body), 400, "{body}");
    }
    let received = webhook.received();
    assert!(!received.is_empty());
    assert!(
        received
            .iter()
            .all(|received| matches!(received.verdict, Verdict::Refused(_)))
    );
    webhook.disable();
    assert_eq!(post(&webhook, &headers(&now, &[]), &event()), 410);
}
