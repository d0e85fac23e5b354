//! Events, cards and templates of any kind.

use std::sync::Arc;

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use webhook::appearance::Appearance;
use webhook::card::Card;
use webhook::definition::{Definition, EventDefinition, FieldDefinition, builtin};
use webhook::event::Event;
use webhook::language::Language;
use webhook::mention::Mention;
use webhook::rich_text::RichText;

/// Text that somebody could have typed to do harm, or just to be clever.
pub fn hostile() -> impl Strategy<Value = String> {
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

pub fn json() -> impl Strategy<Value = Value> {
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

pub fn keys() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => prop::sample::select(vec![
            "task_title", "user_name", "project_name", "points", "completed_at", "badge_name", "badge_description",
            "earned_at", "project_description", "created_at", "milestone_name", "progress", "streak_days",
            "streak_type", "message", "a", "b", "c",
        ]).prop_map(ToOwned::to_owned),
        1 => hostile(),
    ]
}

pub fn data() -> impl Strategy<Value = Map<String, Value>> {
    let nested = prop_oneof![
        json().prop_map(|value| json!({ "b": value })),
        json().prop_map(|value| json!({ "b": { "c": value } })),
    ];
    let nested = proptest::option::weighted(0.3, nested.prop_map(|value| ("a".to_owned(), value)));
    (vec((keys(), json()), 0..24), nested)
        .prop_map(|(pairs, nested)| pairs.into_iter().chain(nested).collect())
}

pub fn times() -> impl Strategy<Value = Timestamp> {
    (Timestamp::MIN.as_second()..Timestamp::MAX.as_second())
        .prop_map(|second| Timestamp::from_second(second).unwrap())
}

pub fn events() -> impl Strategy<Value = Event> {
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

pub fn rich_text() -> impl Strategy<Value = RichText> {
    vec(hostile(), 0..6).prop_map(|parts| RichText::parse(&parts.join("**")))
}

pub fn cards(most_fields: usize) -> impl Strategy<Value = Card> {
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

/// Some of the cards are about the same thing.
pub fn link(number: u32) -> Option<Arc<str>> {
    match number % 6 {
        0 => Some("https://app.example.com/tasks/5".into()),
        1 => Some("https://app.example.com/?a=1#/tasks/5".into()),
        2 => Some(format!("https://app.example.com/tasks/{number}").into()),
        _ => None,
    }
}

pub fn mentions() -> impl Strategy<Value = Mention> {
    prop_oneof![
        "[0-9]{17,20}".prop_map(Mention::DiscordRole),
        "[0-9]{17,20}".prop_map(Mention::DiscordUser),
        ("[a-z0-9@.-]{1,256}", "[\\p{L}\\p{N} .'-]{1,128}")
            .prop_map(|(id, name)| Mention::TeamsUser { id, name }),
        // As long as any.
        "@[a-z0-9]{1,270}".prop_map(Mention::Markup),
    ]
}

pub fn appearances() -> impl Strategy<Value = Appearance> {
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

pub fn templates() -> impl Strategy<Value = String> {
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

pub fn raw_definition(template: &str) -> EventDefinition {
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

pub fn definition(template: &str) -> Option<Definition> {
    Definition::compile(&raw_definition(template)).ok()
}
