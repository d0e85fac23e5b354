//! ntfy's rules: what is published by JSON at the root of its server.

use serde_json::{Value, json};
use zentry_e2e::emulator::{Emulator, Kind, Verdict, Webhook};

use crate::plain_client;

/// Status and code of the answer.
fn publish(emulator: &Emulator, token: Option<&str>, body: &Value) -> (u16, i64) {
    let mut request = plain_client().post(format!("{}/", emulator.http_base()));
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let mut answer = request.send(body.to_string()).unwrap();
    let said: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    (
        answer.status().as_u16(),
        said["code"].as_i64().unwrap_or_default(),
    )
}

fn topic(webhook: &Webhook) -> String {
    webhook.url().rsplit('/').next().unwrap().to_owned()
}

#[test]
fn what_is_published_is_taken_and_read() {
    let emulator = Emulator::start().unwrap();
    let webhook = emulator.register(Kind::Ntfy);
    let message = "**Ann** did it\n\n- **Project**:\u{2003}Atlas\n\nZentry · now";
    let one = json!({"topic": topic(&webhook), "title": "Done", "message": message, "markdown": true, "priority": 4,
        "tags": ["task_completed"], "actions": [{"action": "view", "label": "Open", "url": "https://e.example/1"}]});
    assert_eq!(publish(&emulator, Some("tk_good"), &one), (200, 0));
    let two = json!({"topic": topic(&webhook), "title": "Two", "message": format!("**A**\n\n{message}\n\n---\n\n**B**\n\nZentry")});
    assert_eq!(publish(&emulator, None, &two), (200, 0));
    let shown = webhook.shown();
    let titles: Vec<&str> = shown.iter().map(|event| event.title.as_str()).collect();
    assert_eq!(titles, ["Done", "A", "B"]);
    assert_eq!(
        (shown[0].text.as_str(), shown[0].field("Project")),
        ("Ann did it", Some("Atlas"))
    );
    assert_eq!(webhook.event_count(), 3);
}

#[test]
fn what_the_server_refuses_is_refused() {
    let emulator = Emulator::start().unwrap();
    let webhook = emulator.register(Kind::Ntfy);
    let with = |key: &str, value: Value| {
        let mut body = json!({"topic": topic(&webhook), "title": "T", "message": "m"});
        body[key] = value;
        body
    };
    let actions = vec![json!({"action": "view", "label": "x", "url": "https://e.example"}); 4];
    for body in [
        with("message", "x".repeat(4096).into()),
        with("priority", 6.into()),
        with("tags", json!(["a,b"])),
        with("click", "e.example".into()),
        with("actions", actions.into()),
    ] {
        assert_eq!(publish(&emulator, None, &body), (400, 40000), "{body}");
    }
    let large = with("message", "\"".repeat(4090).into());
    assert_eq!(publish(&emulator, None, &large), (413, 41303));
    assert_eq!(
        publish(&emulator, None, &with("topic", "nobodys".into())),
        (400, 40009)
    );
    assert_eq!(
        publish(&emulator, Some("wrong"), &with("title", "T".into())),
        (401, 40101)
    );
    webhook.disable();
    assert_eq!(publish(&emulator, None, &with("title", "T".into())), (403, 40301));
    let refused = |verdict: &Verdict| matches!(verdict, Verdict::Refused(_));
    let received = webhook.received();
    assert!(!received.is_empty());
    assert!(received.iter().all(|received| refused(&received.verdict)));
}
