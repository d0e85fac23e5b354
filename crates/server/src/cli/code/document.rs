//! The configuration as a file: what may stand in it, and where it does.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Number, Value};
use toml::de::{DeTable, DeValue};

use crate::queries::configuration::Words;
use crate::queries::settings::Rules;
use crate::spelling::closest;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    place: String,
    message: String,
    hint: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}

/// A file that was read.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    text: String,
    /// Where each key begins.
    places: HashMap<Vec<String>, usize>,
    pub content: Content,
}

impl File {
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let text = fs::read_to_string(path).map_err(|error| Fault {
            place: path.display().to_string(),
            message: format!("it cannot be read: {error}"),
            hint: Some("zentry-notify export writes one.".to_owned()),
        })?;
        Self::parse(path, text)
    }

    fn parse(path: &Path, text: String) -> Result<Self, Fault> {
        let content = toml::from_str(&text).map_err(|error| refusal(path, &text, &error))?;
        let mut places = HashMap::new();
        if let Ok(table) = DeTable::parse(&text) {
            note_table(table.get_ref(), &[], &mut places);
        }
        Ok(Self {
            path: path.to_owned(),
            text,
            places,
            content,
        })
    }

    /// What a path in it is relative to.
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Where the key stands, or the nearest above it that does.
    pub fn fault(&self, keys: &[&str], message: String, hint: Option<String>) -> Fault {
        let found = (0..=keys.len()).rev().find_map(|length| {
            let keys: Vec<String> = keys.iter().take(length).map(|key| (*key).to_owned()).collect();
            self.places.get(&keys).copied()
        });
        Fault {
            place: place(&self.path, &self.text, found),
            message,
            hint,
        }
    }
}

/// As compilers name one.
fn place(path: &Path, text: &str, at: Option<usize>) -> String {
    let Some(before) = at.and_then(|at| text.get(..at)) else {
        return path.display().to_string();
    };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{}:{line}:{column}", path.display())
}

/// What the parser says, without the line that it is about, which may have a secret in it.
fn refusal(path: &Path, text: &str, error: &toml::de::Error) -> Fault {
    let place = place(path, text, error.span().map(|span| span.start));
    let said = error.message().trim();
    let Some((name, known)) = said
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split_once('`'))
    else {
        let (message, hint) = match said.split_once('\n') {
            Some((message, hint)) => (message.to_owned(), Some(hint.replace('\n', " "))),
            None => (said.to_owned(), None),
        };
        return Fault { place, message, hint };
    };
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    let hint = match closest(name, known.iter().copied()) {
        Some(meant) => format!("Perhaps \"{meant}\" is meant."),
        None => format!("There are {}.", known.join(", ")),
    };
    Fault {
        place,
        message: format!("unknown key \"{name}\""),
        hint: Some(hint),
    }
}

fn note_table(table: &DeTable<'_>, above: &[String], places: &mut HashMap<Vec<String>, usize>) {
    for (key, value) in table {
        let keys = [above, &[key.get_ref().to_string()]].concat();
        places.insert(keys.clone(), key.span().start);
        note_value(value.get_ref(), &keys, places);
    }
}

fn note_value(value: &DeValue<'_>, keys: &[String], places: &mut HashMap<Vec<String>, usize>) {
    match value {
        DeValue::Table(table) => note_table(table, keys, places),
        DeValue::Array(array) => {
            for (number, one) in array.iter().enumerate() {
                let keys = [keys, &[number.to_string()]].concat();
                places.insert(keys.clone(), one.span().start);
                note_value(one.get_ref(), &keys, places);
            }
        }
        _ => {}
    }
}

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

/// Where a secret is. It stands in no file that others may read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(try_from = "toml::Value")]
pub enum Secret {
    /// A variable of the environment.
    Env(String),
    /// A file, relative to this one.
    File(String),
}

impl TryFrom<toml::Value> for Secret {
    type Error = &'static str;

    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        const FORMS: &str = "a secret stands elsewhere\nWrite { env = \"NAME\" } for a variable of the environment, or { file = \"PATH\" }, which is relative to this file.";
        let toml::Value::Table(table) = value else {
            return Err(FORMS);
        };
        let mut entries = table.into_iter();
        match (entries.next(), entries.next()) {
            (Some((key, toml::Value::String(name))), None) if key == "env" => Ok(Self::Env(name)),
            (Some((key, toml::Value::String(path))), None) if key == "file" => Ok(Self::File(path)),
            _ => Err(FORMS),
        }
    }
}

impl Secret {
    /// What it is; an error says why nobody knows, and what to do.
    pub fn resolve(&self, directory: &Path) -> Result<String, (String, String)> {
        let (said, text) = match self {
            Self::Env(name) => (
                format!("the environment has no {name}"),
                std::env::var(name)
                    .map_err(|_| format!("Set it: read -rsp '{name}: ' {name}; export {name}")),
            ),
            Self::File(path) => {
                let path = directory.join(path);
                let text = fs::read_to_string(&path);
                (
                    format!("{} can't be read", path.display()),
                    text.map_err(|error| format!("{error}. It holds the secret and nothing else.")),
                )
            }
        };
        let text = text.map_err(|hint| (said.clone(), hint))?;
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            let what = match self {
                Self::Env(name) => format!("{name} is empty in the environment"),
                Self::File(path) => format!("{} is empty", directory.join(path).display()),
            };
            return Err((what, "It holds the secret and nothing else.".to_owned()));
        }
        Ok(text.to_owned())
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
    pub fn named(&self, name: &str) -> crate::queries::configuration::EventType {
        crate::queries::configuration::EventType {
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

/// `{ json = "null" }`: a constant that TOML has no words for.
fn constant(value: &Value) -> Option<Value> {
    let text = value
        .as_object()
        .filter(|object| object.len() == 1)?
        .get("json")?
        .as_str()?;
    let value: Value = serde_json::from_str(text).ok()?;
    Some(serde_json::json!({ "value": value }))
}

/// A JSON object: a table, or a text that is one.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "toml::Value")]
pub struct Data(pub Value);

impl TryFrom<toml::Value> for Data {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        let value = match value {
            toml::Value::String(text) => {
                serde_json::from_str(&text).map_err(|error| format!("it is no JSON: {error}"))?
            }
            other => json_of(other)?,
        };
        if value.is_object() {
            Ok(Self(value))
        } else {
            Err("it has to be a table, or a text that is a JSON object".to_owned())
        }
    }
}

fn json_of(value: toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::Number(number.into()),
        toml::Value::Float(number) => {
            Value::Number(Number::from_f64(number).ok_or_else(|| format!("JSON has no {number}"))?)
        }
        toml::Value::Boolean(flag) => Value::Bool(flag),
        toml::Value::Datetime(at) => return Err(format!("JSON has no times: write \"{at}\"")),
        toml::Value::Array(array) => Value::Array(array.into_iter().map(json_of).collect::<Result<_, _>>()?),
        toml::Value::Table(table) => Value::Object(
            table
                .into_iter()
                .map(|(key, value)| Ok((key, json_of(value)?)))
                .collect::<Result<_, String>>()?,
        ),
    })
}

/// None: TOML cannot say it so that it comes back as it is.
pub fn toml_of(value: &Value) -> Option<toml::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => toml::Value::Boolean(*flag),
        Value::Number(number) => toml::Value::Integer(
            number
                .as_i64()
                .filter(|whole| whole.to_string() == number.to_string())?,
        ),
        Value::String(text) => toml::Value::String(text.clone()),
        Value::Array(array) => toml::Value::Array(array.iter().map(toml_of).collect::<Option<_>>()?),
        Value::Object(object) => toml::Value::Table(
            object
                .iter()
                .map(|(key, value)| Some((key.clone(), toml_of(value)?)))
                .collect::<Option<_>>()?,
        ),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn said(text: &str) -> String {
        File::parse(Path::new("z.toml"), text.to_owned())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        const HEAD: &str = "[webhook.\"A b\"]\nwebhook_type = \"discord\"\n";
        let url = "url = { env = \"X\" }\n";
        let cases = [
            (
                format!("{HEAD}{url}evnt_types = []\n"),
                "z.toml:4:1: unknown key \"evnt_types\"\nhint: Perhaps \"event_types\" is meant.",
            ),
            (
                "[webhok.x]\n".to_owned(),
                "z.toml:1:2: unknown key \"webhok\"\nhint: Perhaps \"webhook\" is meant.",
            ),
            (
                format!("{HEAD}{url}digest = 3\n"),
                "z.toml:4:10: invalid type: integer `3`, expected a string",
            ),
            (HEAD.to_owned(), "z.toml:1:1: missing field `url`"),
            (format!("{HEAD}{url}is_active = yes\n"), "z.toml:4:13: "),
        ];
        for (text, expected) in cases {
            let said = said(&text);
            assert!(said.starts_with(expected), "{text}: {said}");
        }
        let url = said(&format!("{HEAD}url = \"https://swordfish\"\n"));
        assert!(
            url.starts_with("z.toml:3:7: a secret stands elsewhere\nhint: Write { env"),
            "{url}"
        );
        for wrong in [
            "url = \"https://swordfish\"",
            "url = { env = \"x\", file = \"swordfish\" }",
            "url = \"swordfish",
            "filter = swordfish",
        ] {
            let said = said(&format!("{HEAD}{wrong}\n"));
            assert!(
                !said.contains("swordfish") && said.contains("z.toml:3:"),
                "{said}"
            );
        }
    }

    #[test]
    fn places_are_found_by_keys() {
        let text = "[webhook.\"A b\"]\nwebhook_type = \"discord\"\nurl = { env = \"X\" }\n\n[[source]]\nevent_type = \"a\"\ntable = \"t\"\n";
        let file = File::parse(Path::new("z.toml"), text.to_owned()).unwrap();
        let place = |keys: &[&str]| file.fault(keys, String::new(), None).place;
        assert_eq!(place(&["webhook", "A b", "url"]), "z.toml:3:1");
        assert_eq!(place(&["webhook", "A b", "digest"]), "z.toml:1:10");
        assert_eq!(place(&["source", "0", "table"]), "z.toml:7:1");
        assert_eq!(place(&["other"]), "z.toml");
    }

    #[test]
    fn json_comes_back_as_it_was() {
        for text in [
            r#"{"a":1,"b":"x","c":[true,{"d":-5}]}"#,
            r#"{"a":null}"#,
            r#"{"a":1.10}"#,
            r#"{"a":1e3,"b":12345678901234567890123}"#,
            r#"{"a":"line\nline \u001f \"'''\" 🦀"}"#,
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            let written = toml_of(&value).unwrap_or_else(|| toml::Value::String(value.to_string()));
            let line = format!("title = \"x\"\nsample = {written}\n");
            let read: EventType = toml::from_str(&line).unwrap();
            assert_eq!(read.sample.unwrap().0.to_string(), value.to_string(), "{line}");
        }
    }
}
