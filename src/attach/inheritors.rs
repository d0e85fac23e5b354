//! The tables that inherit from a table, its partitions among them: finding and locking them.

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::table::{Table, text_of};
use crate::pg::lock::{self, Busy, Patience};
use crate::report;

/// Returns the table, as the first, and those that inherit from it, but no partitions: PostgreSQL itself puts a table's triggers on its partitions.
pub fn inheritors(table: &Table) -> Vec<pg_sys::Oid> {
    const SQL: &str = "WITH RECURSIVE down (oid, depth) AS (
            SELECT $1, 0 UNION SELECT i.inhrelid, d.depth + 1 FROM down d JOIN pg_inherits i ON i.inhparent = d.oid)
        SELECT json_agg(d.oid::bigint ORDER BY d.depth, d.oid)::text
          FROM (SELECT d.oid, min(d.depth) AS depth FROM down d GROUP BY d.oid) d JOIN pg_class c ON c.oid = d.oid
         WHERE d.depth = 0 OR NOT c.relispartition";
    oids(SQL, table)
}

/// Returns the table, as the first, with all inheritors and partitions: those that a change of its triggers has to lock.
pub fn below(table: &Table) -> Vec<pg_sys::Oid> {
    const SQL: &str = "WITH RECURSIVE down (oid) AS (
            SELECT $1 UNION SELECT i.inhrelid FROM down d JOIN pg_inherits i ON i.inhparent = d.oid)
        SELECT json_agg(d.oid::bigint ORDER BY d.oid <> $1, d.oid)::text FROM down d";
    oids(SQL, table)
}

fn oids(sql: &str, table: &Table) -> Vec<pg_sys::Oid> {
    let table = pg_sys::Oid::from(table.oid).into();
    let oids: Vec<u32> = text_of(sql, &[table])
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    oids.into_iter().map(pg_sys::Oid::from).collect()
}

/// Locks the table with its partitions and inheritors. It raises an error if that takes too long.
pub fn lock_below(table: &Table, mode: u32) {
    if let Err(busy) = lock::tables(&below(table), mode, Patience::Session) {
        refuse_busy(busy);
    }
}

fn refuse_busy(busy: Busy) -> ! {
    report::error(
        PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
        busy_message(busy),
        "Nothing has been changed.",
        "Try again when that transaction has ended, or wait longer: SET lock_timeout = '1min'.",
    )
}

/// Returns the message about a table that could not be locked.
pub fn busy_message(Busy(table): Busy) -> String {
    let name = Table::load(table).map_or_else(|| table.to_u32().to_string(), |table| table.name);
    format!("table {name} is busy: another transaction has it locked")
}
