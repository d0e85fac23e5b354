//! Names that the REST API shows beside ids, read from the tables that the data of events come from.

use pgrx::prelude::*;

use crate::pg::own_code::AsOwner;
use crate::pg::plan::{Plan, with_spi};
use crate::pg::relation::OpenRelation;
use crate::pg::subtransaction;

/// Returns the ids with the values of the column `shown` in the rows of `relation` whose column `key` has them. The result is empty for what the caller
/// may not read, and for views, tables with row security and types that are not built in. The table is read as its owner, in a restricted
/// operation, so that code of the owner (index expressions, checks) runs with no other rights than the owner's.
#[pg_extern(sql = false)]
fn look_up_in(
    relation: pg_sys::Oid,
    key: &str,
    shown: &str,
    ids: Vec<Option<i64>>,
) -> TableIterator<'static, (name!(id, i64), name!(shown, Option<String>))> {
    let found = OpenRelation::open(relation, pg_sys::AccessShareLock)
        .filter(|_| readable(relation, key, shown))
        .and_then(|relation| {
            let owner = relation.class().relowner;
            // A failure is due to the owner's code, and the names are optional.
            subtransaction::attempt(|| {
                let _owner = AsOwner::of(owner);
                read(&relation, key, shown, ids)
            })
            .ok()
        });
    TableIterator::new(found.unwrap_or_default())
}

/// Whether the caller may read the two columns. The table is locked, so that the answer stays true.
fn readable(relation: pg_sys::Oid, key: &str, shown: &str) -> bool {
    const SQL: &str = "SELECT true FROM pg_catalog.pg_class c \
        JOIN pg_catalog.pg_attribute k ON k.attrelid OPERATOR(pg_catalog.=) c.oid AND k.attname OPERATOR(pg_catalog.=) $2::pg_catalog.name \
             AND k.atttypid OPERATOR(pg_catalog.=) ANY ('{smallint,integer,bigint}'::pg_catalog.regtype[]) \
        JOIN pg_catalog.pg_attribute s ON s.attrelid OPERATOR(pg_catalog.=) c.oid AND s.attname OPERATOR(pg_catalog.=) $3::pg_catalog.name \
             AND s.atttypid OPERATOR(pg_catalog.<) 16384::pg_catalog.oid \
        WHERE c.oid OPERATOR(pg_catalog.=) $1 AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::pg_catalog.\"char\"[]) AND NOT c.relrowsecurity \
          AND pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE') \
          AND pg_catalog.has_column_privilege(c.oid, k.attnum, 'SELECT') AND pg_catalog.has_column_privilege(c.oid, s.attnum, 'SELECT')";
    with_spi(|spi| {
        Plan::prepare(spi, SQL, &[pg_sys::OIDOID, pg_sys::TEXTOID, pg_sys::TEXTOID])
            .execute(spi, &[relation.into(), key.into(), shown.into()])
            .len()
            > 0
    })
}

fn read(
    relation: &OpenRelation,
    key: &str,
    shown: &str,
    ids: Vec<Option<i64>>,
) -> Vec<(i64, Option<String>)> {
    let table = relation.qualified_name();
    let [key, shown] = [key, shown].map(pgrx::spi::quote_identifier);
    let sql = format!(
        "SELECT t.{key}::pg_catalog.int8, t.{shown}::pg_catalog.text FROM {table} t \
         WHERE t.{key} OPERATOR(pg_catalog.=) ANY ($1) LIMIT 10000"
    );
    with_spi(|spi| {
        let rows = Plan::prepare(spi, &sql, &[pg_sys::INT8ARRAYOID]).execute(spi, &[ids.into()]);
        (0..rows.len())
            .filter_map(|row| {
                let id = rows.get::<i64>(row, 1)?;
                let shown = rows.get::<String>(row, 2);
                Some((id, shown))
            })
            .collect()
    })
}
