//! For any event: the body is within every limit, valid, and says what the row said.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod model;

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use model::{Shown, assert_says, discord, google_chat, mattermost, normal, ntfy, slack, teams};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use webhook::appearance::Appearance;
use webhook::card::Card;
use webhook::definition::{Catalogue, Definition, EventDefinition, FieldDefinition, builtin};
use webhook::endpoint::EndpointKind::{
    self, Discord, GoogleChat, Mattermost, Nats, Ntfy, Signed, Slack, TeamsConnector, TeamsWorkflow,
};
use webhook::event::Event;
use webhook::language::Language;
use webhook::mention::Mention;
use webhook::message::{compose, compose_with, event_json};
use webhook::rich_text::RichText;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::builtin);

/// Text that somebody could have typed to do harm, or just to be clever.
fn hostile() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![
        4 => any::<char>().prop_map(String::from),
        4 => "[a-z]{1,8}",
        2 => Just(" ".to_owned()),
        8 => prop::sample::select(vec![
            "*", "**", "***", "_", "__", "~~", "||", "`", "```", "\\", "\\\\", "[x](http://e.x)", "[", "]", "<@123456>",
            "<@&1>", "<#1>", "<:a:1>", "<t:1:R>", "<at>Bob</at>", "</at>", "<b>", "<!--", "@everyone", "@here",
            "{{DATE(2017-02-14T06:00:00Z, SHORT)}}", "{{", "}}", "{", "{%", "&lt;", "&amp;", "&#42;", "&", "&x",
            "@channel", "~town", "#tag", "<!here>", "<users/all>", "a:b:c", "https://example.com/a_b_c", "http://example.com/a*b", "HTTPS://E.X/`", "://", ":smile:", ":+1:", ":", "10:30:00",
            "\n", "\n\n", "\r\n", "\r", "\t", "    ", "# ", "#", "- ", "-# ", "+ ", "1. ", "12) ", "> ", ">>> ", "===", "---",
            "| a | b |", "\0", "\u{1b}[31m", "\u{85}", "\u{202E}", "\u{2067}", "\u{200B}", "\u{FEFF}", "\u{FDD0}",
            "\u{FFFF}", "e\u{301}", ")- ", "]- ", "1- ", "[1]+ ", "=?UTF-8?Q?=C3=84?=", ":-:", "|-|", "\u{2028}", "\u{B}", "مرحبا", "🦀", "👩‍👩‍👧", "🅰", "…", "“", "null", "",
        ]).prop_map(ToOwned::to_owned),
    ];
    let short = vec(fragment, 0..12).prop_map(|fragments| fragments.concat());
    prop_oneof![
        50 => short.clone(),
        5 => vec(short.clone(), 0..12).prop_map(|parts| parts.concat()),
        1 => (short, 1..2000_usize).prop_map(|(text, times)| text.repeat(times.min(40_000 / text.len().max(1)))),
    ]
}

fn json() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        2 => any::<i64>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => Just(Value::from(0)),
        8 => hostile().prop_map(Value::from),
    ];
    scalar.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((keys(), inner), 0..4).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn keys() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => prop::sample::select(vec![
            "task_title", "user_name", "project_name", "points", "completed_at", "badge_name", "badge_description",
            "earned_at", "project_description", "created_at", "milestone_name", "progress", "streak_days",
            "streak_type", "message", "a", "b", "c",
        ]).prop_map(ToOwned::to_owned),
        1 => hostile(),
    ]
}

fn data() -> impl Strategy<Value = Map<String, Value>> {
    let nested = prop_oneof![
        json().prop_map(|value| json!({ "b": value })),
        json().prop_map(|value| json!({ "b": { "c": value } })),
    ];
    let nested = proptest::option::weighted(0.3, nested.prop_map(|value| ("a".to_owned(), value)));
    (vec((keys(), json()), 0..24), nested)
        .prop_map(|(pairs, nested)| pairs.into_iter().chain(nested).collect())
}

fn times() -> impl Strategy<Value = Timestamp> {
    (Timestamp::MIN.as_second()..Timestamp::MAX.as_second())
        .prop_map(|second| Timestamp::from_second(second).unwrap())
}

fn events() -> impl Strategy<Value = Event> {
    let types = prop_oneof![
        8 => prop::sample::select(builtin().iter().map(|raw| raw.name.clone()).collect::<Vec<_>>()),
        1 => hostile(),
        1 => Just("sprint_closed".to_owned()),
    ];
    let data = prop_oneof![
        20 => data().prop_map(|data| Value::Object(data).to_string()),
        1 => hostile(),
    ];
    (types, data, times()).prop_map(|(event_type, data, occurred_at)| Event {
        event_type: event_type.into(),
        data: data.into(),
        occurred_at,
        traceparent: None,
    })
}

fn rich_text() -> impl Strategy<Value = RichText> {
    vec(hostile(), 0..6).prop_map(|parts| RichText::parse(&parts.join("**")))
}

fn cards(most_fields: usize) -> impl Strategy<Value = Card> {
    let fields = vec((hostile().prop_map(Arc::from), rich_text()), 0..=most_fields);
    (
        rich_text(),
        hostile(),
        any::<u32>(),
        rich_text(),
        fields,
        times(),
        hostile(),
    )
        .prop_map(|(title, emoji, colour, text, fields, time, footer)| Card {
            event_type: if colour % 5 == 0 {
                "webhook_trouble".into()
            } else {
                "a,b".into()
            },
            title,
            emoji: emoji.chars().take(16).collect::<String>().into(),
            colour,
            text,
            fields,
            time,
            footer: footer.into(),
            is_sample: colour % 7 == 0,
            url: link(colour),
            thumbnail: link(colour / 3),
            language: Language::ALL[colour as usize % Language::ALL.len()],
        })
}

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

/// Some of the cards are about the same thing.
fn link(number: u32) -> Option<Arc<str>> {
    match number % 6 {
        0 => Some("https://app.example.com/tasks/5".into()),
        1 => Some("https://app.example.com/?a=1#/tasks/5".into()),
        2 => Some(format!("https://app.example.com/tasks/{number}").into()),
        _ => None,
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

fn mentions() -> impl Strategy<Value = Mention> {
    prop_oneof![
        "[0-9]{17,20}".prop_map(Mention::DiscordRole),
        "[0-9]{17,20}".prop_map(Mention::DiscordUser),
        ("[a-z0-9@.-]{1,256}", "[\\p{L}\\p{N} .'-]{1,128}")
            .prop_map(|(id, name)| Mention::TeamsUser { id, name }),
        // As long as any.
        "@[a-z0-9]{1,270}".prop_map(Mention::Markup),
    ]
}

fn appearances() -> impl Strategy<Value = Appearance> {
    let option = proptest::option::of::<Just<&'static str>>;
    (
        proptest::option::of(mentions()),
        option(Just("Zentry")),
        option(Just("https://app.example.com/a.png")),
        any::<bool>(),
        option(Just("Releases")),
        vec("[0-9]{17,20}", 0..6),
        proptest::option::of("project-[!-~]{1,100}"),
    )
        .prop_map(
            |(mention, username, avatar_url, announce, thread_name, applied_tags, thread)| Appearance {
                mention,
                username: username.map(Into::into),
                avatar_url: avatar_url.map(Into::into),
                announce,
                thread_name: thread_name.map(Into::into),
                applied_tags,
                thread_by: None,
                thread,
                topic: None,
            },
        )
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

fn templates() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "a",
        "b",
        "a.b",
        "a.b.c",
        "user_name",
        "points",
        "missing",
        "progress",
    ]);
    let leaf = prop_oneof![
        2 => key.clone().prop_map(|key| format!("{{{{ {key} }}}}")),
        1 => key.clone().prop_map(|key| format!("{{{{{key}}}}}")),
        1 => Just("**".to_owned()),
        2 => prop::sample::select(vec!["text", " ", "\n", "*", "{", "}", "%", "}}", "%}", "\\", "🦀 "])
            .prop_map(ToOwned::to_owned),
    ];
    let node = leaf.prop_recursive(3, 24, 4, move |inner| {
        (key.clone(), vec(inner.clone(), 0..3), vec(inner, 0..3)).prop_map(|(key, then, otherwise)| {
            format!(
                "{{% if {key} %}}{}{{% else %}}{}{{% endif %}}",
                then.concat(),
                otherwise.concat()
            )
        })
    });
    vec(node, 0..6).prop_map(|nodes| nodes.concat())
}

fn raw_definition(template: &str) -> EventDefinition {
    EventDefinition {
        name: "own".into(),
        title: "Own".into(),
        colour: 0,
        emoji: String::new(),
        text: template.into(),
        fields: vec![FieldDefinition {
            name: "Field".into(),
            value: template.into(),
        }],
        footer: None,
        time_key: None,
        url: None,
        thumbnail: None,
        language: webhook::language::Language::English,
    }
}

fn definition(template: &str) -> Option<Definition> {
    Definition::compile(&raw_definition(template)).ok()
}
