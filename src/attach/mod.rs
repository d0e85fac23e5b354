//! `zentry_attach(event_type, relation, ...)`: makes a table of any application fire an event.
//!
//! Triggers are created with the rights of the caller. SQL that is given is parsed with the rights of the table's owner, in a restricted
//! operation. The extension's tables are written with its owner's rights, by constant statements, once it is known that the caller owns the table.

mod audience;
mod condition;
mod detach;
mod done;
mod event;
mod expression;
mod fit;
mod guess;
mod inheritors;
mod known_condition;
mod mapping;
mod operator;
mod ours;
mod rehearse;
mod source;
mod table;
mod told;
mod triggers;
mod way;
mod zentry;

use std::ffi::CStr;

use pgrx::prelude::*;
use pgrx::{AnyElement, pg_sys};
use serde_json::{Map, Value, json};
use webhook::spelling::closest;

use crate::event_source::MILESTONE;
use crate::pg::jsonb;
use crate::pg::make_trigger::Operation;
use crate::pg::setting;
use crate::report;
use crate::search_path::SearchPath;
use crate::subtransaction;
use condition::{Conditions, Operations};
use done::Done;
use event::Event;
use guess::Guess;
use inheritors::lock_below;
use mapping::Mapper;
use ours::Ours;
use source::{Author, Recorded, Source};
use table::Table;
use triggers::Triggers;

pub use way::make_way_for_drop;

#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments, reason = "the SQL function has them")]
fn zentry_attach(
    event_type: Option<&str>,
    relation: Option<pg_sys::Oid>,
    columns: Option<AnyElement>,
    condition: Option<&str>,
    operation: Option<&str>,
    audience: Option<AnyElement>,
    done: Option<&str>,
) -> TableIterator<'static, (name!(item, String), name!(value, Option<String>))> {
    let path = SearchPath::current();
    let _pinned = SearchPath::pinned();
    let ours = Ours::find("zentry_attach()");
    let event = Event::find(&ours, event_type);
    let table = locked_table(relation);
    check_relatives(&ours, &event.name, &table);
    let given = match columns.map_or_else(|| json!({}), |columns| json_of("columns", &columns)) {
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
        Some(audience) => {
            let audience = json_of("audience", &audience);
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
            Some(text) => condition::given(text, &guess, operations),
            None => known_condition::usual(&guess, done, operations),
        };
        (conditions, None)
    };
    let source = Source {
        event_type: event.name.clone(),
        columns,
        audience,
        progress,
        transition: conditions.transition.clone(),
        insert_when: conditions.words(Operation::Insert),
        update_when: conditions.words(Operation::Update),
        delete_when: conditions.words(Operation::Delete),
        rider: None,
        by_hand: true,
    };
    if let Err(misfit) = fit::check(&source, &table) {
        misfit.raise();
    }
    rehearse::rehearse(&source, &table);
    let before = Recorded::of_table(&ours, table.oid());
    ours.require_capture();
    let put = || put(&ours, &table, &source, &conditions, &path, Author::Owner);
    let put_in_english = || {
        let _language = setting::hold(&setting::ENGLISH);
        put();
    };
    if condition.is_none() {
        put();
    } else if let Err(failure) = subtransaction::attempt(put_in_english) {
        condition::refuse_for(&failure, &table);
    }
    leave_riders(&ours, &event.name, &table, &before, &path);
    warn_of_functions(&event.name, &table, ours.capture);
    TableIterator::new(told::told(&source, &conditions))
}

fn json_of(parameter: &str, json: &AnyElement) -> Value {
    jsonb::parse(&jsonb::text_of(json)).unwrap_or_else(|excess| {
        let (fault, hint) = excess.words();
        report::refuse(parameter, &format!("{parameter} {fault}"), hint)
    })
}

/// Creates the triggers and writes the row of `event_source`, as the source says.
fn put(ours: &Ours, table: &Table, source: &Source, conditions: &Conditions, path: &CStr, author: Author) {
    let triggers = Triggers {
        ours,
        table,
        event: &source.event_type,
        rider: source.rider.as_deref(),
        conditions,
    };
    triggers.create(path);
    source.record(ours, table.oid(), author);
}

/// Returns a table that the caller may attach, locked against writes and other changes of its triggers. The owner is checked before the lock, so
/// that nobody locks tables of others, and again after it, since it may have changed.
fn locked_table(relation: Option<pg_sys::Oid>) -> Table {
    let table = check_table(relation);
    lock_below(&table, pg_sys::ShareRowExclusiveLock);
    check_table(relation)
}

/// Returns a table that the caller may attach. It raises an error for every other relation.
fn check_table(relation: Option<pg_sys::Oid>) -> Table {
    let Some(table) = relation.and_then(Table::load) else {
        report::error(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            "there is no such table".to_owned(),
            "",
            "Name the table whose rows are written, such as 'task'.",
        )
    };
    if let Some(wrong) = table.wrong() {
        report::error(
            PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            format!("{} cannot be attached: it {wrong}", table.name),
            "",
            "Attach the table that the application writes to.",
        );
    }
    require_owner(&table);
    table
}

fn require_owner(table: &Table) {
    if !table.owned {
        report::error(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("must be owner of table {}", table.name),
            "",
            &format!("Let its owner, {}, or a superuser do it.", table.owner),
        );
    }
}

/// Raises an error if a table that this one inherits from, or that inherits from it, is attached for the event: the triggers of the one are on the
/// other too.
fn check_relatives(ours: &Ours, event: &str, table: &Table) {
    const SQL: &str = "WITH RECURSIVE up (oid) AS (
            SELECT $1 UNION SELECT i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.oid),
          down (oid) AS (
            SELECT $1 UNION SELECT i.inhrelid FROM down JOIN pg_inherits i ON i.inhparent = down.oid)
        SELECT s.relation::text FROM zentry_notify.event_source s
         WHERE s.event_type = $2 AND s.relation <> $1 AND s.relation IN (SELECT oid FROM up UNION ALL SELECT oid FROM down) LIMIT 1";
    let relative = ours.text(SQL, &[table.oid().into(), event.into()]);
    if let Some(relative) = relative {
        report::error(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("{relative}, a relative of {}, fires {event} already", table.name),
            "",
            &format!("Detach that first: SELECT zentry_detach('{relative}', '{event}');"),
        );
    }
}

/// Checks the given keys against those that the event's messages use. A misspelt key with the value null, which is to leave a key out, is an error.
/// Another misspelt key is a warning, since it may be a key of one's own.
fn check_keys(event: &Event, given: &Map<String, Value>) {
    let known = || event.keys.iter().map(String::as_str);
    for (key, value) in given.iter().filter(|(key, _)| !event.keys.contains(key)) {
        let fault = format!("columns: no message of {} asks for \"{key}\"", event.name);
        let meant = closest(key, known().filter(|known| !given.contains_key(*known)));
        match meant.map(|meant| format!("Perhaps \"{meant}\" is meant.")) {
            Some(hint) if value.is_null() => report::refuse("columns", &fault, &hint),
            Some(hint) => report::warning(PgSqlErrorCode::ERRCODE_WARNING, fault, &hint),
            None if value.is_null() && !event.keys.is_empty() => report::warning(
                PgSqlErrorCode::ERRCODE_WARNING,
                fault,
                &format!("The data have {}.", known().collect::<Vec<_>>().join(", ")),
            ),
            None => {}
        }
    }
}

/// Returns the mapping of the data, as `event_source.columns` has it: keys as given, else as guessed. Keys of a built-in event that are neither are
/// null; of another event, they are left out, with a warning.
fn map(event: &Event, guess: &Guess, given: &Map<String, Value>, path: &CStr) -> Map<String, Value> {
    let mapper = Mapper {
        table: guess.table,
        path,
    };
    check_keys(event, given);
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
    // The audience may depend on it.
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

/// Returns the conditions of a source of milestones, and its `event_source.progress`.
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
    (known_condition::progressed(), Some(done.progress(&group.name)))
}

/// Gives riders triggers of their own. In Zentry's sources, milestone_reached rides on the triggers of task_completed (`event_source.rider`). When
/// either is attached by hand, both get triggers of their own, since they may fire for different writes. `before` are the table's sources as
/// they were.
fn leave_riders(ours: &Ours, event: &str, table: &Table, before: &[Recorded], path: &CStr) {
    let named = |name: &str| before.iter().find(|recorded| recorded.source.event_type == name);
    let rider = named(event).and_then(|recorded| named(recorded.source.rider.as_deref()?));
    if let Some(rider) = rider.filter(|rider| rider.source.progress.is_some()) {
        let conditions = known_condition::progressed();
        let source = Source {
            insert_when: conditions.words(Operation::Insert),
            update_when: conditions.words(Operation::Update),
            delete_when: conditions.words(Operation::Delete),
            by_hand: true,
            ..rider.source.clone()
        };
        put(ours, table, &source, &conditions, path, Author::Unchanged);
    }
    for carrier in before
        .iter()
        .filter(|recorded| recorded.source.rider.as_deref() == Some(event))
    {
        let source = Source {
            rider: None,
            ..carrier.source.clone()
        };
        if let Some(conditions) = known_condition::recorded(&source, table) {
            put(ours, table, &source, &conditions, path, Author::Unchanged);
        }
    }
}

/// Raises a warning if the condition calls functions: they run with the rights of whoever writes, and their errors fail the write.
fn warn_of_functions(event: &str, table: &Table, capture: pg_sys::Oid) {
    const SQL: &str = "SELECT string_agg(DISTINCT d.refobjid::regprocedure::text, ', ') FROM pg_trigger t
          JOIN pg_depend d ON d.classid = 'pg_trigger'::regclass AND d.objid = t.oid AND d.refclassid = 'pg_proc'::regclass
         WHERE t.tgrelid = $1 AND t.tgname ~ ('^zentry_notify_' || $2 || '_(insert|update|delete)$')
           AND d.refobjid <> $3";
    let functions = table::text_of(SQL, &[table.oid().into(), event.into(), capture.into()]);
    if let Some(functions) = functions {
        report::warning(
            PgSqlErrorCode::ERRCODE_WARNING,
            format!("the condition of {event} calls {functions}"),
            "Every role that writes to the table needs EXECUTE on it, and an error in it fails the write. Comparisons of columns have neither drawback.",
        );
    }
}
