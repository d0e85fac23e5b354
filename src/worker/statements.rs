//! The worker's statements on the extension's own tables.
//!
//! Some name a table by its OID too. After DROP and CREATE EXTENSION the names are those of other tables, and ids begin at 1
//! again: a new delivery must not go to an old webhook, and what became of an old one must not be written to a new one.

pub mod deliveries;
pub mod events;
pub mod webhooks;

use pgrx::pg_sys::Oid;

use crate::plan::{Plan, with_spi};

fn prepare(sql: &str, types: &[Oid]) -> Plan {
    with_spi(|spi| Plan::prepare(spi, sql, types))
}
