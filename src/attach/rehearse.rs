//! Tries look-ups and expressions once, as the worker will run them, so that what the table's owner may not do fails when the table is attached.

use pgrx::pg_sys;
use serde_json::Value;

use super::source::Source;
use super::table::Table;
use crate::event_source::{Audience, Lookup, memberships_sql};
use crate::pg::own_code::AsOwner;
use crate::plan::{Plan, with_spi};
use crate::search_path::SearchPath;
use crate::{report, subtransaction};

/// Sets what the worker sets too: an error where a policy would apply, no views and no foreign tables. The settings last as long as the owner's
/// rights.
const PIN: &str = "SELECT set_config(s.name, pinned.value, true) FROM pg_settings s
      JOIN (VALUES ('row_security', 'off'), ('restrict_nonsystem_relation_kind', 'view, foreign-table')) AS pinned (name, value)
        ON pinned.name = s.name";

/// Plans the statements and runs them on no row: names, types and privileges are checked, and no table is read. It raises an error for what fails.
pub fn rehearse(source: &Source, table: &Table) {
    let expression = |value: &Value| {
        let sql = value.get("expression").and_then(Value::as_str);
        sql.map(|sql| format!("({sql}\n)"))
    };
    let expressions: Vec<String> = source.columns.values().filter_map(expression).collect();
    let mut look_ups: Vec<String> = source.columns.values().filter_map(look_up).collect();
    if let Ok(Audience::Person { person, projects }) = serde_json::from_value(source.audience.clone())
        && let Some(person) = source.columns.get(&person).and_then(Value::as_str)
    {
        let person = format!("new.{}", pgrx::spi::quote_identifier(person));
        let sql = memberships_sql(&projects, &str::to_owned)
            .replace("$1", &person)
            .replace("$2", "NULL::bigint[]");
        look_ups.push(format!("ARRAY({sql})"));
    }
    try_once(source, table, &look_ups);
    try_once(source, table, &expressions);
}

/// Runs the values over a row of nulls, as the table's owner. Code of a third role is an error.
fn try_once(source: &Source, table: &Table, values: &[String]) {
    if values.is_empty() {
        return;
    }
    // The owner need not have USAGE on the types of columns that no value names.
    let named = values.join(" ");
    let row: Vec<String> = table
        .columns
        .iter()
        .filter(|column| named.contains(&column.quoted()))
        .map(|column| format!("NULL::{} AS {}", column.r#type, column.quoted()))
        .collect();
    let sql = format!(
        "SELECT {} FROM (SELECT {}) AS new WHERE false",
        values.join(", "),
        row.join(", ")
    );
    let rehearsed = subtransaction::attempt(|| {
        let _owner = AsOwner::of(pg_sys::Oid::from(table.owner_oid));
        let _path = SearchPath::pinned();
        with_spi(|spi| {
            Plan::prepare(spi, PIN, &[]).execute(spi, &[]);
            Plan::prepare(spi, &sql, &[]).execute(spi, &[]).len()
        })
    });
    if let Err(failure) = rehearsed {
        report::error(
            failure.code(),
            format!(
                "table {} cannot fire {}: {failure}",
                table.name, source.event_type
            ),
            "",
            &format!(
                "Look-ups and expressions run with the rights of the table's owner, {}.",
                table.owner
            ),
        );
    }
}

/// Returns a look-up as a scalar sub-select; None: the value is no look-up.
fn look_up(value: &Value) -> Option<String> {
    value.get("from")?;
    let lookup: Lookup = serde_json::from_value(value.clone()).ok()?;
    let root = format!("new.{}", pgrx::spi::quote_identifier(lookup.root()));
    Some(lookup.sql(1, &str::to_owned).replace("$1", &root))
}
