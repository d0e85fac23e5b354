//! A legacy Teams connector's rules.

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

/// A full card, with `change` laid over it.
fn card(change: Value) -> Value {
    let mut card = json!({
        "@type": "MessageCard", "@context": "https://schema.org/extensions", "themeColor": "00ff00", "summary": "Done",
        "sections": [{"activityTitle": "Done", "activitySubtitle": "**Ann** did it", "markdown": true,
            "facts": [{"name": "Project", "value": "Atlas"}]}],
        "potentialAction": [{"@type": "OpenUri", "name": "Open",
            "targets": [{"os": "default", "uri": "https://example.org"}]}],
    });
    for (key, value) in change.as_object().unwrap() {
        card[key] = value.clone();
    }
    card
}

fn refused(webhook: &Webhook, body: &Value, why: &str) {
    let answer = send(webhook, body);
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (400, "Bad payload received by generic incoming webhook."),
        "{body}"
    );
    match &webhook.received().pop().unwrap().verdict {
        Verdict::Refused(reason) => assert!(reason.starts_with(why), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_good_card_is_answered_with_a_number() {
    let emulator = unlimited();
    let webhook = emulator.connector();
    let answer = send(&webhook, &card(json!({})));
    assert_eq!((answer.status, answer.text.as_str()), (200, "1"));
    assert_eq!(webhook.events()[0].field("Project"), Some("Atlas"));
    assert_eq!(webhook.events()[0].colour, Some(0x00ff00));
    assert_eq!(emulator.complaints(), Vec::<String>::new());
}

#[test]
fn a_card_must_say_something() {
    let emulator = unlimited();
    for silent in [json!({"summary": null}), json!({"summary": " "})] {
        let answer = send(&emulator.connector(), &card(silent));
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (400, "Summary or Text is required.")
        );
    }
    assert_eq!(
        send(
            &emulator.connector(),
            &card(json!({"summary": null, "text": "t"}))
        )
        .text,
        "1"
    );
}

#[test]
fn members_are_checked() {
    let emulator = unlimited();
    let webhook = emulator.connector();
    let section = |section: Value| card(json!({"sections": [section]}));
    refused(&webhook, &card(json!({"@type": "Card"})), "@type");
    refused(&webhook, &card(json!({"@context": null})), "@context: is missing");
    refused(&webhook, &card(json!({"themeColor": "#00ff00"})), "themeColor");
    refused(&webhook, &card(json!({"title": 1})), "title: is not a string");
    refused(
        &webhook,
        &section(json!({"facts": [{"name": "Project"}]})),
        "sections.0.facts.0.value: is missing",
    );
    refused(
        &webhook,
        &section(json!({"facts": [{"value": "v"}]})),
        "sections.0.facts.0.name: is missing",
    );
    refused(
        &webhook,
        &section(json!({"markdown": "yes"})),
        "sections.0.markdown",
    );
    let action = |action: Value| card(json!({"potentialAction": [action]}));
    refused(
        &webhook,
        &action(json!({"@type": "OpenUri", "name": "n"})),
        "potentialAction.0.targets: is missing",
    );
    let targets = json!([{"os": "default", "uri": "javascript:alert(1)"}]);
    refused(
        &webhook,
        &action(json!({"@type": "OpenUri", "name": "n", "targets": targets})),
        "potentialAction.0.targets.0.uri",
    );
    refused(
        &webhook,
        &json!({"summary": "s", "@type": "MessageCard"}),
        "@context",
    );
}

#[test]
fn lists_have_their_limits() {
    let emulator = unlimited();
    let webhook = emulator.connector();
    let sections = |count: usize| card(json!({"sections": vec![json!({"text": "t"}); count]}));
    assert_eq!(send(&webhook, &sections(10)).text, "1");
    refused(&webhook, &sections(11), "sections: has more than 10");
    let action = card(json!({}))["potentialAction"][0].clone();
    let actions = |count: usize| card(json!({"potentialAction": vec![action.clone(); count]}));
    assert_eq!(send(&webhook, &actions(4)).text, "1");
    refused(&webhook, &actions(5), "potentialAction: has more than 4");
}

#[test]
fn a_large_card_fails_inside_teams_and_the_status_is_200() {
    let emulator = unlimited();
    let webhook = emulator.connector();
    let of_size = |size: usize| {
        let frame = card(json!({"text": ""})).to_string().len();
        card(json!({"text": "t".repeat(size - frame)}))
    };
    let inside = of_size(28 * 1024);
    assert_eq!(inside.to_string().len(), 28 * 1024);
    assert_eq!(send(&webhook, &inside).text, "1");
    let answer = send(&webhook, &of_size(28 * 1024 + 1));
    assert_eq!(answer.status, 200);
    let start =
        "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413 ";
    assert!(answer.text.starts_with(start), "{}", answer.text);
    assert_eq!(webhook.accepted(), 1);
}

#[test]
fn an_unknown_connector_is_not_found_and_a_removed_one_is_gone() {
    let emulator = unlimited();
    let webhook = emulator.connector();
    let body = card(json!({})).to_string();
    let unknown = format!("{}/webhookb2/a@b/IncomingWebhook/c/d", emulator.http_base());
    assert_eq!(post(&plain_client(), &unknown, &body).unwrap().status, 404);
    webhook.remove();
    assert_eq!(post(&plain_client(), &webhook.url(), &body).unwrap().status, 410);
    assert_eq!(plain_client().get(webhook.url()).call().unwrap().status(), 405);
}

#[test]
fn only_json_is_taken() {
    let emulator = unlimited();
    let (webhook, agent) = (emulator.connector(), plain_client());
    assert_eq!(post(&agent, &webhook.url(), "{").unwrap().status, 400);
    let post = |media: &str| {
        let request = agent.post(webhook.url()).header("content-type", media);
        request.send(card(json!({})).to_string()).unwrap().status()
    };
    assert_eq!(post("text/plain"), 415);
    assert_eq!(post("application/json; charset=utf-8"), 200);
}
