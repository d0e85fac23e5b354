//! Rows of any content become messages that are valid, within every limit, without a ping, and say what the row said.

#![no_main]

#[path = "../../tests/model/mod.rs"]
mod model;

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use model::{Shown, assert_says, discord, teams};
use serde_json::{Map, Value};
use webhook::card::Card;
use webhook::definition::{Catalogue, builtin};
use webhook::endpoint::EndpointKind::{self, Discord, TeamsConnector, TeamsWorkflow};
use webhook::event::Event;
use webhook::message::compose;
use webhook::rich_text::RichText;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::builtin);
static TYPES: LazyLock<Vec<String>> =
    LazyLock::new(|| builtin().iter().map(|raw| raw.name.clone()).collect());

const KEYS: [&str; 16] = [
    "task_title",
    "task_description",
    "user_name",
    "project_name",
    "points",
    "completed_at",
    "badge_name",
    "badge_description",
    "earned_at",
    "project_description",
    "created_at",
    "milestone_name",
    "progress",
    "streak_days",
    "streak_type",
    "message",
];

#[derive(Arbitrary, Debug)]
enum Input {
    Events(Vec<Row>),
    Card(Parts),
}

#[derive(Arbitrary, Debug)]
struct Row {
    event_type: u8,
    values: Vec<(u8, Scalar)>,
    /// Where the data is no JSON, or other JSON than expected.
    raw: Option<String>,
    seconds: u32,
}

#[derive(Arbitrary, Debug)]
enum Scalar {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Long(String, u16),
    List(Vec<String>),
}

#[derive(Arbitrary, Debug)]
struct Parts {
    title: String,
    emoji: String,
    colour: u32,
    text: String,
    fields: Vec<(String, String)>,
    footer: String,
}

impl Scalar {
    fn json(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => value.into(),
            Self::Integer(value) => value.into(),
            Self::Float(value) => value.into(),
            Self::Text(text) => text.into(),
            Self::Long(text, times) => {
                let most = 20_000 / text.len().max(1);
                text.repeat(usize::from(times).min(most)).into()
            }
            Self::List(list) => list.into(),
        }
    }
}

impl Row {
    fn event(self) -> Event {
        let data: Map<String, Value> = self
            .values
            .into_iter()
            .map(|(key, value)| (KEYS[usize::from(key) % KEYS.len()].to_owned(), value.json()))
            .collect();
        Event {
            event_type: TYPES[usize::from(self.event_type) % TYPES.len()].as_str().into(),
            data: self.raw.unwrap_or_else(|| Value::Object(data).to_string()).into(),
            occurred_at: Timestamp::from_second(self.seconds.into()).expect("within jiff's range"),
            traceparent: None,
        }
    }
}

impl Parts {
    fn card(self) -> Card {
        Card {
            event_type: "task_completed".into(),
            title: RichText::parse(&self.title),
            emoji: self.emoji.chars().take(16).collect::<String>().into(),
            colour: self.colour,
            text: RichText::parse(&self.text),
            fields: self
                .fields
                .iter()
                .map(|(name, value)| (name.as_str().into(), RichText::parse(value)))
                .collect(),
            time: Timestamp::UNIX_EPOCH,
            footer: self.footer.into(),
            is_sample: false,
            url: None,
            thumbnail: None,
            language: webhook::language::Language::English,
        }
    }
}

/// Validates the body by the model, which panics at any fault, and reads it as a person would.
fn read(kind: EndpointKind, body: &[u8]) -> Vec<Shown> {
    match kind {
        Discord => discord::embeds(body).iter().map(discord::shown).collect(),
        TeamsConnector => teams::sections(body).iter().map(teams::section_shown).collect(),
        TeamsWorkflow => teams::containers(body)
            .iter()
            .map(teams::container_shown)
            .collect(),
    }
}

fuzz_target!(|input: Input| {
    let cards: Vec<Card> = match input {
        Input::Events(rows) => rows
            .into_iter()
            .take(12)
            .map(|row| CATALOGUE.card(&row.event()))
            .collect(),
        Input::Card(parts) => vec![parts.card()],
    };
    if cards.is_empty() {
        return;
    }
    for kind in [Discord, TeamsConnector, TeamsWorkflow] {
        let message = compose(kind, &cards);
        let shown = read(kind, &message.body);
        assert!((1..=cards.len().min(10)).contains(&message.taken));
        assert_eq!(shown.len(), message.taken);
        for (card, shown) in cards.iter().zip(&shown) {
            assert_says(&shown.text, card.text.as_str(), usize::MAX / 2, 0);
        }
        assert_eq!(
            compose(kind, &cards).body,
            message.body,
            "the same cards make the same message"
        );
    }
});
