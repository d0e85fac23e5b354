//! The endpoints for other processes, and the page.

use serde_json::{Value, json};
use ureq::Agent;
use zentry_e2e::emulator::{Emulator, Options};

use crate::{current, plain_client, post, send};

fn get(agent: &Agent, url: &str) -> String {
    agent
        .get(url)
        .call()
        .unwrap()
        .body_mut()
        .read_to_string()
        .unwrap()
}

fn put(agent: &Agent, url: &str, body: &Value) -> u16 {
    agent.put(url).send(body.to_string()).unwrap().status().as_u16()
}

#[test]
fn another_process_can_do_what_a_test_can() {
    let emulator = Emulator::start().unwrap();
    let agent = plain_client();
    let control = format!("{}/_emulator", emulator.http_base());
    let message = json!({"content": "c", "allowed_mentions": {"parse": []}}).to_string();

    let made = post(&agent, &format!("{control}/webhooks"), r#"{"kind": "discord"}"#).unwrap();
    assert_eq!(made.status, 201);
    let url = current(made.json()["url"].as_str().unwrap());
    assert_eq!(post(&agent, &url, &message).unwrap().status, 200);

    let one = format!("{control}/webhooks/1");
    let script = r#"[{"status": 500}, {"slow": 0.01}, {"rate_limited": {"retry_after": 0.5}}]"#;
    assert_eq!(
        post(&agent, &format!("{one}/script"), script).unwrap().json()["script_left"],
        3
    );
    let statuses: Vec<u16> = (0..3)
        .map(|_| post(&agent, &url, &message).unwrap().status)
        .collect();
    assert_eq!(statuses, [500, 200, 429]);

    assert_eq!(
        put(&agent, &format!("{one}/always"), &json!({"status": 502})),
        200
    );
    assert_eq!(post(&agent, &url, &message).unwrap().status, 502);
    assert_eq!(
        agent.delete(format!("{one}/script")).call().unwrap().status(),
        200
    );
    assert_eq!(
        put(
            &agent,
            &format!("{one}/limits"),
            &json!({"announced": {"requests": 9, "per": 60}})
        ),
        200
    );
    assert_eq!(
        post(&agent, &url, &message)
            .unwrap()
            .header("x-ratelimit-remaining"),
        Some("8")
    );
    assert_eq!(put(&agent, &format!("{one}/state"), &json!("removed")), 200);
    assert_eq!(post(&agent, &url, &message).unwrap().status, 404);

    let listed: Value = serde_json::from_str(&get(&agent, &format!("{control}/webhooks"))).unwrap();
    assert_eq!(
        (&listed[0]["name"], &listed[0]["requests"], &listed[0]["live"]),
        (&json!("discord-1"), &json!(7), &json!(false))
    );
    let later: Value =
        serde_json::from_str(&get(&agent, &format!("{control}/messages?webhook=1&after=5"))).unwrap();
    assert_eq!(later.as_array().unwrap().len(), 2);
    assert_eq!(later[0]["events"][0]["text"], "c");

    assert_eq!(
        agent
            .delete(format!("{control}/messages"))
            .call()
            .unwrap()
            .status(),
        204
    );
    assert_eq!(get(&agent, &format!("{control}/messages")), "[]");
}

#[test]
fn mistakes_are_told() {
    let emulator = Emulator::start().unwrap();
    let agent = plain_client();
    let control = format!("{}/_emulator", emulator.http_base());
    emulator.discord_webhook();
    assert_eq!(
        post(&agent, &format!("{control}/webhooks"), r#"{"kind": "pigeon"}"#)
            .unwrap()
            .status,
        400
    );
    assert_eq!(
        post(&agent, &format!("{control}/webhooks/1/script"), r#"["dance"]"#)
            .unwrap()
            .status,
        400
    );
    assert_eq!(
        post(&agent, &format!("{control}/webhooks/2/script"), "[]")
            .unwrap()
            .status,
        404
    );
    assert_eq!(
        post(&agent, &format!("{control}/nothing"), "").unwrap().status,
        404
    );
}

#[test]
fn page_and_listings_escape_and_hold_no_secret() {
    let emulator = Emulator::start_with(Options {
        rate_limits: false,
        ..Options::default()
    })
    .unwrap();
    let hooks = [
        emulator.discord_webhook(),
        emulator.connector(),
        emulator.workflow(),
    ];
    let evil = "<script>alert(1)</script>";
    let fact = json!([{"name": evil, "title": evil, "value": "**bold** \\*plain\\*"}]);
    send(
        &hooks[0],
        &json!({"allowed_mentions": {"parse": []}, "embeds": [{"title": evil, "color": 255, "fields": fact}]}),
    );
    send(
        &hooks[1],
        &json!({"@type": "MessageCard", "@context": "https://schema.org/extensions", "summary": evil,
            "sections": [{"activityTitle": evil, "facts": fact}]}),
    );
    send(
        &hooks[2],
        &json!({"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive",
            "content": {"type": "AdaptiveCard", "version": "1.4", "body": [
                {"type": "Container", "style": "good", "items": [{"type": "TextBlock", "text": evil}]},
                {"type": "FactSet", "facts": [{"title": evil, "value": "v"}]}]}}]}),
    );
    assert!(
        hooks.iter().all(|hook| hook.accepted() == 1),
        "{:?}",
        emulator.complaints()
    );

    let agent = plain_client();
    let page = get(&agent, emulator.http_base());
    assert!(!page.contains("<script"), "{page}");
    assert!(page.matches("&lt;script&gt;").count() >= 5, "{page}");
    assert!(page.contains("<strong>bold</strong> *plain*"));
    assert!(page.contains("border-left-color:#0000ff") && page.contains("container good"));

    let listings = ["messages", "webhooks"]
        .map(|what| get(&agent, &format!("{}/_emulator/{what}", emulator.http_base())));
    let secrets = hooks
        .each_ref()
        .map(|hook| hook.url().rsplit_once(['/', '=']).unwrap().1.to_owned());
    for secret in secrets {
        assert!(secret.len() >= 12);
        assert!(!page.contains(&secret) && !listings.iter().any(|listing| listing.contains(&secret)));
    }
}
