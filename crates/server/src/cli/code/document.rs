//! The configuration as a file: what may stand in it.

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

/// What a file says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Event types of one's own, by name.
    #[serde(default)]
    pub event_type: BTreeMap<String, EventType>,
    /// Other words for an event in all messages, by event.
    #[serde(default)]
    pub wording: BTreeMap<String, Wording>,
    /// By name.
    #[serde(default)]
    pub webhook: BTreeMap<String, Webhook>,
    #[serde(default)]
    pub source: Vec<Source>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    pub webhook_type: String,
    pub url: Secret,
    /// What to sign by.
    pub secret: Option<Secret>,
    /// Of its requests besides.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    pub project_id: Option<i64>,
    pub created_by_id: Option<i64>,
    #[serde(default = "all_events")]
    pub event_types: Vec<String>,
    #[serde(default = "yes")]
    pub is_active: bool,
    /// By name, another one of the file or of the database.
    pub notify_webhook: Option<String>,
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

/// What is not said of a webhook.
pub const MAX_EVENTS_PER_MESSAGE: i32 = 10;
pub const MIN_INTERVAL: &str = "00:00:00";

impl Webhook {
    /// All of them: what the file does not say is as if it had never been set. But for the webhook that is told of its trouble, which may be still to come.
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

fn array(fields: &[Field]) -> Value {
    let fields = fields
        .iter()
        .map(|field| serde_json::json!({ "name": field.name, "value": field.value }));
    Value::Array(fields.collect())
}

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
    /// Of all events.
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
    /// `zentry_attach()` makes it by itself, of Zentry's own table.
    #[serde(default)]
    pub built_in: bool,
    columns: Option<Data>,
    /// Keys that are not guessed.
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
    /// As `zentry_attach` takes them.
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

    pub fn audience(&self) -> Option<Value> {
        self.audience.clone().map(|audience| audience.0)
    }

    /// What says nothing of a source that is made by itself.
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
