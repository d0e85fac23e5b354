//! Reading the rows of the application's own table of webhooks, for `zentry_import_integrations`.

use pgrx::prelude::*;

use crate::pg::jsonb;
use crate::pg::own_code::OwnCodeOnly;
use crate::pg::plan::{Plan, with_spi};
use crate::pg::relation::OpenRelation;
use crate::pg::role;

/// A JSON string in place of a value that cannot be converted to jsonb. The import refuses the row for it.
const UNREADABLE: &str = "\"(not to be read as jsonb)\"";

/// Returns the given columns of a table's rows as JSON objects, in the order of `id`, read with the caller's rights. It raises an error if code of
/// another role would run with them.
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

/// Returns a JSON object that can be converted to jsonb.
fn object(columns: &[String], values: &[String]) -> String {
    let members = columns.iter().zip(values).map(|(column, value)| {
        let value = if jsonb::takes(value) { value } else { UNREADABLE };
        format!("{}: {value}", serde_json::Value::from(column.as_str()))
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
}
