//! A Workflows trigger's rules.

use serde_json::{Value, json};
use zentry_e2e::emulator::{Emulator, Options, Verdict, Webhook};

use crate::{plain_client, post, send};

fn unlimited() -> Emulator {
    Emulator::start_with(Options {
        rate_limits: false,
        ..Options::default()
    })
    .unwrap()
}

fn envelope(card: Value) -> Value {
    json!({"type": "message", "attachments": [{
        "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card}]})
}

fn card(body: Value) -> Value {
    json!({"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
        "msteams": {"width": "Full"}, "body": body})
}

fn with(element: Value) -> Value {
    envelope(card(json!([element])))
}

fn taken(webhook: &Webhook, body: &Value) {
    let answer = send(webhook, body);
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (202, ""),
        "{}",
        answer.text
    );
    assert_eq!(webhook.received().pop().unwrap().warnings, Vec::<String>::new());
}

fn refused(webhook: &Webhook, body: &Value, why: &str) {
    let answer = send(webhook, body);
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"]),
        (400, &json!("TriggerInputSchemaMismatch")),
        "{body}"
    );
    match &webhook.received().pop().unwrap().verdict {
        Verdict::Refused(reason) => assert!(reason.contains(why), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_good_card_is_accepted_with_an_empty_body() {
    let emulator = unlimited();
    let webhook = emulator.workflow();
    let elements = json!([{"type": "Container", "style": "good", "bleed": true, "items": [
        {"type": "TextBlock", "text": "Done", "weight": "Bolder", "size": "Medium", "wrap": true},
        {"type": "ColumnSet", "columns": [{"type": "Column", "width": "auto", "items": [
            {"type": "TextBlock", "text": "**Ann** did it", "isSubtle": true}]}]},
        {"type": "FactSet", "facts": [{"title": "Project", "value": "Atlas"}]}]}]);
    taken(&webhook, &envelope(card(elements)));
    let event = &webhook.shown()[0];
    assert_eq!(
        (event.title.as_str(), event.text.as_str(), event.field("Project")),
        ("Done", "Ann did it", Some("Atlas"))
    );
    assert_eq!(event.colour, Some(0x23_7b4b), "that of the style");
    assert_eq!(emulator.complaints(), Vec::<String>::new());
}

#[test]
fn the_envelope_is_checked() {
    let emulator = unlimited();
    let webhook = emulator.workflow();
    let good = with(json!({"type": "TextBlock", "text": "t"}));
    taken(&webhook, &good);
    refused(
        &webhook,
        &good["attachments"][0]["content"],
        "attachments: is missing",
    );
    for (pointer, value, why) in [
        ("/type", json!("card"), "type"),
        ("/attachments", json!([]), "attachments: is empty"),
        (
            "/attachments/0/contentType",
            json!("application/json"),
            "attachments.0.contentType",
        ),
        (
            "/attachments/0/content",
            json!(null),
            "attachments.0.content: is not an object",
        ),
        ("/attachments/0/content/type", json!("Card"), "content.type"),
        ("/attachments/0/content/version", json!("2.0"), "content.version"),
        ("/attachments/0/content/body", json!([]), "content.body: is empty"),
        (
            "/attachments/0/content/msteams/width",
            json!("wide"),
            "content.msteams.width",
        ),
    ] {
        let mut wrong = good.clone();
        *wrong.pointer_mut(pointer).unwrap() = value;
        refused(&webhook, &wrong, why);
    }
}

#[test]
fn elements_are_checked() {
    let emulator = unlimited();
    let webhook = emulator.workflow();
    for style in ["default", "emphasis", "good", "attention", "warning", "accent"] {
        let text = json!({"type": "TextBlock", "text": "t"});
        taken(
            &webhook,
            &with(json!({"type": "Container", "style": style, "items": [text]})),
        );
    }
    for (wrong, why) in [
        (json!({"type": "TextBlock"}), "body.0.text: is missing"),
        (json!({"type": "TextBlock", "text": ""}), "body.0.text: is empty"),
        (
            json!({"type": "TextBlock", "text": "t", "wrap": "true"}),
            "body.0.wrap",
        ),
        (
            json!({"type": "TextBlock", "text": "t", "size": "huge"}),
            "body.0.size",
        ),
        (
            json!({"type": "Container", "style": "green", "items": [{"type": "TextBlock", "text": "t"}]}),
            "body.0.style",
        ),
        (json!({"type": "Container"}), "body.0.items: is missing"),
        (
            json!({"type": "FactSet", "facts": [{"title": "t"}]}),
            "body.0.facts.0.value: is missing",
        ),
        (
            json!({"type": "FactSet", "facts": [{"value": "v"}]}),
            "body.0.facts.0.title: is missing",
        ),
        (json!({"type": "FactSet"}), "body.0.facts: is missing"),
        (json!({"type": "Image", "url": "a.png"}), "body.0.url"),
        (
            json!({"type": "ColumnSet", "columns": [{"width": "wide", "items": [{"type": "TextBlock", "text": "t"}]}]}),
            "columns.0.width",
        ),
        (
            json!({"type": "ActionSet", "actions": [{"type": "Action.OpenUrl", "title": "t"}]}),
            "actions.0.url: is missing",
        ),
        (json!({"type": "Marquee"}), "body.0.type"),
        (json!({}), "body.0.type: is missing"),
    ] {
        refused(&webhook, &with(wrong), why);
    }
}

#[test]
fn a_mention_needs_text_and_entity() {
    let emulator = unlimited();
    let webhook = emulator.workflow();
    let body = with(json!({"type": "TextBlock", "text": "<at>Ann</at> did it"}));
    assert_eq!(send(&webhook, &body).status, 202);
    assert!(webhook.received()[0].warnings[0].contains("<at>"));

    let mut entity = with(json!({"type": "TextBlock", "text": "Ann did it"}));
    entity["attachments"][0]["content"]["msteams"]["entities"] =
        json!([{"type": "mention", "text": "<at>Ann</at>", "mentioned": {"id": "1", "name": "Ann"}}]);
    refused(&webhook, &entity, "is in no text");
}

#[test]
fn a_function_that_teams_does_not_know_is_a_warning() {
    let emulator = unlimited();
    let webhook = emulator.workflow();
    taken(
        &webhook,
        &with(json!({"type": "TextBlock", "text": "{{DATE(2024-01-15T10:30:00Z, SHORT)}}"})),
    );
    for unknown in ["{{user}}", "{{DATE(today)}}", "a {{"] {
        assert_eq!(
            send(&webhook, &with(json!({"type": "TextBlock", "text": unknown}))).status,
            202
        );
        assert!(
            webhook.received().pop().unwrap().warnings[0].contains("no function of Teams"),
            "{unknown}"
        );
    }
}

#[test]
fn the_size_has_its_limit() {
    let emulator = unlimited();
    let webhook = emulator.workflow();
    // As Teams counts: the card is a string of its message, with each quote escaped.
    let of_size = |size: usize| {
        let frame = with(json!({"type": "TextBlock", "text": ""})).to_string();
        let counted = serde_json::to_string(&frame).unwrap().len() - 2;
        with(json!({"type": "TextBlock", "text": "t".repeat(size - counted)}))
    };
    taken(&webhook, &of_size(28_672));
    let answer = send(&webhook, &of_size(28_673));
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"]),
        (413, &json!("RequestEntityTooLarge"))
    );
}

#[test]
fn the_signature_and_the_state_decide() {
    let emulator = unlimited();
    let webhook = emulator.workflow();
    let body = with(json!({"type": "TextBlock", "text": "t"})).to_string();
    let code = |url: &str| {
        let answer = post(&plain_client(), url, &body).unwrap();
        (
            answer.status,
            answer.json()["error"]["code"].as_str().unwrap().to_owned(),
        )
    };
    let url = webhook.url();
    let (front, _) = url.rsplit_once("sig=").unwrap();
    assert_eq!(
        code(&format!("{front}sig=wrong")),
        (401, "AuthorizationFailed".into())
    );
    assert_eq!(
        code(front.trim_end_matches('&')),
        (401, "AuthorizationFailed".into())
    );
    assert_eq!(
        code(&url.replace("api-version", "version")),
        (400, "MissingApiVersionParameter".into())
    );
    let id = url.split('/').nth(4).unwrap();
    assert_eq!(
        code(&url.replace(id, &"0".repeat(32))),
        (404, "WorkflowNotFound".into())
    );

    webhook.disable();
    assert_eq!(code(&url), (400, "WorkflowTriggerIsNotEnabled".into()));
    webhook.remove();
    assert_eq!(code(&url), (404, "WorkflowNotFound".into()));
    webhook.restore();
    assert_eq!(post(&plain_client(), &url, &body).unwrap().status, 202);
}

#[test]
fn the_power_platform_serves_the_same_flows() {
    let emulator = unlimited();
    let webhook = emulator.workflow();
    let url = webhook.url().replace(
        "/workflows/",
        "/powerautomate/automations/direct/cu/01/workflows/",
    );
    let body = with(json!({"type": "TextBlock", "text": "t"})).to_string();
    assert_eq!(post(&plain_client(), &url, &body).unwrap().status, 202);
}

#[test]
fn a_query_that_was_rewritten_is_a_warning() {
    let emulator = unlimited();
    let webhook = emulator.workflow();
    let url = webhook.url().replace("%2F", "/");
    let body = with(json!({"type": "TextBlock", "text": "t"})).to_string();
    assert_eq!(post(&plain_client(), &url, &body).unwrap().status, 202);
    assert_eq!(
        webhook.received()[0].warnings,
        ["the query is not byte for byte that of the URL"]
    );
}
