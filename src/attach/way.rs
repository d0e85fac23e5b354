//! DROP EXTENSION takes triggers off the application's tables. A write locks its table and then ours, and PostgreSQL would lock ours first:
//! so all of them are locked before it begins, together or not at all.

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::table::text_of;
use crate::installation::Installation;
use crate::pg::lock::{self, Patience};
use crate::pg::role;
use crate::report;
use crate::search_path::SearchPath;

/// Before DROP EXTENSION of ours, if the current role may do that: PostgreSQL refuses it first, else.
pub fn make_way_for_drop() {
    // The application's first, as a write has them.
    const SQL: &str = "SELECT json_agg(l.oid::bigint ORDER BY l.place, l.oid)::text
          FROM (SELECT DISTINCT t.tgrelid AS oid, 1 AS place FROM pg_trigger t
                  JOIN pg_proc p ON p.oid = t.tgfoid AND p.proname = 'capture'
                  JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refobjid = $1
                                  AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
                 UNION ALL
                SELECT c.oid, 2 FROM pg_class c
                  JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refobjid = $1
                                  AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
                 WHERE c.relkind = 'r') l";
    let _pinned = SearchPath::pinned();
    let Some(installation) = Installation::find() else {
        return;
    };
    if !role::has_privileges(role::current(), installation.owner) {
        return;
    }
    let tables: Vec<u32> = text_of(SQL, &[installation.oid.into()])
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let tables: Vec<pg_sys::Oid> = tables.into_iter().map(pg_sys::Oid::from).collect();
    if let Err(busy) = lock::tables(&tables, pg_sys::AccessExclusiveLock, Patience::Endless) {
        report::error(
            PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
            super::busy_message(busy),
            "",
            "lock_timeout ended the wait for it.",
        );
    }
}
