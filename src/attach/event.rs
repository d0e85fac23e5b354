//! The event type that a table is to fire.

use pgrx::prelude::*;
use serde::Deserialize;
use webhook::definition::EventDefinition;
use webhook::spelling::closest;

use super::ours::Ours;
use crate::event_source::MILESTONE;
use crate::report;

/// An event type.
pub struct Event {
    pub name: String,
    pub built_in: bool,
    /// The keys that its sample has or its messages use.
    pub keys: Vec<String>,
}

#[derive(Deserialize)]
struct Row {
    built_in: bool,
    sample: Option<serde_json::Map<String, serde_json::Value>>,
    definition: EventDefinition,
}

impl Event {
    /// Returns the event type of that name. It raises an error, with the most similar name, if there is none.
    pub fn find(ours: &Ours, name: Option<&str>) -> Self {
        const SQL: &str = "SELECT json_build_object('built_in', t.built_in, 'sample', t.sample, 'definition', d.definition)::text
              FROM zentry_notify.event_type t
              JOIN zentry_notify.event_definition d ON d.event_type = t.name AND d.webhook_integration_id IS NULL
             WHERE t.name = $1";
        let row = ours.text(SQL, &[name.into()]);
        let (Some(name), Some(Ok(row))) = (name, row.map(|text| serde_json::from_str::<Row>(&text))) else {
            Self::unknown(ours, name)
        };
        let mut keys: Vec<String> = row.sample.into_iter().flatten().map(|(key, _)| key).collect();
        for key in row.definition.keys() {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        Event {
            name: name.to_owned(),
            built_in: row.built_in,
            keys,
        }
    }

    /// Whether the worker computes the key's value, so that no column has to give it.
    pub fn is_derived(&self, key: &str) -> bool {
        self.name == MILESTONE && matches!(key, "milestone_name" | "progress")
    }

    fn unknown(ours: &Ours, name: Option<&str>) -> ! {
        let known = ours
            .text(
                "SELECT string_agg(t.name, ', ' ORDER BY t.name) FROM zentry_notify.event_type t",
                &[],
            )
            .unwrap_or_default();
        let hint = match name.and_then(|name| closest(name, known.split(", "))) {
            Some(meant) => format!("Perhaps \"{meant}\" is meant."),
            None => "SELECT zentry_register_event_type(name, title) adds one.".to_owned(),
        };
        report::error(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            match name {
                Some(name) => format!("unknown event type \"{name}\""),
                None => "the event type is null".to_owned(),
            },
            &format!("The event types are {known}."),
            &hint,
        )
    }
}
