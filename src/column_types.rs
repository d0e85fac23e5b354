//! The types of a table's columns, as code with the rights of the table's owner may use them.

use std::collections::HashMap;

use pgrx::prelude::*;

use crate::plan::{Plan, with_spi};

/// The type of a column.
pub struct ColumnType {
    /// The name of the type that a text is cast to, qualified where it has to be. A type with checks of another role is replaced by a name
    /// that does not exist, so that the cast fails.
    pub type_name: String,
    /// The type; of a domain, its base type.
    pub type_oid: pg_sys::Oid,
    /// Whether to_jsonb makes more of a value than a string or a number.
    pub is_composite: bool,
    /// Whether a part of it belongs to a role that is neither the owner nor a superuser, and so may have a cast to JSON of that role.
    pub is_foreign: bool,
}

/// Selects the types that values of `t`, a row of pg_type, contain: an array's elements, a domain's base type, a range's bounds, a row's columns.
const TYPES_WITHIN: &str = "SELECT t.typelem WHERE t.typcategory = 'A' UNION ALL SELECT t.typbasetype WHERE t.typtype = 'd' \
     UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid \
     UNION ALL SELECT r.rngtypid FROM pg_catalog.pg_range r WHERE r.rngmultitypid = t.oid \
     UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a \
                WHERE a.attrelid = t.typrelid AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped";

/// Returns the types of the relation's columns, by the columns' names, as `owner` may use them. The search path must be pinned.
pub fn of(relation: pg_sys::Oid, owner: pg_sys::Oid) -> HashMap<String, ColumnType> {
    // is_composite: JSON itself, arrays, rows, and types that an extension gives a cast to json. A domain of a third role is read as its base
    // type, since its checks may be any code. A type that contains such a domain, or may get one as a composite type can, is not read at all.
    let sql = format!(
        "WITH RECURSIVE base (attname, declared, oid) AS (\
           SELECT a.attname, a.atttypid, a.atttypid FROM pg_catalog.pg_attribute a \
           WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped \
           UNION ALL \
           SELECT b.attname, b.declared, t.typbasetype FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.oid WHERE t.typtype = 'd'), \
         part (attname, oid) AS (\
           SELECT b.attname, b.oid FROM base b \
           UNION \
           SELECT p.attname, x.oid FROM part p JOIN pg_catalog.pg_type t ON t.oid = p.oid CROSS JOIN LATERAL (\
             {TYPES_WITHIN}) x (oid)) \
         SELECT b.attname::text, \
                CASE WHEN NOT f.checked THEN pg_catalog.format_type(b.declared, -1) WHEN NOT f.within THEN pg_catalog.format_type(t.oid, -1) \
                     ELSE 'a_type_with_checks_of_another_role' END, t.oid, \
                t.oid = 'pg_catalog.json'::pg_catalog.regtype OR t.typtype = 'c' OR t.typcategory = 'A' \
                OR t.oid >= 16384 AND EXISTS (SELECT FROM pg_catalog.pg_cast c \
                     WHERE c.castsource = t.oid AND c.casttarget = 'pg_catalog.json'::pg_catalog.regtype), \
                EXISTS (SELECT FROM part p JOIN pg_catalog.pg_type pt ON pt.oid = p.oid JOIN pg_catalog.pg_roles r ON r.oid = pt.typowner \
                         WHERE p.attname = b.attname AND NOT r.rolsuper AND r.oid <> $2) \
         FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.oid \
         CROSS JOIN LATERAL (\
           SELECT count(*) > 0 AS checked, \
                  COALESCE(bool_or(p.oid NOT IN (SELECT d.oid FROM base d WHERE d.attname = b.attname) OR pt.typtype = 'c'), false) AS within \
           FROM part p JOIN pg_catalog.pg_type pt ON pt.oid = p.oid JOIN pg_catalog.pg_roles r ON r.oid = pt.typowner \
           WHERE p.attname = b.attname AND pt.typtype IN ('c', 'd') AND NOT r.rolsuper AND r.oid <> $2) f \
         WHERE t.typtype <> 'd'"
    );
    with_spi(|spi| {
        let rows = Plan::prepare(spi, &sql, &[pg_sys::OIDOID, pg_sys::OIDOID])
            .execute(spi, &[relation.into(), owner.into()]);
        let column = |row| {
            let name: String = rows.get(row, 1)?;
            let column = ColumnType {
                type_name: rows.get(row, 2)?,
                type_oid: rows.get(row, 3)?,
                is_composite: rows.get(row, 4)?,
                is_foreign: rows.get(row, 5)?,
            };
            Some((name, column))
        };
        (0..rows.len()).filter_map(column).collect()
    })
}

/// Returns a type that may have checks of a role that is neither `owner` nor a superuser, among the types or contained in them: its name and the
/// role's. The search path must be pinned.
pub fn checked_by_others(types: Vec<pg_sys::Oid>, owner: pg_sys::Oid) -> Option<(String, String)> {
    let sql = format!(
        "WITH RECURSIVE part (oid) AS (\
           SELECT g.oid FROM unnest($1) g (oid) \
           UNION \
           SELECT x.oid FROM part p JOIN pg_catalog.pg_type t ON t.oid = p.oid CROSS JOIN LATERAL (\
             {TYPES_WITHIN}) x (oid)) \
         SELECT pg_catalog.format_type(t.oid, -1), r.rolname::text \
         FROM part p JOIN pg_catalog.pg_type t ON t.oid = p.oid JOIN pg_catalog.pg_roles r ON r.oid = t.typowner \
         WHERE t.typtype IN ('c', 'd') AND NOT r.rolsuper AND r.oid <> $2 LIMIT 1"
    );
    with_spi(|spi| {
        let rows = Plan::prepare(spi, &sql, &[pg_sys::OIDARRAYOID, pg_sys::OIDOID])
            .execute(spi, &[types.into(), owner.into()]);
        (rows.len() > 0).then(|| Some((rows.get(0, 1)?, rows.get(0, 2)?)))?
    })
}
