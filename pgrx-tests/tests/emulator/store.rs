//! What is kept, and waiting for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use serde_json::{Value, json};
use zentry_e2e::emulator::{Behaviour, Emulator, Keep, Kind, Options, render};

use crate::{PATIENCE, plain_client, post, send, url};

fn titled(titles: &[&str]) -> Value {
    let embeds: Vec<Value> = titles.iter().map(|title| json!({"title": title})).collect();
    json!({"allowed_mentions": {"parse": []}, "embeds": embeds})
}

#[test]
fn everything_is_kept_in_order_without_secrets() {
    let emulator = Emulator::start().unwrap();
    let (one, other) = (emulator.discord_webhook(), emulator.discord_webhook());
    send(&one, &titled(&["1", "2"]));
    send(&other, &titled(&["3"]));
    send(&one, &titled(&["4"]));
    assert_eq!(
        emulator
            .received()
            .iter()
            .map(|received| received.number)
            .collect::<Vec<_>>(),
        [1, 2, 3]
    );
    let titles: Vec<String> = one.events().into_iter().map(|event| event.title).collect();
    assert_eq!(titles, ["1", "2", "4"]);
    assert_eq!(
        (one.event_count(), other.event_count(), emulator.requests()),
        (3, 1, 3)
    );

    let first = &one.received()[0];
    assert_eq!(first.header("content-type"), Some("application/json"));
    assert_eq!(
        (first.webhook, first.kind, first.method.as_str()),
        (Some(1), Some(Kind::Discord), "POST")
    );
    assert_eq!(first.answer.status, Some(200));
    assert_eq!(first.size, titled(&["1", "2"]).to_string().len());
    let token = one.url().rsplit_once('/').unwrap().1.to_owned();
    assert!(!serde_json::to_string(&**first).unwrap().contains(&token));

    emulator.clear();
    assert_eq!(
        (emulator.received().len(), one.requests(), one.event_count()),
        (0, 0, 0)
    );
}

#[test]
fn waiting_ends_when_enough_has_come() {
    let emulator = Emulator::start().unwrap();
    let webhook = emulator.discord_webhook();
    let sender = std::thread::spawn({
        let webhook = webhook.clone();
        move || {
            send(&webhook, &titled(&["1"]));
            send(&webhook, &titled(&["2", "3"]));
        }
    });
    assert_eq!(webhook.wait_for_events(3, PATIENCE).len(), 3);
    assert_eq!(webhook.wait_for(2, PATIENCE).len(), 2);
    emulator.wait_for_events(3, PATIENCE);
    sender.join().unwrap();
}

#[test]
fn waiting_in_vain_tells_what_did_come() {
    let emulator = Emulator::start().unwrap();
    let webhook = emulator.discord_webhook();
    send(&webhook, &titled(&["the only one"]));
    let wait = || webhook.wait_for(2, Duration::from_millis(20));
    let panic = catch_unwind(AssertUnwindSafe(wait)).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("discord-1 has not got 2 requests"), "{text}");
    assert!(text.contains("the only one"), "{text}");
}

#[test]
fn memory_can_be_bounded() {
    let keep = |keep| Options {
        keep,
        rate_limits: false,
        ..Options::default()
    };
    let last = Emulator::start_with(keep(Keep::Last(2))).unwrap();
    let webhook = last.discord_webhook();
    ["1", "2", "3"]
        .iter()
        .for_each(|title| drop(send(&webhook, &titled(&[title]))));
    let titles: Vec<String> = webhook.events().into_iter().map(|event| event.title).collect();
    assert_eq!(
        (titles, webhook.requests()),
        (vec!["2".to_owned(), "3".to_owned()], 3)
    );

    let count = Emulator::start_with(keep(Keep::Count)).unwrap();
    let webhook = count.discord_webhook();
    send(&webhook, &titled(&["1", "2"]));
    webhook.script([Behaviour::Status(500)]);
    send(&webhook, &titled(&["3"]));
    assert_eq!(
        (webhook.requests(), webhook.accepted(), webhook.event_count()),
        (2, 1, 2)
    );
    assert!(count.received().is_empty());
}

#[test]
fn a_stopped_emulator_comes_back_on_the_same_ports() {
    let emulator = Emulator::start().unwrap();
    let webhook = emulator.discord_webhook();
    let agent = plain_client();
    let body = titled(&["1"]).to_string();
    assert_eq!(post(&agent, &url(&webhook), &body).unwrap().status, 200);
    emulator.stop();
    assert!(post(&agent, &url(&webhook), &body).is_err());
    emulator.restart().unwrap();
    assert_eq!(post(&agent, &url(&webhook), &body).unwrap().status, 200);
    assert_eq!(webhook.accepted(), 2);
}

#[test]
fn the_same_seed_gives_the_same_webhooks() {
    let paths = |seed| {
        let emulator = Emulator::start_with(Options {
            seed,
            ..Options::default()
        })
        .unwrap();
        [Kind::Discord, Kind::Connector, Kind::Workflow].map(|kind| emulator.register(kind).url_at(""))
    };
    assert_eq!(paths(Some(7)), paths(Some(7)));
    assert_ne!(paths(Some(7)), paths(Some(8)));
}

#[test]
fn a_terminal_shows_what_a_person_would_read() {
    let emulator = Emulator::start().unwrap();
    let webhook = emulator.discord_webhook();
    let description = format!("**Ann** finished \\*it\\* \u{1b}[31m{}", "and more ".repeat(30));
    send(
        &webhook,
        &json!({"allowed_mentions": {"parse": []}, "embeds": [{"title": "Done", "description": description,
            "fields": [{"name": "Project", "value": "Atlas"}, {"name": "Points Earned", "value": "50"}],
            "color": 0x00ff00, "footer": {"text": "Zentry Project Management"}}]}),
    );
    let received = &webhook.received()[0];
    let text = render::terminal(received, false);
    for part in [
        "Discord",
        "discord-1",
        "┃ Done",
        "┃ Ann finished *it*",
        "Project        Atlas",
        "Points Earned  50",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(!text.contains('\u{1b}'), "a message must not steer the terminal");
    assert!(render::terminal(received, true).contains("\u{1b}[38;2;0;255;0m┃"));
}
