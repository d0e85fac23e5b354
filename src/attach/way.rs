//! Locks for DROP EXTENSION, which drops triggers of the application's tables. A write locks the application's table first and the extension's
//! then; DROP EXTENSION would lock them in the other order, and cause deadlocks. So all tables are locked before it begins, together or not at all.

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::inheritors::busy_message;
use super::table::text_of;
use crate::installation::Installation;
use crate::pg::lock::{self, Patience};
use crate::pg::role;
use crate::report;
use crate::search_path::SearchPath;

/// Locks the tables before a DROP EXTENSION of this extension, if the current role may run that; otherwise PostgreSQL will refuse it.
pub fn make_way_for_drop() {
    // The application's tables come first, as in a write.
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
            busy_message(busy),
            "",
            "Try again when that transaction has ended, or wait longer: lock_timeout has ended the wait.",
        );
    }
}
