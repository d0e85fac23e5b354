//! The audience of an event: the webhooks of its project, those of a person's projects, or all.

use pgrx::pg_sys;
use pgrx::prelude::*;
use serde_json::{Map, Value, json};

use super::guess::Guess;
use super::table::{Table, text_of};
use crate::event_source::Audience;
use crate::report;

/// Finds the tables with a foreign key to a table of people (`$1`) and one to a table of projects (`$2`), as JSON:
/// `[{"from", "match": column of the person, "column": column of the project}]`.
const MEMBERSHIPS: &str = "SELECT json_agg(json_build_object('from', format('%I.%I', n.nspname, c.relname), 'match', u.attname, 'column', p.attname)
                                          ORDER BY c.oid, u.attnum)::text
  FROM pg_constraint person
  JOIN pg_constraint project ON project.conrelid = person.conrelid AND project.contype = 'f' AND project.confrelid = $2
                            AND cardinality(project.conkey) = 1
  JOIN pg_class c ON c.oid = person.conrelid AND NOT c.relispartition
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute u ON u.attrelid = c.oid AND u.attnum = person.conkey[1]
  JOIN pg_attribute p ON p.attrelid = c.oid AND p.attnum = project.conkey[1]
 WHERE person.contype = 'f' AND person.confrelid = $1 AND cardinality(person.conkey) = 1";

/// Returns the audience that is probably meant, as `event_source.audience` has it.
pub fn guess(guess: &Guess, mapping: &Map<String, Value>) -> Value {
    let all = json!({ "all": true });
    if guess.event == "project_created" {
        return all;
    }
    if matches!(mapping.get("project_id"), Some(Value::String(_))) || is_look_up(mapping.get("project_id")) {
        return json!({ "project": "project_id" });
    }
    let memberships = mapping
        .get("user_id")
        .and_then(Value::as_str)
        .and_then(|person| memberships(guess, person));
    match memberships {
        Some(projects) => json!({ "person": "user_id", "projects": projects }),
        None => all,
    }
}

fn is_look_up(value: Option<&Value>) -> bool {
    value.is_some_and(|value| value.get("from").is_some())
}

/// Returns the tables that say which projects a person belongs to, as `projects` of an audience. None: there is none, or the keys of projects are
/// no integers, as webhooks have them.
fn memberships(guess: &Guess, person: &str) -> Option<Value> {
    let projects = guess.projects()?;
    let key = projects.key.clone()?;
    if !projects.column(&key)?.is_integer() {
        return None;
    }
    let people = guess.people_of(guess.table.column(person)?)?;
    let found = text_of(
        MEMBERSHIPS,
        &[
            pg_sys::Oid::from(people).into(),
            pg_sys::Oid::from(projects.oid).into(),
        ],
    );
    let mut found: Vec<Value> = found
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    if let Some(creator) = guess.creator_of(&projects) {
        found.insert(
            0,
            json!({ "from": projects.name, "match": creator.name, "column": key }),
        );
    }
    (!found.is_empty()).then_some(Value::Array(found))
}

/// Raises an error unless an audience that a user gives has a valid form, and its keys are among the data.
pub fn check(audience: &Value, mapping: &Map<String, Value>) {
    let refuse = |message: String| -> ! {
        report::error(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("the audience cannot be used: {message}"),
            "",
            "It is {\"all\": true}, {\"project\": key of the data}, or {\"person\": key of the data, \"projects\": [{\"from\": table, \
             \"match\": column of the person, \"column\": column of the project}]}.",
        )
    };
    if serde_json::from_value::<Audience>(audience.clone()).is_err() || audience == &json!({ "all": false }) {
        refuse(format!("{audience} names nobody"));
    }
    for form in ["project", "person"] {
        let Some(key) = audience.get(form).and_then(Value::as_str) else {
            continue;
        };
        match mapping.get(key) {
            Some(Value::String(_)) => {}
            value if form == "project" && is_look_up(value) => {}
            Some(_) => refuse(format!("\"{key}\" is no column")),
            None => refuse(format!("the data have no \"{key}\"")),
        }
    }
}

/// Raises a notice if the ids of projects are no integers: a webhook cannot be of such a project.
pub fn tell_of_other_keys(table: &Table, mapping: &Map<String, Value>, audience: &Value) {
    let column = audience
        .get("project")
        .and_then(Value::as_str)
        .and_then(|key| mapping.get(key))
        .and_then(Value::as_str)
        .and_then(|name| table.column(name));
    if let Some(column) = column.filter(|column| !column.is_integer()) {
        pgrx::notice!(
            "zentry_notify: projects are of type {} here, so webhooks without a project hear of them, and those of one project do not",
            column.r#type
        );
    }
}
