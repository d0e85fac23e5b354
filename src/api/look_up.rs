//! Names that the REST API shows beside ids, from the tables that events' data come from.

use pgrx::prelude::*;

use crate::pg::own_code::AsOwner;
use crate::pg::plan::{Plan, with_spi};
use crate::pg::relation::OpenRelation;
use crate::pg::subtransaction;

/// Ids and what `shown` has beside them in `relation`, whose column `key` has the ids. What the caller may not read is left out, and so is
/// what would take a view, a policy or a type of somebody's own. It is read as the table's owner, restricted: what the owner put into the
/// table runs with no rights but theirs.
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
            // What fails is an owner's, and the names are an extra.
            subtransaction::attempt(|| {
                let _owner = AsOwner::of(owner);
                read(&relation, key, shown, ids)
            })
            .ok()
        });
    TableIterator::new(found.unwrap_or_default())
}

/// Asked with the caller's rights, while a lock keeps the table as it is.
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
