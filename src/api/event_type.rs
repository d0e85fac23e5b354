//! Event types: functions on definitions, for SQL. The rules are in `webhook::definition`.

use std::collections::BTreeSet;

use jiff::Timestamp;
use pgrx::prelude::*;
use pgrx::{AnyElement, JsonB};
use serde_json::Value;
use webhook::appearance::Appearance;
use webhook::card::Card;
use webhook::definition::{
    Definition, DefinitionError, EventDefinition, TEST, builtin, parse_fields, placeholder, sample,
};
use webhook::digest::Digest;
use webhook::endpoint::{EndpointKind, parse_mention};
use webhook::event::Event;
use webhook::kinds::Setting;
use webhook::language::Language;
use webhook::message;

use crate::pg::jsonb;
use crate::report;
use crate::settings;

const TEMPLATES: &str = "Templates are Jinja's language over the event's data: {{ task_title }}, {% if points %} ... {% endif %}, {{ user_name|upper }}; \
                         ** switches bold on and off.";

const PARTS: &str = "The comments on the columns of zentry_notify.event_type say what each part is; \\d+ zentry_notify.event_type shows them.";

/// Returns the definitions and samples of the built-in event types, without the test message.
#[pg_extern(sql = false)]
fn built_in_event_types() -> TableIterator<'static, (name!(definition, JsonB), name!(sample, JsonB))> {
    let types = builtin().iter().filter(|raw| raw.name != TEST);
    TableIterator::new(types.filter_map(|raw| {
        let definition = serde_json::to_value(raw).ok()?;
        Some((JsonB(definition), JsonB(Value::Object(sample(&raw.name)?))))
    }))
}

/// Returns the wordings of the built-in event types and of the test message in a language; none for an unknown language.
#[pg_extern(sql = false)]
fn language_words(
    language: &str,
) -> TableIterator<'static, (name!(event_type, String), name!(words, JsonB))> {
    let pack = Language::of(language).map(Language::pack).unwrap_or_default();
    TableIterator::new(pack.into_iter().filter_map(|raw| {
        let Value::Object(mut definition) = serde_json::to_value(&raw).ok()? else {
            return None;
        };
        // The other parts are those of the event type. The test message has no row of event_type, so all of its parts are here.
        let keys: &[&str] = if raw.name == TEST {
            &["title", "text", "emoji", "footer"]
        } else {
            &["title", "text", "fields"]
        };
        definition.retain(|key, _| keys.contains(&key.as_str()));
        Some((raw.name, JsonB(Value::Object(definition))))
    }))
}

/// Returns the codes of the languages.
#[pg_extern(sql = false)]
fn languages() -> Vec<&'static str> {
    Language::ALL.map(Language::code).to_vec()
}

/// Raises an error unless the definition is valid and makes a message of the sample, and a warning for keys of its templates that are not `known`.
#[pg_extern(sql = false)]
fn check_definition(
    definition: Option<AnyElement>,
    sample: Option<AnyElement>,
    known: Option<Vec<Option<String>>>,
) {
    let Some(definition) = definition else {
        report::refuse("definition", "the definition must not be null", PARTS)
    };
    let raw = parse(&definition);
    let definition = compile(&raw);
    if let Some(sample) = sample
        && let Err(error) = definition.try_card(&event(&raw.name, data_of("sample", &sample)))
    {
        report::refuse(
            "sample",
            &format!(
                "event type \"{}\" makes no message of its sample: {error}",
                raw.name
            ),
            TEMPLATES,
        );
    }
    let known: BTreeSet<String> = known.unwrap_or_default().into_iter().flatten().collect();
    if known.is_empty() {
        return;
    }
    for unknown in raw.unknown_keys(&known) {
        let hint = match unknown.meant {
            Some(meant) => format!("Perhaps \"{meant}\" is meant."),
            None => format!(
                "The data have {}.",
                known.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
            ),
        };
        report::warning(
            PgSqlErrorCode::ERRCODE_WARNING,
            format!(
                "a template of event type \"{}\" asks for \"{}\", which its data do not have",
                raw.name, unknown.key
            ),
            &hint,
        );
    }
}

/// Returns the fields, which are given as a JSON object or array, as an array in the order of the text.
#[pg_extern(sql = false)]
fn ordered_fields(fields: &str) -> JsonB {
    let fields = parse_fields(fields).unwrap_or_else(|error| {
        report::refuse(
            "fields",
            &error.to_string(),
            "Give names and templates, such as {\"Points\": \"{{ points }}\"}.",
        )
    });
    let fields = serde_json::to_value(fields).unwrap_or_default();
    if !jsonb::takes(&fields.to_string()) {
        report::refuse(
            "fields",
            "a field has the character \\u0000, which PostgreSQL cannot store",
            "Leave that character out.",
        );
    }
    JsonB(fields)
}

/// Returns data for a message of the definition, made of its keys.
#[pg_extern(sql = false)]
fn placeholder_event(definition: AnyElement) -> JsonB {
    JsonB(Value::Object(placeholder(&parse(&definition))))
}

/// Returns the body of the message for an event in a format. `stored` is the JSON of how a webhook's messages appear; null for no webhook.
#[pg_extern(sql = false)]
fn event_message(
    definition: Option<AnyElement>,
    format: Option<&str>,
    data: Option<AnyElement>,
    stored: Option<&str>,
    mention: Option<&str>,
) -> Option<String> {
    let definition = definition?;
    let data = &data?;
    let (kind, card) = event_card(&definition, format?, data);
    if kind.takes_events() {
        let event = event(&parse(&definition).name, data_of("data", data));
        return String::from_utf8(message::event_json(&event, Vec::new())).ok();
    }
    let digest = stored.and_then(|stored| Digest::stored(stored).ok().flatten());
    let is_digest = digest.is_some();
    let card = match digest {
        Some(digest) => digest.card([(&*parse(&definition).name, card.is_sample)], &[card]),
        None => card,
    };
    let mut appearance = stored.map_or_else(Appearance::default, |stored| settings::appearance(Some(stored)));
    appearance.mention = mention.and_then(|text| parse_mention(kind, text).ok());
    if kind.webhook_type().has(Setting::ThreadBy) && !is_digest {
        let data = serde_json::from_str(&data_of("data", data)).unwrap_or_default();
        appearance.thread = appearance.thread_by.and_then(|by| by.key(&data));
    }
    String::from_utf8(message::compose_with(kind, &[card], &appearance).body).ok()
}

/// Returns the body of a message as JSON, for the SQL of 0.2.0, which calls it until the update.
#[pg_extern(sql = false)]
fn render_event(definition: AnyElement, format: &str, data: AnyElement) -> JsonB {
    let (kind, card) = event_card(&definition, format, &data);
    JsonB(serde_json::from_slice(&message::compose(kind, &[card]).body).unwrap_or_default())
}

fn event_card(definition: &AnyElement, format: &str, data: &AnyElement) -> (EndpointKind, Card) {
    let kind = EndpointKind::of_format(format).unwrap_or_else(|| {
        report::refuse(
            "webhook_type",
            &format!("unknown webhook type \"{format}\""),
            &format!("The types are {}.", EndpointKind::listed()),
        )
    });
    let raw = parse(definition);
    let definition = compile(&raw);
    let event = event(&raw.name, data_of("data", data));
    if let Err(error) = definition.try_card(&event) {
        report::warning(
            PgSqlErrorCode::ERRCODE_WARNING,
            format!(
                "the definition of event type \"{}\" fails on these data: {error}",
                raw.name
            ),
            "Readers would see this plain message instead.",
        );
    }
    (kind, definition.card(&event, settings::link_base().as_deref()))
}

/// Returns the name of the format of a webhook's messages. It raises an error for an invalid URL.
#[pg_extern(sql = false)]
fn webhook_format(webhook_type: &str, webhook_url: &str) -> &'static str {
    super::url::require_endpoint(webhook_type, webhook_url)
        .kind()
        .format()
}

fn parse(definition: &AnyElement) -> EventDefinition {
    EventDefinition::parse(&jsonb::text_of(definition))
        .unwrap_or_else(|error| report::refuse(error.column(), &error.to_string(), PARTS))
}

fn compile(raw: &EventDefinition) -> Definition {
    Definition::compile(raw).unwrap_or_else(|error| {
        report::refuse(
            error.column(),
            &format!("event type \"{}\" cannot be used: {error}", raw.name),
            match error {
                DefinitionError::Invalid { .. } => PARTS,
                DefinitionError::Template { .. } => TEMPLATES,
            },
        )
    })
}

/// Returns the data as text. It raises an error unless they are a JSON object.
fn data_of(parameter: &str, data: &AnyElement) -> String {
    let text = jsonb::text_of(data);
    let hint = "For example {\"task_title\": \"Write the release notes\"}.";
    match jsonb::parse(&text) {
        Ok(Value::Object(_)) => text,
        Ok(_) => report::refuse(parameter, &format!("the {parameter} must be a JSON object"), hint),
        Err(excess) => {
            let (fault, hint) = excess.words();
            report::refuse(parameter, &format!("the {parameter} {fault}"), hint)
        }
    }
}

fn event(event_type: &str, data: String) -> Event {
    Event {
        event_type: event_type.into(),
        data: data.into(),
        occurred_at: Timestamp::now(),
        traceparent: None,
    }
}

/// Returns the sample of a built-in event type, for the SQL of 0.1.0, which calls it until the update.
#[pg_extern(sql = false)]
fn sample_event(event_type: &str) -> Option<JsonB> {
    sample(event_type).map(|data| JsonB(Value::Object(data)))
}
