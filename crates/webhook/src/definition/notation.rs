//! Definitions as JSON, as people write them. Errors name the key that is wrong, and say what its value must be.

use std::fmt;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::error::DefinitionError;
use super::event_definition::{DEFAULT_COLOUR, EventDefinition, FieldDefinition};
use crate::language::Language;
use crate::spelling::closest;

const KEYS: [&str; 11] = [
    "name",
    "title",
    "colour",
    "emoji",
    "text",
    "fields",
    "footer",
    "time_key",
    "url",
    "thumbnail",
    "language",
];

impl EventDefinition {
    /// Parses a definition.
    ///
    /// # Errors
    /// The key that is wrong, and what its value must be.
    pub fn parse(json: &str) -> Result<Self, DefinitionError> {
        read_definition(parse_json("the definition", json)?)
    }
}

impl<'de> Deserialize<'de> for EventDefinition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_definition(Json::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Parses fields and keeps their order: an object of names and templates, or an array of `{"name", "value"}`.
///
/// # Errors
/// The field that is wrong, and what it must be.
pub fn parse_fields(json: &str) -> Result<Vec<FieldDefinition>, DefinitionError> {
    read_fields(parse_json("fields", json)?)
}

fn read_definition(json: Json) -> Result<EventDefinition, DefinitionError> {
    let Json::Object(entries) = json else {
        return Err(wrong("the definition", "a JSON object", &json));
    };
    let mut definition = EventDefinition {
        name: String::new(),
        title: String::new(),
        colour: DEFAULT_COLOUR,
        emoji: String::new(),
        text: String::new(),
        fields: Vec::new(),
        footer: None,
        time_key: None,
        url: None,
        thumbnail: None,
        language: Language::default(),
    };
    let (mut name, mut title) = (None, None);
    for (key, value) in entries {
        match &*key {
            "name" => name = Some(string(&key, value)?),
            "title" => title = Some(string(&key, value)?),
            "colour" => definition.colour = colour(&string(&key, value)?)?,
            "emoji" => definition.emoji = string(&key, value)?,
            "text" => definition.text = string(&key, value)?,
            "fields" => definition.fields = read_fields(value)?,
            "footer" => definition.footer = optional(&key, value)?,
            "time_key" => definition.time_key = optional(&key, value)?,
            "url" => definition.url = optional(&key, value)?,
            "thumbnail" => definition.thumbnail = optional(&key, value)?,
            "language" => definition.language = language(&string(&key, value)?)?,
            _ => return Err(unknown(&key, "the definition of an event type", &KEYS)),
        }
    }
    let missing = |key| DefinitionError::invalid(key, "must not be missing");
    definition.name = name.ok_or_else(|| missing("name"))?;
    definition.title = title.ok_or_else(|| missing("title"))?;
    Ok(definition)
}

fn read_fields(json: Json) -> Result<Vec<FieldDefinition>, DefinitionError> {
    match json {
        Json::Object(entries) => {
            let field = |(name, value): (String, Json)| match value {
                Json::String(value) => Ok(FieldDefinition { name, value }),
                other => Err(wrong(
                    format!("field \"{name}\""),
                    "a string, which is its template",
                    &other,
                )),
            };
            entries.into_iter().map(field).collect()
        }
        Json::Array(items) => items.into_iter().map(read_field).collect(),
        other => Err(wrong("fields", "a JSON object of names and templates", &other)),
    }
}

fn read_field(json: Json) -> Result<FieldDefinition, DefinitionError> {
    let Json::Object(entries) = json else {
        return Err(wrong(
            "each of fields",
            "an object with \"name\" and \"value\"",
            &json,
        ));
    };
    let (mut name, mut value) = (None, None);
    for (key, part) in entries {
        match &*key {
            "name" => name = Some(string("name of a field", part)?),
            "value" => value = Some(string("value of a field", part)?),
            _ => return Err(unknown(&key, "a field", &["name", "value"])),
        }
    }
    let missing = |key| DefinitionError::invalid("each of fields", format!("must have \"{key}\""));
    Ok(FieldDefinition {
        name: name.ok_or_else(|| missing("name"))?,
        value: value.ok_or_else(|| missing("value"))?,
    })
}

fn language(code: &str) -> Result<Language, DefinitionError> {
    Language::of(code).ok_or_else(|| {
        let known = Language::ALL.map(Language::code).join(", ");
        DefinitionError::invalid("language", format!("must be one of {known}"))
    })
}

fn colour(text: &str) -> Result<u32, DefinitionError> {
    text.strip_prefix('#')
        .filter(|digits| digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .ok_or_else(|| {
            let shown: String = text.chars().take(50).collect();
            DefinitionError::invalid(
                "colour",
                format!("must be #rrggbb, such as #0099ff, not \"{shown}\""),
            )
        })
}

fn string(key: &str, json: Json) -> Result<String, DefinitionError> {
    match json {
        Json::String(text) => Ok(text),
        other => Err(wrong(key, "a string", &other)),
    }
}

fn optional(key: &str, json: Json) -> Result<Option<String>, DefinitionError> {
    match json {
        Json::Null => Ok(None),
        other => string(key, other).map(Some),
    }
}

fn wrong(part: impl Into<String>, wanted: &str, found: &Json) -> DefinitionError {
    DefinitionError::invalid(part, format!("must be {wanted}, not {}", found.kind()))
}

fn unknown(key: &str, of: &str, known: &[&str]) -> DefinitionError {
    let remedy = match closest(key, known.iter().copied()) {
        Some(meant) => format!("perhaps \"{meant}\" is meant"),
        None => format!("it has {}", known.join(", ")),
    };
    DefinitionError::invalid(format!("\"{key}\""), format!("is not a part of {of}: {remedy}"))
}

/// JSON whose objects keep the order of the text.
enum Json {
    Null,
    Bool,
    Number,
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

fn parse_json(part: &str, text: &str) -> Result<Json, DefinitionError> {
    // PostgreSQL has checked the syntax, but an escape can still be half of a surrogate pair, and it takes deeper levels than serde_json.
    serde_json::from_str(text).map_err(|error| {
        DefinitionError::invalid(
            part,
            if error.to_string().starts_with("recursion limit exceeded") {
                "must not be nested deeper than 100 levels"
            } else {
                "must be JSON whose escapes can be read"
            },
        )
    })
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Bool)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        // A number that is not a small integer comes as a map with its digits, as serde_json passes it to its own Number.
        if let [(key, Json::String(_))] = &entries[..]
            && key == "$serde_json::private::Number"
        {
            return Ok(Json::Number);
        }
        Ok(Json::Object(entries))
    }
}
