//! An event's data as values for templates.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, Value};
use serde_json::{Map, Value as Json};

use super::number;
use super::spoken::LANGUAGE;
use crate::language::Language;
use crate::rich_text::DATA_ASTERISK;

/// The maximum length, in bytes, of a text that a template gets: more than any format shows.
const MAX_TEXT: usize = 32 * 1024;

/// An event's data. A value is converted when a template uses it, since most keys are never used.
#[derive(Debug)]
pub(super) struct Data {
    map: Map<String, Json>,
    /// The language of the filters for numbers and dates.
    pub(super) language: Language,
}

impl Data {
    pub(super) fn new(map: Map<String, Json>, language: Language) -> Self {
        Self { map, language }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Json> {
        self.map.get(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Json)> {
        self.map.iter()
    }
}

impl Object for Data {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            LANGUAGE => Some(self.language.code().into()),
            key => self.get(key).map(to_value),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.map.keys().map(|key| Value::from(key.as_str())).collect())
    }
}

/// Converts JSON to a value of the template engine.
pub(super) fn to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(bool) => Value::from(*bool),
        Json::Number(number) => number::to_value(number),
        Json::String(text) => to_text(text),
        Json::Array(items) => items.iter().map(to_value).collect::<Vec<_>>().into(),
        // The type makes it a map; pairs alone would be collected into a list.
        Json::Object(map) => map
            .iter()
            .map(|(key, value)| (to_text(key), to_value(value)))
            .collect::<BTreeMap<_, _>>()
            .into(),
    }
}

fn to_text(text: &str) -> Value {
    let text = &text[..text.floor_char_boundary(MAX_TEXT)];
    if text.contains(DATA_ASTERISK) {
        // This character marks asterisks that were escaped; only `template` may make it.
        Value::from(text.replace(DATA_ASTERISK, ""))
    } else {
        Value::from(text)
    }
}
