//! `zentry_detach` and `zentry_omit`: removing sources, and leaving keys out of their data.

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::inheritors::lock_below;
use super::ours::Ours;
use super::source::{self, Recorded};
use super::table::Table;
use super::triggers;
use super::{check_table, require_owner};
use crate::report;
use crate::search_path::SearchPath;

#[pg_extern(sql = false)]
fn zentry_detach(relation: Option<pg_sys::Oid>, event_type: Option<&str>) {
    let _pinned = SearchPath::pinned();
    let ours = Ours::find("zentry_detach()");
    let Some(relation) = relation else {
        report::error(
            PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            "the table must not be null".to_owned(),
            "",
            "SELECT event_type, relation FROM zentry_notify.event_sources lists what is attached.",
        )
    };
    let Some(table) = Table::load(relation) else {
        return forget_what_is_gone(&ours, relation, event_type);
    };
    require_source(&ours, &table, event_type);
    require_owner(&table);
    lock_below(&table, pg_sys::AccessExclusiveLock);
    // The table may have another owner by now, or be gone.
    let Some(table) = Table::load(relation) else {
        return;
    };
    require_owner(&table);
    source::forget(&ours, table.oid(), event_type);
    let served: Vec<String> = Recorded::of_table(&ours, table.oid())
        .into_iter()
        .map(|recorded| recorded.source.event_type)
        .collect();
    triggers::drop_unserved(&ours, &table, &served);
}

/// Removes the sources of a table that was dropped, which only a role with the rights of the extension's owner may.
fn forget_what_is_gone(ours: &Ours, relation: pg_sys::Oid, event: Option<&str>) {
    let name = relation.to_u32().to_string();
    if !ours.is_callers() {
        report::error(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("there is no table {name}"),
            "What is left of a dropped table belongs to the owner of the extension.",
            "Let a superuser do it.",
        );
    }
    if !is_attached(ours, relation, event) {
        not_attached(&name, event);
    }
    source::forget(ours, relation, event);
}

#[pg_extern(sql = false)]
fn zentry_omit(event_type: Option<&str>, relation: Option<pg_sys::Oid>, keys: Option<Vec<Option<String>>>) {
    let _pinned = SearchPath::pinned();
    let ours = Ours::find("zentry_omit()");
    let table = check_table(relation);
    require_source(&ours, &table, event_type);
    // Null is refused, and not taken for an empty list: a variable that is not set would end the omission of every key.
    let keys: Option<Vec<String>> = keys.and_then(|keys| keys.into_iter().collect());
    let (Some(event_type), Some(keys)) = (event_type, keys) else {
        report::error(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "an event type and a list of keys without nulls are needed".to_owned(),
            "",
            "For example '{task_description}', or '{}' to leave nothing out.",
        )
    };
    source::omit(&ours, table.oid(), event_type, keys);
}

fn is_attached(ours: &Ours, relation: pg_sys::Oid, event: Option<&str>) -> bool {
    Recorded::of_table(ours, relation)
        .iter()
        .any(|recorded| event.is_none_or(|event| recorded.source.event_type == event))
}

fn require_source(ours: &Ours, table: &Table, event: Option<&str>) {
    if !is_attached(ours, table.oid(), event) {
        not_attached(&table.name, event);
    }
}

fn not_attached(table: &str, event: Option<&str>) -> ! {
    let of = event.map_or_else(String::new, |event| format!(" for event type \"{event}\""));
    report::error(
        PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
        format!("{table} is not attached{of}"),
        "",
        "SELECT event_type, relation FROM zentry_notify.event_sources lists what is.",
    )
}
