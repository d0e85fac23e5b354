//! For any event: the body is within every limit, valid, and says what the row said.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../model/mod.rs"]
mod model;
mod strategies;

use std::sync::LazyLock;

use jiff::Timestamp;
use model::{Shown, assert_says, discord, google_chat, mattermost, normal, ntfy, slack, teams};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use webhook::card::Card;
use webhook::definition::Catalogue;
use webhook::endpoint::EndpointKind::{
    self, Discord, GoogleChat, Mattermost, Nats, Ntfy, Signed, Slack, TeamsConnector, TeamsWorkflow,
};
use webhook::event::Event;
use webhook::language::Language;
use webhook::message::{compose, compose_with, event_json};

use strategies::*;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::builtin);

/// What a card is called that has no title.
fn without_title(language: Language) -> &'static str {
    match language {
        Language::English | Language::French => "Notification",
        Language::German => "Benachrichtigung",
        Language::Spanish => "Notificación",
        Language::Japanese => "通知",
        Language::Portuguese => "Notificação",
    }
}

/// Validates the body by the model and reads it as a person would.
fn read(kind: EndpointKind, body: &[u8]) -> Vec<Shown> {
    match kind {
        Discord => discord::embeds(body).iter().map(discord::shown).collect(),
        TeamsConnector => teams::sections(body).iter().map(teams::section_shown).collect(),
        TeamsWorkflow => teams::containers(body)
            .iter()
            .map(teams::container_shown)
            .collect(),
        Slack => slack::attachments(body).iter().map(slack::shown).collect(),
        GoogleChat => google_chat::cards(body).iter().map(google_chat::shown).collect(),
        Mattermost => mattermost::attachments(body)
            .iter()
            .map(mattermost::shown)
            .collect(),
        Ntfy => ntfy::events(body),
        Signed | Nats => unreachable!("it gets no messages"),
    }
}

const KINDS: [EndpointKind; 7] = [
    Discord,
    TeamsConnector,
    TeamsWorkflow,
    Slack,
    GoogleChat,
    Mattermost,
    Ntfy,
];

/// The sentence of a built-in event, put together without its template; None where a value is missing or no text.
fn sentence(event: &Event) -> Option<String> {
    let data = event.parse();
    let value = |key: &str| {
        data.get(key)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    Some(match &*event.event_type {
        "task_completed" => {
            format!(
                "{} completed {} in {}.",
                value("user_name")?,
                value("task_title")?,
                value("project_name")?
            )
        }
        "badge_earned" => format!(
            "{} earned the badge {}.",
            value("user_name")?,
            value("badge_name")?
        ),
        "project_created" => format!(
            "{} created the project {}.",
            value("user_name")?,
            value("project_name")?
        ),
        "milestone_reached" => format!("{} reached {}.", value("project_name")?, value("milestone_name")?),
        "test" => value("message")?.to_owned(),
        _ => return None,
    })
}

fn raw_texts(kind: EndpointKind, body: &[u8]) -> Vec<usize> {
    let raw = |value: &Value| value.as_str().unwrap_or_default().chars().count();
    match kind {
        Discord => discord::embeds(body)
            .iter()
            .map(|embed| raw(&embed["description"]))
            .collect(),
        TeamsConnector => teams::sections(body)
            .iter()
            .map(|section| raw(&section["text"]))
            .collect(),
        TeamsWorkflow => teams::containers(body)
            .iter()
            .map(|container| raw(&container["items"][1]["text"]))
            .collect(),
        // Title and text stand in one section, and what a message may weigh cuts these before the limit of the text does.
        Slack | GoogleChat | Mattermost | Ntfy | Signed | Nats => vec![usize::MAX / 2],
    }
}

/// With texts in the place of numbers.
fn as_texts(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::String(number.to_string()),
        Value::Array(items) => items.iter().map(as_texts).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| (key.clone(), as_texts(value)))
            .collect(),
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, max_shrink_iters: 3000, ..ProptestConfig::default() })]

    #[test]
    fn any_event_is_the_json_that_the_row_was(event in events()) {
        let body: Value = serde_json::from_slice(&event_json(&event, Vec::new())).unwrap();
        prop_assert_eq!(&body["type"], &*event.event_type);
        let at: jiff::Timestamp = body["timestamp"].as_str().unwrap().parse().unwrap();
        prop_assert_eq!(at, event.occurred_at);
        let mut was = event.parse();
        was.remove("zentry_sample");
        prop_assert_eq!(as_texts(&body["data"]), as_texts(&Value::Object(was)));
    }

    #[test]
    fn any_event_makes_a_valid_message_that_says_what_the_row_said(event in events()) {
        let card = CATALOGUE.card(&event);
        for kind in KINDS {
            let message = compose(kind, std::slice::from_ref(&card));
            prop_assert_eq!(message.taken, 1);
            let shown = read(kind, &message.body).remove(0);
            if let Some(said) = sentence(&event) {
                assert_says(&shown.text, &said, raw_texts(kind, &message.body)[0], 4096);
            }
        }
    }

    #[test]
    fn any_card_is_shown_as_it_is_or_cut(card in cards(30)) {
        for kind in KINDS {
            let message = compose(kind, std::slice::from_ref(&card));
            let shown = read(kind, &message.body).remove(0);
            let title = if card.title.is_empty() { without_title(card.language) } else { card.title.as_str() };
            // Cut further than the limits of the parts only where all together is too much.
            let cut = |shown: &str, said: &str| assert_says(shown, said, usize::MAX / 2, 0);
            cut(&shown.title, &format!("{} {title}", card.emoji));
            cut(&shown.text, card.text.as_str());
            for ((name, value), (shown_name, shown_value)) in shown_fields(&card).zip(&shown.fields) {
                cut(shown_name, name);
                cut(shown_value, value);
            }
            prop_assert_eq!(shown.fields.len(), shown_fields(&card).count());
        }
    }

    #[test]
    fn ordinary_cards_are_taken_ten_at_a_time(names in vec("[a-zA-Z ]{1,40}", 1..25)) {
        let cards: Vec<Card> = names.iter().map(|name| {
            let data = json!({ "task_title": name, "user_name": "alice", "project_name": "Moon", "points": 5 });
            CATALOGUE.card(&Event {
                event_type: "task_completed".into(),
                data: data.to_string().into(),
                occurred_at: Timestamp::UNIX_EPOCH,
                traceparent: None,
            })
        }).collect();
        for kind in KINDS {
            prop_assert_eq!(compose(kind, &cards).taken, cards.len().min(10));
        }
    }

    #[test]
    fn the_engine_and_the_short_cut_agree(template in templates(), data in data()) {
        // Nested values of a hundred kilobytes are more than the engine may spend on printing.
        prop_assume!(serde_json::to_string(&data).unwrap().len() < 20_000);
        let event = Event {
            event_type: "own".into(),
            data: Value::Object(data).to_string().into(),
            occurred_at: Timestamp::UNIX_EPOCH,
            traceparent: None,
        };
        let short = definition(&template).map(|definition| definition.card(&event, None));
        let engine = definition(&format!("{template} {{# a comment #}}")).map(|definition| definition.card(&event, None));
        prop_assert_eq!(short, engine);
    }

    #[test]
    fn nothing_but_the_keys_that_a_definition_asks_for_matters(template in templates(), data in data()) {
        prop_assume!(serde_json::to_string(&data).unwrap().len() < 20_000);
        let Some(definition) = definition(&template) else { return Ok(()) };
        let keys = raw_definition(&template).keys();
        let card = |data: Map<String, Value>| definition.card(&Event {
            event_type: "own".into(),
            data: Value::Object(data).to_string().into(),
            occurred_at: Timestamp::UNIX_EPOCH,
            traceparent: None,
        }, None);
        let asked_for = data.clone().into_iter().filter(|(key, _)| keys.contains(key)).collect();
        prop_assert_eq!(card(asked_for), card(data));
    }
}

proptest! {
    // Each case is a dozen of the cases above.
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, max_shrink_iters: 3000, ..ProptestConfig::default() })]

    #[test]
    fn no_character_is_cut(
        clusters in vec(prop::sample::select(vec!["🇩🇪", "👩🏽‍👩‍👧", "e\u{301}", "क्षि", "👍🏿", "a", "*", "- "]), 1..4),
        start in "[a-z]{0,9}",
    ) {
        let cycle = clusters.concat();
        let message = format!("{start}{}", cycle.repeat(12_000 / cycle.len()));
        let card = CATALOGUE.card(&Event {
            event_type: "test".into(),
            data: json!({ "message": message }).to_string().into(),
            occurred_at: Timestamp::UNIX_EPOCH,
            traceparent: None,
        });
        for kind in KINDS {
            let shown = read(kind, &compose(kind, std::slice::from_ref(&card)).body).remove(0).text;
            let shown: String = shown.chars().filter(|&c| c != '\u{200B}' && !c.is_whitespace()).collect();
            let Some(mut rest) = shown.strip_suffix('…').and_then(|shown| shown.strip_prefix(&*start)) else { continue };
            for cluster in clusters.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                rest = rest.strip_prefix(cluster.trim()).unwrap_or_else(|| panic!("{kind:?}: {rest:?} is no {cluster:?}"));
            }
        }
    }

    #[test]
    fn messages_take_the_first_cards_in_order(cards in vec(cards(3), 1..14), appearance in appearances()) {
        for kind in KINDS {
            let message = compose_with(kind, &cards, &appearance);
            let shown = read(kind, &message.body);
            prop_assert!((1..=cards.len().min(10)).contains(&message.taken));
            prop_assert_eq!(shown.len(), message.taken);
            for (card, shown) in cards.iter().zip(&shown) {
                assert_says(&shown.text, card.text.as_str(), usize::MAX / 2, 0);
            }
        }
    }
}

fn shown_fields(card: &Card) -> impl Iterator<Item = (&str, &str)> {
    card.fields
        .iter()
        .map(|(name, value)| (&**name, value.as_str()))
        .filter(|(name, value)| !normal_or_invisible(name).is_empty() && !value.is_empty())
        .take(25)
}

/// What is left of a name that consists of invisible characters only is still a name.
fn normal_or_invisible(name: &str) -> String {
    normal(&name.replace('\u{200B}', "x"))
}
