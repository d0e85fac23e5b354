//! What events look like as messages, and what becomes of the odd ones.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod appearance;
mod built_in;
mod escaping;
mod odd_data;
mod packing;
mod templates;

#[path = "../model/mod.rs"]
mod model;

use serde_json::Value;
use webhook::definition::{Catalogue, EventDefinition, sample};
use webhook::endpoint::EndpointKind::{self, Discord};
use webhook::event::Event;
use webhook::message::compose;

fn event(event_type: &str, data: &Value) -> Event {
    Event {
        event_type: event_type.into(),
        data: data.to_string().into(),
        occurred_at: "2024-01-15T10:31:02.5Z".parse().unwrap(),
        traceparent: None,
    }
}

fn sample_event(event_type: &str) -> Event {
    event(event_type, &Value::Object(sample(event_type).unwrap()))
}

fn body(kind: EndpointKind, event: &Event) -> Value {
    let message = compose(kind, &[Catalogue::builtin().card(event)]);
    serde_json::from_slice(&message.body).unwrap()
}

fn description(event_type: &str, data: &Value) -> String {
    body(Discord, &event(event_type, data))["embeds"][0]["description"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn own(text: &str) -> EventDefinition {
    EventDefinition {
        name: "own".into(),
        title: "Own".into(),
        colour: 0,
        emoji: String::new(),
        text: text.into(),
        fields: Vec::new(),
        footer: None,
        time_key: None,
        url: None,
        thumbnail: None,
        language: webhook::language::Language::English,
    }
}
