//! Names that the REST API shows beside ids, from the tables that events' data come from.

use pgrx::prelude::*;

use crate::pg::acting_as::ActingAs;
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
                let _owner = ActingAs::role(owner);
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
    with_spi(|| {
        Plan::prepare(SQL, &[pg_sys::OIDOID, pg_sys::TEXTOID, pg_sys::TEXTOID])
            .execute(&[relation.into_datum(), key.into_datum(), shown.into_datum()])
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
    // SAFETY: an open relation has a name, and its schema one; both are copied.
    let table = unsafe {
        let schema = pg_sys::get_namespace_name(relation.class().relnamespace);
        pg_sys::quote_qualified_identifier(schema, relation.class().relname.data.as_ptr())
    };
    // SAFETY: a C string of the current memory context.
    let table = unsafe { std::ffi::CStr::from_ptr(table) }.to_string_lossy();
    let [key, shown] = [key, shown].map(pgrx::spi::quote_identifier);
    let sql = format!(
        "SELECT t.{key}::pg_catalog.int8, t.{shown}::pg_catalog.text FROM {table} t \
         WHERE t.{key} OPERATOR(pg_catalog.=) ANY ($1) LIMIT 10000"
    );
    with_spi(|| {
        let rows = Plan::prepare(&sql, &[pg_sys::INT8ARRAYOID]).execute(&[ids.into_datum()]);
        (0..rows.len())
            .filter_map(|row| {
                // SAFETY: the types are those of the statement's columns.
                unsafe {
                    let id = i64::from_datum(rows.get(row, 1).0?, false)?;
                    let shown = rows
                        .get(row, 2)
                        .0
                        .and_then(|text| String::from_datum(text, false));
                    Some((id, shown))
                }
            })
            .collect()
    })
}
