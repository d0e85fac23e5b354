//! `zentry_attach(event_type, relation, ...)`: a table of any application fires an event.
//!
//! Nothing here has more rights than the role that calls: PostgreSQL itself judges the triggers, and `check_source` the row.

mod audience;
mod condition;
mod event;
mod expression;
mod guess;
mod mapping;
mod table;

use std::ffi::CStr;

use pgrx::prelude::*;
use pgrx::{IntoDatum, JsonB, PgRelation, pg_sys};
use serde_json::{Map, Value, json};

use crate::capture;
use crate::event_source::MILESTONE;
use crate::plan::{Plan, with_spi};
use crate::search_path::SearchPath;
use crate::{report, subtransaction};
use condition::{Conditions, Done, Operations};
use event::Event;
use guess::Guess;
use mapping::Mapper;
use table::Table;

/// A source, as attach_source records it.
struct Plans {
    columns: Map<String, Value>,
    audience: Value,
    progress: Option<Value>,
    conditions: Conditions,
}

#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments, reason = "the SQL function has them")]
fn zentry_attach(
    event_type: Option<&str>,
    relation: Option<pg_sys::Oid>,
    columns: Option<JsonB>,
    condition: Option<&str>,
    operation: Option<&str>,
    audience: Option<JsonB>,
    done: Option<&str>,
) -> TableIterator<'static, (name!(item, String), name!(value, Option<String>))> {
    let path = SearchPath::current();
    let _pinned = SearchPath::pinned();
    let event = Event::find(event_type);
    let table = check_table(relation);
    check_relatives(&event.name, &table);
    let given = match columns.map_or_else(|| json!({}), |columns| columns.0) {
        Value::Object(given) => given,
        other => report::error(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("columns must be a JSON object, not {other}"),
            "",
            "For example {\"task_title\": \"headline\", \"user_name\": \"assignee_id.username\"}.",
        ),
    };
    let guess = Guess {
        event: &event.name,
        table: &table,
    };
    let columns = map(&event, &guess, &given, &path);
    let audience = match audience {
        Some(JsonB(audience)) => {
            audience::check(&audience, &columns);
            audience
        }
        None => audience::guess(&guess, &columns),
    };
    audience::tell_of_other_keys(&table, &columns, &audience);
    let (conditions, progress) = if event.name == MILESTONE {
        condition::refuse_for_milestones(condition, operation);
        milestones(&guess, done)
    } else {
        let operations = operation.map(Operations::parse);
        let conditions = match condition {
            Some(text) => condition::given(text, &guess, operations, &path),
            None => condition::usual(&guess, done, operations),
        };
        (conditions, None)
    };
    let plans = Plans {
        columns,
        audience,
        progress,
        conditions,
    };
    release_rider(&event.name, &table);
    record(&event.name, &table, &plans);
    rehearse(&event.name, &table);
    warn_of_functions(&event.name, &table);
    TableIterator::new(told(&plans))
}

/// A table that may be attached, by the caller.
fn check_table(relation: Option<pg_sys::Oid>) -> Table {
    let Some(table) = relation.and_then(Table::load) else {
        report::error(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            "there is no such table".to_owned(),
            "",
            "Name the table whose rows are written, such as 'task'.",
        )
    };
    let wrong = match &*table.kind {
        "r" | "p" | "f" if table.temporary => Some("it is temporary"),
        "r" | "p" | "f"
            if matches!(
                &*table.schema,
                "zentry_notify" | "pg_catalog" | "information_schema"
            ) =>
        {
            Some("it is not the application's")
        }
        "r" | "p" | "f" => None,
        "v" => Some("it is a view"),
        _ => Some("it is no table"),
    };
    if let Some(wrong) = wrong {
        report::error(
            PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            format!("{} cannot be attached: {wrong}", table.name),
            "",
            "Attach the table that the application writes to.",
        );
    }
    if !table.owned {
        report::error(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("must be owner of table {}", table.name),
            "",
            &format!("Let its owner, {}, or a superuser do it.", table.owner),
        );
    }
    table
}

/// Of tables that inherit from each other, one alone can be attached for an event: its triggers are those of the others.
fn check_relatives(event: &str, table: &Table) {
    const SQL: &str = "WITH RECURSIVE up (oid) AS (
            SELECT $1 UNION SELECT i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.oid),
          down (oid) AS (
            SELECT $1 UNION SELECT i.inhrelid FROM down JOIN pg_inherits i ON i.inhparent = down.oid)
        SELECT s.relation::text FROM zentry_notify.event_source s
         WHERE s.event_type = $2 AND s.relation <> $1 AND s.relation IN (SELECT oid FROM up UNION ALL SELECT oid FROM down) LIMIT 1";
    let relative = table::text_of(
        SQL,
        &[
            (pg_sys::Oid::from(table.oid).into_datum(), pg_sys::OIDOID),
            (event.into_datum(), pg_sys::TEXTOID),
        ],
    );
    if let Some(relative) = relative {
        report::error(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("{relative}, a relative of {}, fires {event} already", table.name),
            "",
            &format!("Detach that first: SELECT zentry_detach('{relative}', '{event}');"),
        );
    }
}

/// Where each key comes from: as given, else as guessed. Keys that readers expect and nobody gives are null.
fn map(event: &Event, guess: &Guess, given: &Map<String, Value>, path: &CStr) -> Map<String, Value> {
    let mapper = Mapper {
        table: guess.table,
        path,
    };
    let mut columns = Map::new();
    for (key, value) in given {
        if key.is_empty() || key.len() > 100 {
            report::error(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("\"{key}\" cannot be a key of the data"),
                "",
                "A key has 1 to 100 bytes.",
            );
        }
        if let Some(value) = mapper.value(key, value) {
            columns.insert(key.clone(), value);
        }
    }
    let mut missing = Vec::new();
    for key in event.keys.iter().filter(|key| !given.contains_key(*key)) {
        match guess.value(key) {
            Some(value) => {
                columns.insert(key.clone(), value);
            }
            None if event.is_derived(key) => {}
            None if event.built_in => {
                columns.insert(key.clone(), json!({ "value": null }));
            }
            None => missing.push(key.as_str()),
        }
    }
    // Who hears may depend on it.
    if !event.built_in
        && !given.contains_key("project_id")
        && let Some(value) = guess.value("project_id")
    {
        columns.entry("project_id").or_insert(value);
    }
    if columns.is_empty() {
        report::error(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("nothing is known of the data of {}", event.name),
            &format!(
                "The columns of {} are {}.",
                guess.table.name,
                guess.table.column_names()
            ),
            "Say where they come from: columns => '{\"key\": \"column\"}'.",
        );
    }
    if !missing.is_empty() {
        report::warning(
            PgSqlErrorCode::ERRCODE_WARNING,
            format!(
                "messages of {} ask for {}, which table {} does not give",
                event.name,
                missing.join(", "),
                guess.table.name
            ),
            "Say where they come from: columns => '{\"key\": \"column\"}'.",
        );
    }
    columns
}

fn milestones(guess: &Guess, done: Option<&str>) -> (Conditions, Option<Value>) {
    let (Some(group), Some(done)) = (guess.project_column(), Done::of(guess.table, done)) else {
        report::error(
            PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
            format!(
                "milestones need a column of the project and one of the status in table {}",
                guess.table.name
            ),
            &format!("Its columns are {}.", guess.table.column_names()),
            "They are found by the names project_id or project, and status, state, stage, completed or done.",
        )
    };
    (done.progressed(&group.name), Some(done.progress(&group.name)))
}

/// Zentry's task_completed has milestone_reached ride on its triggers. With triggers of its own it does not depend on what those
/// of the other event fire for.
fn release_rider(event: &str, table: &Table) {
    const SQL: &str = "SELECT row_to_json(r)::text FROM zentry_notify.event_source s
          JOIN zentry_notify.event_source r ON r.relation = s.relation AND r.event_type = s.rider AND r.progress IS NOT NULL
         WHERE s.relation = $1 AND s.event_type = $2";
    let rider = table::text_of(
        SQL,
        &[
            (pg_sys::Oid::from(table.oid).into_datum(), pg_sys::OIDOID),
            (event.into_datum(), pg_sys::TEXTOID),
        ],
    );
    let Some(Value::Object(rider)) = rider.and_then(|text| serde_json::from_str(&text).ok()) else {
        return;
    };
    let text = |value: &Value, key: &str| {
        value
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let progress = rider.get("progress").cloned().unwrap_or_default();
    let done = Done {
        column: text(&progress, "status"),
        value: text(&progress, "done"),
    };
    let Some(Value::Object(columns)) = rider.get("columns").cloned() else {
        return;
    };
    let plans = Plans {
        columns,
        audience: rider.get("audience").cloned().unwrap_or_default(),
        conditions: done.progressed(&text(&progress, "group")),
        progress: Some(progress),
    };
    record(MILESTONE, table, &plans);
}

fn record(event: &str, table: &Table, plans: &Plans) {
    const SQL: &str = "SELECT zentry_notify.attach_source($1, $2::oid::regclass, $3::jsonb, $4::jsonb, $5::jsonb, $6, $7, $8, NULL, NULL, NULL, true)";
    use pg_sys::{OIDOID, TEXTOID};
    let Conditions {
        insert,
        update,
        delete,
    } = plans.conditions.clone();
    with_spi(|| {
        Plan::prepare(
            SQL,
            &[
                TEXTOID, OIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
            ],
        )
        .execute(&[
            event.into_datum(),
            pg_sys::Oid::from(table.oid).into_datum(),
            Value::Object(plans.columns.clone()).to_string().into_datum(),
            plans.audience.to_string().into_datum(),
            plans.progress.as_ref().map(Value::to_string).into_datum(),
            insert.into_datum(),
            update.into_datum(),
            delete.into_datum(),
        ]);
    });
}

/// Makes the source ready as a write would: what the table's owner may not do fails here.
fn rehearse(event: &str, table: &Table) {
    let loaded = subtransaction::attempt(|| {
        // SAFETY: closed at the end of the subtransaction; the lock that the trigger needed is kept.
        let relation = unsafe {
            PgRelation::with_lock(
                pg_sys::Oid::from(table.oid),
                pg_sys::AccessShareLock as pg_sys::LOCKMODE,
            )
        };
        capture::check(event, &relation).is_some()
    });
    if let Err(failure) = loaded {
        report::error(
            failure.code(),
            format!("table {} cannot fire {event}: {failure}", table.name),
            "",
            &format!(
                "Look-ups and expressions run with the rights of the table's owner, {}.",
                table.owner
            ),
        );
    }
}

/// A function in a condition runs with the rights of who writes, and its errors are errors of the write.
fn warn_of_functions(event: &str, table: &Table) {
    const SQL: &str = "SELECT string_agg(DISTINCT d.refobjid::regprocedure::text, ', ') FROM pg_trigger t
          JOIN pg_depend d ON d.classid = 'pg_trigger'::regclass AND d.objid = t.oid AND d.refclassid = 'pg_proc'::regclass
         WHERE t.tgrelid = $1 AND t.tgname ~ ('^zentry_notify_' || $2 || '_(insert|update|delete)$')
           AND d.refobjid <> 'zentry_notify.capture()'::regprocedure";
    let functions = table::text_of(
        SQL,
        &[
            (pg_sys::Oid::from(table.oid).into_datum(), pg_sys::OIDOID),
            (event.into_datum(), pg_sys::TEXTOID),
        ],
    );
    if let Some(functions) = functions {
        report::warning(
            PgSqlErrorCode::ERRCODE_WARNING,
            format!("the condition of {event} calls {functions}"),
            "Whoever writes to the table needs the right to, and an error in it fails the write. Comparisons of columns do neither.",
        );
    }
}

/// What has been made of it, for the caller to see.
fn told(plans: &Plans) -> Vec<(String, Option<String>)> {
    let mut lines: Vec<(String, Option<String>)> = plans
        .columns
        .iter()
        .map(|(key, value)| (key.clone(), described(value)))
        .collect();
    lines.push(("(who hears)".to_owned(), heard_by(&plans.audience)));
    let Conditions {
        insert,
        update,
        delete,
    } = &plans.conditions;
    for (operation, condition) in [("insert", insert), ("update", update), ("delete", delete)] {
        if let Some(condition) = condition {
            lines.push((format!("(on {operation} when)"), Some(condition.clone())));
        }
    }
    lines
}

fn described(value: &Value) -> Option<String> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    Some(match value {
        Value::String(column) => column.clone(),
        Value::Object(object) if object.contains_key("from") => {
            let key = value.get("key").and_then(described).unwrap_or_default();
            format!(
                "{}.{} where {} = {key}",
                text("from"),
                text("column"),
                text("match")
            )
        }
        Value::Object(object) if object.contains_key("expression") => text("expression").to_owned(),
        Value::Object(object) if object.contains_key("old") => format!("old.{}", text("old")),
        Value::Object(object) => match object.get("value") {
            None | Some(Value::Null) => return None,
            Some(constant) => constant.to_string(),
        },
        other => other.to_string(),
    })
}

fn heard_by(audience: &Value) -> Option<String> {
    let key = |form| audience.get(form).and_then(Value::as_str);
    Some(match (key("project"), key("person")) {
        (Some(project), _) => format!("webhooks of project {project}, and of every project"),
        (_, Some(person)) => format!("webhooks of the projects of person {person}, and of every project"),
        _ => "every webhook that subscribes".to_owned(),
    })
}
