//! Rows of the application's own webhooks.

use pgrx::prelude::*;

use crate::pg::own_code::OwnCodeOnly;
use crate::pg::plan::{Plan, with_spi};
use crate::pg::relation::OpenRelation;
use crate::pg::role;

/// Rows of a table as JSON, in the order of `id`, with the caller's rights. What others have put into the table and would run with these is an
/// error.
#[pg_extern(sql = false)]
fn rows_of(relation: pg_sys::Oid, columns: Vec<Option<String>>) -> SetOfIterator<'static, String> {
    let Some(relation) = OpenRelation::open(relation, pg_sys::AccessShareLock) else {
        return SetOfIterator::new(Vec::new());
    };
    let columns: Vec<String> = columns
        .into_iter()
        .flatten()
        .map(|column| format!("r.{}", pgrx::spi::quote_identifier(column)))
        .collect();
    let sql = format!(
        "SELECT pg_catalog.to_jsonb(t)::pg_catalog.text FROM (SELECT {} FROM {} r) AS t ORDER BY t.id",
        columns.join(", "),
        relation.qualified_name(),
    );
    let _own = OwnCodeOnly::of(role::current());
    let rows: Vec<String> = with_spi(|spi| {
        let rows = Plan::prepare(spi, &sql, &[]).execute(spi, &[]);
        (0..rows.len())
            .filter_map(|row| rows.get::<String>(row, 1))
            .collect()
    });
    SetOfIterator::new(rows)
}
