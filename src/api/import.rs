//! Rows of the application's own webhooks.

use pgrx::prelude::*;

use crate::pg::jsonb;
use crate::pg::own_code::OwnCodeOnly;
use crate::pg::plan::{Plan, with_spi};
use crate::pg::relation::OpenRelation;
use crate::pg::role;

/// In the place of a value that jsonb does not take; what it stands for is refused.
const UNREADABLE: &str = "\"(not to be read as jsonb)\"";

/// Rows of a table as JSON, in the order of `id`, with the caller's rights. What others have put into the table and would run with these is an
/// error.
#[pg_extern(sql = false)]
fn rows_of(relation: pg_sys::Oid, columns: Vec<Option<String>>) -> SetOfIterator<'static, String> {
    let Some(relation) = OpenRelation::open(relation, pg_sys::AccessShareLock) else {
        return SetOfIterator::new(Vec::new());
    };
    let columns: Vec<String> = columns.into_iter().flatten().collect();
    let values: Vec<String> = columns
        .iter()
        .map(|column| {
            let column = pgrx::spi::quote_identifier(column);
            format!("COALESCE(pg_catalog.to_json(r.{column})::pg_catalog.text, 'null')")
        })
        .collect();
    let sql = format!(
        "SELECT ARRAY[{}] FROM {} r ORDER BY r.id",
        values.join(", "),
        relation.qualified_name(),
    );
    let _own = OwnCodeOnly::of(role::current());
    let rows: Vec<String> = with_spi(|spi| {
        let rows = Plan::prepare(spi, &sql, &[]).execute(spi, &[]);
        (0..rows.len())
            .filter_map(|row| rows.get::<Vec<String>>(row, 1))
            .map(|values| object(&columns, &values))
            .collect()
    });
    SetOfIterator::new(rows)
}

/// A JSON object that is a jsonb.
fn object(columns: &[String], values: &[String]) -> String {
    let members = columns.iter().zip(values).map(|(column, value)| {
        let value = if jsonb::takes(value) { value } else { UNREADABLE };
        format!("{}: {value}", serde_json::Value::from(column.as_str()))
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
}
