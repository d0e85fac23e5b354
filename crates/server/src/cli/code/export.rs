//! Writes the configuration of a database as TOML.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::path::PathBuf;

use serde_json::Value;

use super::document::{MAX_EVENTS_PER_MESSAGE, MIN_INTERVAL, Secret, toml_of};
use super::state::State;
use crate::queries::integrations::Integration;
use crate::queries::own_event_types::EventType;
use crate::queries::sources::Source;
use crate::queries::wordings::Wording;
use crate::queries::words::Words;
use crate::vendors;

const HEAD: &str = "\
# The configuration of zentry_notify. zentry-notify diff says what it would change, and zentry-notify apply does it.
# Secrets are not in this file: { env = \"NAME\" } stands for an environment variable, { file = \"PATH\" } for a file, relative to this one.
";

/// Where the file says that secrets are: in variables of the environment, or in files in a directory, relative to the file.
#[derive(Clone, Debug)]
pub enum Secrets {
    Environment,
    Directory(PathBuf),
}

/// Returns the configuration as TOML; the text is the same for the same configuration.
pub fn text(state: &State, secrets: &Secrets) -> String {
    let mut out = HEAD.to_owned();
    for kind in &state.event_types {
        event_type(&mut out, kind);
    }
    for wording in state.wordings_of(None) {
        section(&mut out, &["wording", &wording.event_type]);
        write_wording(&mut out, wording);
    }
    let mut names = Names::new(secrets);
    let ids: HashMap<i64, &str> = state
        .webhooks
        .iter()
        .map(|one| (one.id, one.name.as_str()))
        .collect();
    for one in &state.webhooks {
        webhook(&mut out, one, &ids, &mut names);
        for wording in state.wordings_of(Some(one.id)) {
            section(&mut out, &["webhook", &one.name, "wording", &wording.event_type]);
            write_wording(&mut out, wording);
        }
    }
    for one in &state.sources {
        source(&mut out, one);
    }
    out
}

/// Returns a key in TOML's syntax, in quotation marks if necessary.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_bare) {
        return name.to_owned();
    }
    // JSON's escapes are valid in TOML. Only U+007F, which JSON does not escape, has to be escaped in TOML.
    Value::from(name).to_string().replace('\u{7f}', "\\u007f")
}

/// Writes the header of a table.
fn section(out: &mut String, keys: &[&str]) {
    let keys: Vec<String> = keys.iter().map(|name| key(name)).collect();
    let _ = writeln!(out, "\n[{}]", keys.join("."));
}

fn line(out: &mut String, name: &str, value: &toml::Value) {
    let _ = writeln!(out, "{} = {value}", key(name));
}

/// Writes a key and its text; `None`: writes nothing.
fn text_line(out: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        line(out, name, &toml::Value::from(value));
    }
}

/// Returns the value in TOML if it can be read back unchanged ([`toml_of`]), else as a string of JSON.
fn data(value: &Value) -> toml::Value {
    toml_of(value).unwrap_or_else(|| toml::Value::String(value.to_string()))
}

fn write_wording(out: &mut String, wording: &Wording) {
    text_line(out, "language", wording.language.as_deref());
    write_words(out, &wording.words);
}

fn write_words(out: &mut String, words: &Words) {
    for (name, value) in words.parts() {
        if let Some(value) = value {
            line(out, name, &data(&value));
        }
    }
}

fn event_type(out: &mut String, kind: &EventType) {
    section(out, &["event_type", &kind.name]);
    write_words(out, &kind.words);
    text_line(out, "time_key", kind.time_key.as_deref());
    if let Some(sample) = &kind.sample {
        line(out, "sample", &data(sample));
    }
}

fn webhook(out: &mut String, one: &Integration, ids: &HashMap<i64, &str>, names: &mut Names<'_>) {
    section(out, &["webhook", &one.name]);
    line(out, "webhook_type", &one.webhook_type.clone().into());
    line(out, "url", &names.of(&one.name, "url"));
    if vendors::has(&one.webhook_type, "secret") {
        line(out, "secret", &names.of(&one.name, "secret"));
    }
    // No view shows whether credentials are set, so the line is a comment.
    if vendors::has(&one.webhook_type, "credentials") {
        let _ = writeln!(
            out,
            "# If it has credentials: secret = {}",
            names.of(&one.name, "secret")
        );
    }
    if !one.header_names.is_empty() {
        let headers: BTreeMap<String, toml::Value> = one
            .header_names
            .iter()
            .map(|header| (header.clone(), names.of(&one.name, header)))
            .collect();
        line(out, "headers", &toml::Value::Table(headers.into_iter().collect()));
    }
    if let Some(project) = one.project {
        line(out, "project_id", &project.into());
    }
    if let Some(user) = one.created_by {
        line(out, "created_by_id", &user.into());
    }
    if one.event_types != serde_json::json!(["*"]) {
        line(out, "event_types", &data(&one.event_types));
    }
    if !one.is_active {
        line(out, "is_active", &false.into());
    }
    // `Settings` is the list of all settings, so a new one is exported without a change here.
    let settings = serde_json::to_value(&one.settings).unwrap_or_default();
    for (name, value) in settings.as_object().into_iter().flatten() {
        if name == "notify_webhook_id" {
            let told = value.as_i64().and_then(|id| ids.get(&id));
            text_line(out, "notify_webhook", told.copied());
        } else if !is_default(name, value) {
            line(out, name, &data(value));
        }
    }
}

/// Returns whether a setting, by its name in [`Settings`](crate::queries::settings::Settings), has its default value, and is left out.
fn is_default(name: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        value => {
            (name == "max_events_per_message" && value.as_i64() == Some(MAX_EVENTS_PER_MESSAGE.into()))
                || (name == "min_interval" && value.as_str() == Some(MIN_INTERVAL))
        }
    }
}

fn source(out: &mut String, one: &Source) {
    out.push_str("\n[[source]]\n");
    line(out, "event_type", &one.event_type.clone().into());
    line(out, "table", &one.table.clone().into());
    if one.built_in {
        line(out, "built_in", &true.into());
    } else {
        let columns = one.columns.as_object().into_iter().flatten();
        let (without, given): (Vec<_>, Vec<_>) = columns.partition(|(_, value)| value.is_null());
        let given = given.into_iter().map(|(name, value)| {
            let written = toml_of(value).unwrap_or_else(|| {
                let constant = value.get("value").unwrap_or(value);
                toml::Value::Table(
                    [("json".to_owned(), constant.to_string().into())]
                        .into_iter()
                        .collect(),
                )
            });
            (name.clone(), written)
        });
        line(out, "columns", &toml::Value::Table(given.collect()));
        if !without.is_empty() {
            let names = without
                .into_iter()
                .map(|(name, _)| toml::Value::from(name.as_str()));
            line(out, "without", &toml::Value::Array(names.collect()));
        }
        text_line(out, "condition", one.condition.as_deref());
        text_line(out, "operation", one.operation.as_deref());
        line(out, "audience", &data(&one.audience));
        text_line(out, "done", one.done.as_deref());
    }
    if !one.omit.is_empty() {
        line(out, "omit", &toml::Value::from(one.omit.clone()));
    }
}

/// Chooses a unique name for the variable or the file of each secret.
struct Names<'a> {
    secrets: &'a Secrets,
    taken: BTreeSet<String>,
}

impl<'a> Names<'a> {
    fn new(secrets: &'a Secrets) -> Self {
        Self {
            secrets,
            taken: BTreeSet::new(),
        }
    }

    /// Returns the reference to a secret of a webhook: `{ env = "NAME" }` or `{ file = "PATH" }`. A name that is taken gets a number, from 2 on.
    fn of(&mut self, webhook: &str, what: &str) -> toml::Value {
        let words = |text: &str, gap: &str| {
            let words = text
                .split(|c: char| !c.is_ascii_alphanumeric())
                .filter(|word| !word.is_empty());
            words.collect::<Vec<_>>().join(gap)
        };
        let name = match self.secrets {
            Secrets::Environment => {
                let parts = ["zentry", &words(webhook, "_"), &words(what, "_")];
                let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                parts.join("_").to_ascii_uppercase()
            }
            Secrets::Directory(_) => {
                let name = words(webhook, "-").to_ascii_lowercase();
                let name = if name.is_empty() {
                    "webhook".to_owned()
                } else {
                    name
                };
                format!("{name}.{}", words(what, "-").to_ascii_lowercase())
            }
        };
        let free = (2..).map(|number| format!("{name}_{number}"));
        let name = std::iter::once(name.clone())
            .chain(free)
            .find(|name| self.taken.insert(name.clone()))
            .unwrap_or(name);
        let secret = match self.secrets {
            Secrets::Environment => Secret::Env(name),
            Secrets::Directory(directory) => Secret::File(directory.join(name).display().to_string()),
        };
        let entry = match secret {
            Secret::Env(name) => ("env".to_owned(), name.into()),
            Secret::File(path) => ("file".to_owned(), path.into()),
        };
        toml::Value::Table([entry].into_iter().collect())
    }
}

#[cfg(test)]
mod tests;
