//! The structure of a configuration file, and its values as the SQL functions take them.

mod json;
mod secret;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::queries::own_event_types;
use crate::queries::settings::Rules;
use crate::queries::words::Words;
pub use json::toml_of;
use json::{Data, constant};
pub use secret::Secret;

/// The content of a configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// The event types of users, by name.
    #[serde(default)]
    pub event_type: BTreeMap<String, EventType>,
    /// Wordings for all webhooks, by event type; `*` sets the language.
    #[serde(default)]
    pub wording: BTreeMap<String, Wording>,
    /// The webhooks, by name.
    #[serde(default)]
    pub webhook: BTreeMap<String, Webhook>,
    /// The event sources.
    #[serde(default)]
    pub source: Vec<Source>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    pub webhook_type: String,
    pub url: Secret,
    /// The signing secret, or the credentials of a stream; `None`: a registered webhook keeps what it has, and a new one that signs gets a random
    /// secret.
    pub secret: Option<Secret>,
    /// Additional headers of its requests, by name.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    pub project_id: Option<i64>,
    pub created_by_id: Option<i64>,
    #[serde(default = "all_events")]
    pub event_types: Vec<String>,
    #[serde(default = "yes")]
    pub is_active: bool,
    /// The name of the webhook that is told of this one's trouble: one of the file, or one that is registered.
    pub notify_webhook: Option<String>,
    /// Wordings for this webhook, by event type; `*` sets the language.
    #[serde(default)]
    pub wording: BTreeMap<String, Wording>,

    #[serde(default)]
    omit_keys: Vec<String>,
    filter: Option<String>,
    min_streak_days: Option<i32>,
    #[serde(default)]
    milestones: Vec<i32>,
    quiet_hours: Option<String>,
    mention: Option<String>,
    username: Option<String>,
    avatar_url: Option<String>,
    #[serde(default)]
    announce: bool,
    thread_name: Option<String>,
    #[serde(default)]
    applied_tags: Vec<String>,
    rate_limit: Option<String>,
    rate_group: Option<String>,
    #[serde(default)]
    notices: bool,
    digest: Option<String>,
    max_events_per_message: Option<i32>,
    min_interval: Option<String>,
    max_age: Option<String>,
    thread_by: Option<String>,
}

fn all_events() -> Vec<String> {
    vec!["*".to_owned()]
}

fn yes() -> bool {
    true
}

/// The default of `max_events_per_message`.
pub const MAX_EVENTS_PER_MESSAGE: i32 = 10;
/// The default of `min_interval`, as PostgreSQL writes an interval.
pub const MIN_INTERVAL: &str = "00:00:00";

impl Webhook {
    /// Returns all settings, with the default for each that the file does not have. Only `notify_webhook_id` is left as it is: the webhook that it
    /// refers to may not be registered yet.
    pub fn rules(&self) -> Rules {
        Rules {
            omit_keys: Some(self.omit_keys.clone()),
            filter: Some(self.filter.clone().unwrap_or_default()),
            min_streak_days: Some(self.min_streak_days.unwrap_or_default()),
            milestones: Some(self.milestones.clone()),
            quiet_hours: Some(self.quiet_hours.clone().unwrap_or_default()),
            mention: Some(self.mention.clone().unwrap_or_default()),
            username: Some(self.username.clone().unwrap_or_default()),
            avatar_url: Some(self.avatar_url.clone().unwrap_or_default()),
            announce: Some(self.announce),
            thread_name: Some(self.thread_name.clone().unwrap_or_default()),
            applied_tags: Some(self.applied_tags.clone()),
            rate_limit: Some(self.rate_limit.clone().unwrap_or_default()),
            rate_group: Some(self.rate_group.clone().unwrap_or_default()),
            notify_webhook_id: None,
            notices: Some(self.notices),
            digest: Some(self.digest.clone().unwrap_or_default()),
            max_events_per_message: Some(self.max_events_per_message.unwrap_or(MAX_EVENTS_PER_MESSAGE)),
            min_interval: Some(
                self.min_interval
                    .clone()
                    .unwrap_or_else(|| MIN_INTERVAL.to_owned()),
            ),
            max_age: Some(self.max_age.clone().unwrap_or_else(|| "0".to_owned())),
            thread_by: Some(self.thread_by.clone().unwrap_or_default()),
        }
    }
}

/// A field of a message.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    name: String,
    value: String,
}

/// Returns fields as a JSON array of objects with `name` and `value`.
fn array(fields: &[Field]) -> Value {
    let fields = fields
        .iter()
        .map(|field| serde_json::json!({ "name": field.name, "value": field.value }));
    Value::Array(fields.collect())
}

/// A wording of an event type, or the language of all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wording {
    title: Option<String>,
    text: Option<String>,
    fields: Option<Vec<Field>>,
    colour: Option<String>,
    emoji: Option<String>,
    footer: Option<String>,
    url: Option<String>,
    thumbnail: Option<String>,
    /// The language of all events, only in the wording of `*`.
    pub language: Option<String>,
}

impl Wording {
    pub fn words(&self) -> Words {
        Words {
            title: self.title.clone(),
            text: self.text.clone(),
            fields: self.fields.as_deref().map(array),
            colour: self.colour.clone(),
            emoji: self.emoji.clone(),
            footer: self.footer.clone(),
            url: self.url.clone(),
            thumbnail: self.thumbnail.clone(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventType {
    title: String,
    text: Option<String>,
    fields: Option<Vec<Field>>,
    colour: Option<String>,
    emoji: Option<String>,
    footer: Option<String>,
    time_key: Option<String>,
    sample: Option<Data>,
    url: Option<String>,
    thumbnail: Option<String>,
}

impl EventType {
    /// Returns the event type under this name, as the SQL functions take it.
    pub fn named(&self, name: &str) -> own_event_types::EventType {
        own_event_types::EventType {
            name: name.to_owned(),
            words: Words {
                title: Some(self.title.clone()),
                text: self.text.clone(),
                fields: self.fields.as_deref().map(array),
                colour: self.colour.clone(),
                emoji: self.emoji.clone(),
                footer: self.footer.clone(),
                url: self.url.clone(),
                thumbnail: self.thumbnail.clone(),
            },
            time_key: self.time_key.clone(),
            sample: self.sample.clone().map(|sample| sample.0),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub event_type: String,
    pub table: String,
    /// Whether `zentry_attach()` without arguments creates it, for one of Zentry's own tables.
    #[serde(default)]
    pub built_in: bool,
    columns: Option<Data>,
    /// Keys of the data that are not guessed.
    #[serde(default)]
    without: Vec<String>,
    pub condition: Option<String>,
    pub operation: Option<String>,
    audience: Option<Data>,
    pub done: Option<String>,
    #[serde(default)]
    pub omit: Vec<String>,
}

impl Source {
    /// Returns the argument `columns` of `zentry_attach`: a JSON object, in which the keys of `without` are null, and constants are `{"value": ...}`.
    pub fn columns(&self) -> Value {
        let mut columns = Map::new();
        for key in &self.without {
            columns.insert(key.clone(), Value::Null);
        }
        if let Some(Data(Value::Object(given))) = &self.columns {
            for (key, value) in given {
                columns.insert(key.clone(), constant(value).unwrap_or_else(|| value.clone()));
            }
        }
        Value::Object(columns)
    }

    /// Returns the argument `audience` of `zentry_attach`; `None`: it is not in the file.
    pub fn audience(&self) -> Option<Value> {
        self.audience.clone().map(|audience| audience.0)
    }

    /// Returns whether it has a key that a built-in source cannot have.
    pub fn says_more(&self) -> bool {
        self.columns.is_some()
            || !self.without.is_empty()
            || self.condition.is_some()
            || self.operation.is_some()
            || self.audience.is_some()
            || self.done.is_some()
    }
}

#[cfg(test)]
mod tests;
