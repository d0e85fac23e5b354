//! What the built-in events say in each language, written down in `languages.txt`: `ZENTRY_WRITE=1` writes it anew.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use serde_json::{Value, json};
use webhook::appearance::Appearance;
use webhook::card::Card;
use webhook::definition::{Catalogue, Definition, EventDefinition, sample};
use webhook::endpoint::EndpointKind;
use webhook::event::Event;
use webhook::language::Language;
use webhook::message::compose_with;

const TYPES: [&str; 5] = [
    "task_completed",
    "badge_earned",
    "project_created",
    "milestone_reached",
    "daily_streak",
];

fn event(event_type: &str, data: &Value) -> Event {
    Event {
        event_type: event_type.into(),
        data: data.to_string().into(),
        occurred_at: "2024-03-01T10:30:00Z".parse().unwrap(),
        traceparent: None,
    }
}

/// The sample as it is, with what plurals and numbers turn on, without the person, and without anything.
fn variants(event_type: &str) -> Vec<Value> {
    let whole = sample(event_type).unwrap();
    let mut large = whole.clone();
    for (key, value) in [
        ("points", json!(12345)),
        ("streak_days", json!(1)),
        ("progress", json!(100)),
    ] {
        if large.contains_key(key) {
            large.insert(key.into(), value);
        }
    }
    let mut nobody = whole.clone();
    nobody.remove("user_name");
    let mut all = vec![
        Value::Object(whole),
        Value::Object(large),
        Value::Object(nobody),
        json!({}),
    ];
    all.dedup();
    all
}

fn shown(card: &Card) -> String {
    let mut text = format!(
        "{} {}\n    {}\n",
        card.emoji,
        card.title.as_str(),
        card.text.as_str()
    );
    for (name, value) in &card.fields {
        writeln!(text, "    {name}: {}", value.as_str()).unwrap();
    }
    text
}

#[test]
fn each_language_says_what_is_written_down() {
    let mut all = String::new();
    for language in Language::ALL {
        let catalogue = Catalogue::of(language);
        writeln!(all, "# {}\n", language.code()).unwrap();
        for event_type in TYPES {
            for data in variants(event_type) {
                all += &shown(&catalogue.card(&event(event_type, &data)));
            }
            all.push('\n');
        }
        all += &shown(&catalogue.card(&event("test", &json!({"message": "..."}))));
        all.push('\n');
    }
    // Spaces that do not break are seen.
    let all = all.replace('\u{a0}', "⍽").replace('\u{202f}', "⎵");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/languages.txt");
    if env::var_os("ZENTRY_WRITE").is_some() {
        fs::write(&path, &all).unwrap();
    }
    assert_eq!(all, fs::read_to_string(path).unwrap());
}

/// "15." begins a list in Markdown, at the beginning of a line alone.
#[test]
fn dates_stand_as_the_language_writes_them() {
    let mut raw = Language::German.pack().swap_remove(0);
    let mut last_lines = |footer: Option<String>| {
        raw.footer = footer;
        let whole = Value::Object(sample("task_completed").unwrap());
        let card = Definition::compile(&raw)
            .unwrap()
            .card(&event("task_completed", &whole), None);
        let body = |kind| -> Value {
            let message = compose_with(kind, std::slice::from_ref(&card), &Appearance::default());
            serde_json::from_slice(&message.body).unwrap()
        };
        let text = body(EndpointKind::Ntfy)["message"].as_str().unwrap().to_owned();
        let subtitle = body(EndpointKind::TeamsConnector)["sections"][0]["activitySubtitle"].clone();
        [
            subtitle.as_str().unwrap().to_owned(),
            text.lines().last().unwrap().to_owned(),
        ]
    };
    let date = "Januar 2024, 10:30 UTC";
    let with = format!("Zentry · 15. {date}");
    assert_eq!(last_lines(Some("Zentry".to_owned())), [with.as_str(); 2]);
    let without = format!("15\\. {date}");
    assert_eq!(last_lines(Some(String::new())), [without.as_str(); 2]);
}

/// All of the words, in every format.
#[test]
fn nothing_english_is_left_in_a_message() {
    let english = ["Open", "sample", "more)", "Picture", "Notification", "UTC and"];
    let data = json!({"user_name": "ada", "task_title": "x", "zentry_sample": true});
    for language in Language::ALL
        .into_iter()
        .filter(|language| *language != Language::English)
    {
        let mut raw = language.pack().swap_remove(0);
        raw.url = Some("https://app.example.com/1".into());
        raw.thumbnail = Some("https://app.example.com/1.png".into());
        let card = Definition::compile(&raw)
            .unwrap()
            .card(&event("task_completed", &data), None);
        for kind in [
            EndpointKind::Discord,
            EndpointKind::TeamsConnector,
            EndpointKind::TeamsWorkflow,
            EndpointKind::Slack,
            EndpointKind::GoogleChat,
            EndpointKind::Mattermost,
        ] {
            let message = compose_with(kind, &[card.clone(), card.clone()], &Appearance::default());
            let body: Value = serde_json::from_slice(&message.body).unwrap();
            let mut texts = String::new();
            texts_of(&body, &mut texts);
            for word in english
                .iter()
                .filter(|word| **word != "Notification" || language != Language::French)
            {
                assert!(
                    !texts.contains(word),
                    "{kind:?}, {}: {word} in {texts}",
                    language.code()
                );
            }
        }
    }
}

fn texts_of(json: &Value, texts: &mut String) {
    match json {
        Value::String(text) => {
            texts.push_str(text);
            texts.push('\n');
        }
        Value::Array(items) => items.iter().for_each(|item| texts_of(item, texts)),
        Value::Object(entries) => {
            // What a format calls its own parts.
            let ours = |key: &&String| {
                !matches!(
                    key.as_str(),
                    "type" | "@type" | "$schema" | "contentType" | "size" | "weight"
                )
            };
            entries
                .iter()
                .filter(|(key, _)| ours(key))
                .for_each(|(_, value)| texts_of(value, texts));
        }
        _ => {}
    }
}

/// Own templates have the filters too.
#[test]
fn filters_write_as_the_language_does() {
    let say = |language: Language, text: &str| {
        let raw = EventDefinition {
            text: text.into(),
            language,
            ..language.pack().swap_remove(0)
        };
        let data = json!({"n": 1, "many": 1234.5, "at": "2024-03-01T23:30:00Z", "on": "2024-12-31", "word": "soon", "large": 12_345_678_901_234_567_890_u64});
        let definition = Definition::compile(&raw).unwrap();
        definition
            .try_card(&event("task_completed", &data))
            .unwrap()
            .text
            .as_str()
            .to_owned()
    };
    for (language, expected) in [
        (
            Language::English,
            "1 task, 2 tasks, 0 tasks; 1,234.5; 12,345,678,901,234,567,890; March 1, 2024; Tuesday, December 31, 2024; soon",
        ),
        (
            Language::French,
            "1 task, 2 tasks, 0 task; 1⎵234,5; 12⎵345⎵678⎵901⎵234⎵567⎵890; 1er mars 2024; mardi 31 décembre 2024; soon",
        ),
        (
            Language::Japanese,
            "1 tasks, 2 tasks, 0 tasks; 1,234.5; 12,345,678,901,234,567,890; 2024年3月1日; 2024年12月31日火曜日; soon",
        ),
    ] {
        let text = "{{ n }} {{ n|plural('task', 'tasks') }}, 2 {{ 2|plural('task', 'tasks') }}, 0 {{ 0|plural('task', 'tasks') }}; \
                    {{ many|number }}; {{ large|number }}; {{ at|date }}; {{ on|date('full') }}; {{ word|date }}{{ missing|date }}{{ missing|number }}";
        assert_eq!(say(language, text).replace('\u{202f}', "⎵"), expected);
    }
}
