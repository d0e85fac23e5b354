//! The generic card, of events without a definition, or whose definition fails on their data.

use serde_json::Value as Json;

use super::context::Data;
use super::event_definition::DEFAULT_COLOUR;
use super::number;
use crate::card::{Card, humanised};
use crate::event::{Event, SAMPLE_KEY};
use crate::rich_text::RichText;

const MAX_FIELDS: usize = 10;
const EMOJI: &str = "📣";

/// Returns a card with the event type's name as its title and the scalar values of the data as fields.
pub(super) fn card(event: &Event, data: &Data) -> Card {
    let fields = data
        .iter()
        .filter(|(key, _)| *key != SAMPLE_KEY)
        .map(|(key, value)| (humanised(key).into(), RichText::plain(&scalar(value))))
        .filter(|(name, value): &(std::sync::Arc<str>, _)| !name.is_empty() && !value.is_empty())
        .take(MAX_FIELDS)
        .collect();
    Card {
        event_type: event.event_type.clone(),
        title: RichText::plain(&humanised(&event.event_type)),
        emoji: EMOJI.into(),
        colour: DEFAULT_COLOUR,
        text: RichText::default(),
        fields,
        time: event.occurred_at,
        footer: super::builtin::FOOTER.into(),
        is_sample: super::sample::is_sample(data),
        url: None,
        thumbnail: None,
        language: data.language,
    }
}

fn scalar(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Number(number) => number::spelled(number),
        Json::Bool(bool) => bool.to_string(),
        Json::Null | Json::Array(_) | Json::Object(_) => String::new(),
    }
}
