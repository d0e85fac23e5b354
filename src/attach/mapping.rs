//! The mapping that a user gives: where each key of an event's data comes from. It is brought into the form of `event_source.columns`.

use std::ffi::CStr;

use pgrx::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::expression::Expression;
use super::guess::look_up;
use super::table::Table;
use crate::pg::own_code::AsOwner;
use crate::plan::{Plan, with_spi};
use crate::report;
use crate::subtransaction::{self, Failure};

const FORMS: &str = "Write a column's name, a path along foreign keys (assignee_id.username), an SQL expression over the row, \
                     {\"from\": table, \"key\": column, \"column\": its column}, {\"old\": column}, {\"value\": constant}, or null for none.";

/// Parses the values of a mapping for one table.
pub struct Mapper<'a> {
    pub table: &'a Table,
    /// The search path under which names are resolved.
    pub path: &'a CStr,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lookup {
    from: String,
    column: String,
    #[serde(default)]
    key: Option<Value>,
    #[serde(default)]
    r#match: Option<String>,
}

impl Mapper<'_> {
    /// Returns the canonical form of a value; None: the key is to be left out. It raises an error for what cannot be understood.
    pub fn value(&self, key: &str, given: &Value) -> Option<Value> {
        Some(match given {
            Value::Null => return None,
            Value::String(text) => self.text(key, text),
            Value::Object(object) if object.contains_key("from") => self.look_up(key, given),
            Value::Object(object) => self.object(key, object),
            constant => json!({ "value": constant }),
        })
    }

    fn object(&self, key: &str, object: &Map<String, Value>) -> Value {
        let mut entries = object.iter();
        match (entries.next(), entries.next()) {
            (Some((form, value)), None) if form == "value" => json!({ "value": value }),
            (Some((form, Value::String(column))), None) if form == "old" => {
                json!({ "old": self.column(key, column) })
            }
            (Some((form, Value::String(sql))), None) if form == "expression" => self.expression(key, sql),
            _ => report::error(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                format!(
                    "the value of \"{key}\" cannot be understood: {}",
                    Value::Object(object.clone())
                ),
                "",
                FORMS,
            ),
        }
    }

    fn text(&self, key: &str, text: &str) -> Value {
        if self.table.column(text).is_some() {
            return json!(text);
        }
        let steps: Vec<&str> = text.split('.').map(str::trim).collect();
        match &steps[..] {
            [row, column] if row.eq_ignore_ascii_case("old") => {
                json!({ "old": self.column(key, column) })
            }
            [row, column] if row.eq_ignore_ascii_case("new") && self.table.column(column).is_some() => {
                json!(column)
            }
            [first, rest @ ..] if !rest.is_empty() && self.table.column(first).is_some() => {
                self.path(key, first, rest)
            }
            _ => self.expression(key, text),
        }
    }

    /// Returns the look-ups of a path along foreign keys, of which each step but the last is a column that has one.
    fn path(&self, key: &str, first: &str, steps: &[&str]) -> Value {
        let mut value = json!(first);
        let mut column = first.to_owned();
        let mut at: Option<Table> = None;
        for step in steps {
            let here = at.as_ref().unwrap_or(self.table);
            let Some((next, target)) = here.reference(&column).and_then(|reference| {
                let next = Table::load(pgrx::pg_sys::Oid::from(reference.table))?;
                Some((next, reference.target.clone()))
            }) else {
                report::error(
                    PgSqlErrorCode::ERRCODE_INVALID_FOREIGN_KEY,
                    format!(
                        "\"{key}\" goes along column \"{column}\" of table {}, which has no foreign key",
                        here.name
                    ),
                    "",
                    &format!(
                        "Say where to look: {{\"from\": \"table\", \"match\": \"its key\", \"key\": \"{column}\", \"column\": \"{step}\"}}."
                    ),
                );
            };
            require_column(&next, key, step);
            value = look_up(&next, &target, value, step);
            column = (*step).to_owned();
            at = Some(next);
        }
        value
    }

    fn look_up(&self, key: &str, given: &Value) -> Value {
        let lookup: Lookup = match Lookup::deserialize(given) {
            Ok(lookup) => lookup,
            // The words of serde name Rust types, except for an unknown key.
            Err(error) => report::error(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                format!(
                    "the look-up of \"{key}\" cannot be understood: {}",
                    fault(&error.to_string(), given)
                ),
                "",
                FORMS,
            ),
        };
        let Some(from) = Table::named(&lookup.from, self.path) else {
            report::error(
                PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
                format!("\"{key}\" looks into \"{}\", which does not exist", lookup.from),
                "",
                "Write it as schema.table.",
            )
        };
        require_column(&from, key, &lookup.column);
        let by = match lookup.key {
            Some(Value::String(column)) => json!(self.column(key, &column)),
            Some(inner) => self.look_up(key, &inner),
            None => json!(self.only_reference_to(key, &from)),
        };
        let matched = match lookup.r#match {
            Some(matched) => {
                require_column(&from, key, &matched);
                matched
            }
            None => self.default_match(key, &by, &from),
        };
        self.require_comparable(key, &by, &from, &matched);
        look_up(&from, &matched, by, &lookup.column)
    }

    /// Returns the column that the foreign key of `by` refers to, else the primary key.
    fn default_match(&self, key: &str, by: &Value, from: &Table) -> String {
        let reference = by.as_str().and_then(|column| self.table.reference(column));
        reference
            .filter(|reference| reference.table == from.oid)
            .map(|reference| reference.target.clone())
            .or_else(|| from.key.clone())
            .unwrap_or_else(|| {
                report::error(
                    PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                    format!(
                        "\"{key}\" looks into {}, which has no primary key of one column",
                        from.name
                    ),
                    "",
                    "Give the column that the key is compared with as \"match\".",
                )
            })
    }

    /// Returns the table's only column with a foreign key to `from`. It raises an error if there is none, or several.
    fn only_reference_to(&self, key: &str, from: &Table) -> String {
        let mut references = self
            .table
            .references
            .iter()
            .filter(|reference| reference.table == from.oid);
        match (references.next(), references.next()) {
            (Some(reference), None) => reference.column.clone(),
            _ => report::error(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                format!(
                    "\"{key}\" looks into {}, and it is ambiguous by which column of {}",
                    from.name, self.table.name
                ),
                &format!("Its columns are {}.", self.table.column_names()),
                "Give the column as \"key\".",
            ),
        }
    }

    /// Raises an error if the column `by` cannot be compared with the column that it has to match.
    fn require_comparable(&self, key: &str, by: &Value, from: &Table, matched: &str) {
        let (Some(by), Some(matched)) = (
            by.as_str().and_then(|by| self.table.column(by)),
            from.column(matched),
        ) else {
            return;
        };
        let sql = format!(
            "SELECT NULL::{} OPERATOR(pg_catalog.=) NULL::{}",
            matched.r#type, by.r#type
        );
        // The statement is prepared and not run: to plan it would run casts to these types, and checks of their domains.
        let prepared = subtransaction::attempt(|| {
            let owner = pg_sys::Oid::from(self.table.owner_oid);
            let _owner = AsOwner::of(owner);
            with_spi(|spi| drop(Plan::prepare(spi, &sql, &[])));
        });
        if prepared.is_err() {
            report::error(
                PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
                format!(
                    "\"{key}\" compares column \"{}\" ({}) with column \"{}\" of {} ({})",
                    by.name, by.r#type, matched.name, from.name, matched.r#type
                ),
                "",
                "PostgreSQL's own = has to compare the two types. An SQL expression can cast.",
            );
        }
    }

    /// Returns the name, if the table has such a column. Otherwise it raises an error.
    fn column<'c>(&self, key: &str, name: &'c str) -> &'c str {
        require_column(self.table, key, name);
        name
    }

    fn expression(&self, key: &str, text: &str) -> Value {
        match Expression::over_row(text, self.table, self.path) {
            Ok(expression) => json!({ "expression": expression.sql, "columns": expression.columns }),
            Err(failure) => refuse(key, text, self.table, &failure),
        }
    }
}

/// Returns what is wrong with a look-up, in the user's terms.
fn fault(error: &str, given: &Value) -> String {
    match error
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split_once('`'))
    {
        Some((field, _)) => format!("it has no \"{field}\""),
        None => given.to_string(),
    }
}

fn require_column(table: &Table, key: &str, name: &str) {
    if table.column(name).is_none() {
        report::error(
            PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
            format!(
                "\"{key}\" names column \"{name}\" of table {}, which does not exist",
                table.name
            ),
            &format!("Its columns are {}.", table.column_names()),
            &table.meant(name),
        );
    }
}

/// Raises the error of an expression, in the user's terms.
fn refuse(key: &str, text: &str, table: &Table, failure: &Failure) -> ! {
    let unknown = (failure.code() == PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN)
        .then(|| failure.message().split('"').nth(1))
        .flatten();
    let detail = format!("The columns of {} are {}.", table.name, table.column_names());
    let hint = match unknown {
        Some(name) => table.meant(name),
        None => FORMS.to_owned(),
    };
    report::error(
        failure.code(),
        format!("\"{key}\" cannot be {text}: {failure}"),
        &detail,
        &hint,
    )
}
