//! Event types: what SQL asks of definitions. The rules are in `webhook::definition`.

use std::collections::BTreeSet;

use jiff::Timestamp;
use pgrx::JsonB;
use pgrx::prelude::*;
use serde_json::Value;
use webhook::definition::{Definition, EventDefinition, TEST, builtin, parse_fields, placeholder, sample};
use webhook::endpoint::EndpointKind;
use webhook::event::Event;
use webhook::message;

use crate::report;

const TEMPLATES: &str = "Templates are Jinja's language over the event's data: {{ task_title }}, {% if points %} ... {% endif %}, {{ user_name|upper }}; \
                         ** switches bold on and off.";

#[pg_extern(sql = false)]
fn built_in_event_types() -> TableIterator<'static, (name!(definition, JsonB), name!(sample, JsonB))> {
    let types = builtin().iter().filter(|raw| raw.name != TEST);
    TableIterator::new(types.filter_map(|raw| {
        let definition = serde_json::to_value(raw).ok()?;
        Some((JsonB(definition), JsonB(Value::Object(sample(&raw.name)?))))
    }))
}

/// An error unless the definition makes messages, of the sample too; a warning for keys that are not `known`.
#[pg_extern(sql = false)]
fn check_definition(definition: JsonB, sample: Option<JsonB>, known: Option<Vec<Option<String>>>) {
    let raw = parse(definition.0);
    let definition = compile(&raw);
    if let Some(JsonB(data)) = sample
        && let Err(error) = definition.try_card(&event(&raw.name, &data))
    {
        refuse(
            format!(
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

/// The fields as an array, in the order of the text.
#[pg_extern(sql = false)]
fn ordered_fields(fields: &str) -> JsonB {
    match parse_fields(fields).and_then(serde_json::to_value) {
        Ok(fields) => JsonB(fields),
        Err(error) => refuse(
            format!("the fields cannot be used: {error}"),
            "Give names and values, such as {\"Points\": \"{{ points }}\"}.",
        ),
    }
}

#[pg_extern(sql = false)]
fn placeholder_event(definition: JsonB) -> JsonB {
    JsonB(Value::Object(placeholder(&parse(definition.0))))
}

#[pg_extern(sql = false)]
fn render_event(definition: JsonB, format: &str, data: JsonB) -> JsonB {
    let kind = match format {
        "discord" => EndpointKind::Discord,
        "teams" | "teams_workflow" => EndpointKind::TeamsWorkflow,
        "teams_connector" => EndpointKind::TeamsConnector,
        _ => refuse(
            format!("unknown webhook type \"{format}\""),
            "The types are discord, teams (the Adaptive Card that Workflows take) and teams_connector (a MessageCard).",
        ),
    };
    if !data.0.is_object() {
        refuse(
            "the data must be a JSON object".to_owned(),
            "For example {\"task_title\": \"Write the release notes\"}.",
        );
    }
    let raw = parse(definition.0);
    let definition = compile(&raw);
    let event = event(&raw.name, &data.0);
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
    let body = message::compose(kind, &[definition.card(&event)]).body;
    JsonB(serde_json::from_slice(&body).unwrap_or_default())
}

#[pg_extern(sql = false)]
fn webhook_format(webhook_type: &str, webhook_url: &str) -> &'static str {
    match super::url::endpoint(webhook_type, webhook_url).map(|endpoint| endpoint.kind()) {
        Ok(EndpointKind::Discord) => "discord",
        Ok(EndpointKind::TeamsWorkflow) => "teams_workflow",
        Ok(EndpointKind::TeamsConnector) => "teams_connector",
        Err(refusal) => refusal.raise(),
    }
}

fn parse(definition: Value) -> EventDefinition {
    serde_json::from_value(definition)
        .unwrap_or_else(|error| refuse(format!("the definition cannot be used: {error}"), TEMPLATES))
}

fn compile(raw: &EventDefinition) -> Definition {
    Definition::compile(raw).unwrap_or_else(|error| {
        refuse(
            format!("event type \"{}\" cannot be used: {error}", raw.name),
            TEMPLATES,
        )
    })
}

fn event(event_type: &str, data: &Value) -> Event {
    Event {
        event_type: event_type.into(),
        data: data.to_string().into(),
        occurred_at: Timestamp::now(),
    }
}

fn refuse(message: String, hint: &str) -> ! {
    report::error(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message, "", hint)
}

/// What the SQL of 0.1.0 calls until it is updated.
#[pg_extern(sql = false)]
fn sample_event(event_type: &str) -> Option<JsonB> {
    sample(event_type).map(|data| JsonB(Value::Object(data)))
}
