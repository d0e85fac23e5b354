//! What the current user may do with a database, as PostgreSQL itself decides it.

use pgrx::prelude::*;

use super::{process, version};

/// The role of a background worker that names none: the bootstrap superuser (`BOOTSTRAP_SUPERUSERID`).
pub const WORKERS_ROLE: pg_sys::Oid = pg_sys::Oid::from_u32(10);

/// Whether the user may drop or move the database: the user owns it, is connected to another one, and is in no transaction block.
pub fn may_drop(database: pg_sys::Oid) -> bool {
    version::owns_database(database) && database != process::database() && !is_in_block()
}

/// Whether the user may rename the database: the user owns it, may create databases, and is connected to another one.
pub fn may_rename(database: pg_sys::Oid) -> bool {
    version::owns_database(database) && may_create() && database != process::database()
}

/// Whether the user may create a copy of the database: the user may create databases, owns this one unless it is a template, and is in no
/// transaction block.
pub fn may_copy(database: pg_sys::Oid) -> bool {
    may_create() && (version::owns_database(database) || is_template(database)) && !is_in_block()
}

fn is_in_block() -> bool {
    // SAFETY: both read this process's transaction state.
    unsafe { pg_sys::IsTransactionBlock() || pg_sys::IsSubTransaction() }
}

/// Whether the user may create databases. (PostgreSQL's own have_createdb_privilege is not exported by every minor version of 15.)
fn may_create() -> bool {
    // SAFETY: a catalogue look-up; the row is pinned until it is released, and only a fixed column of it is read.
    unsafe {
        if pg_sys::superuser() {
            return true;
        }
        let caller = pg_sys::Datum::from(pg_sys::GetUserId());
        let row = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::AUTHOID as i32, caller);
        if row.is_null() {
            return false;
        }
        let may_create = (*pg_sys::GETSTRUCT(row).cast::<pg_sys::FormData_pg_authid>()).rolcreatedb;
        pg_sys::ReleaseSysCache(row);
        may_create
    }
}

fn is_template(database: pg_sys::Oid) -> bool {
    // SAFETY: as in may_create().
    unsafe {
        let row = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::DATABASEOID as i32, database.into());
        if row.is_null() {
            return false;
        }
        let is_template = (*pg_sys::GETSTRUCT(row).cast::<pg_sys::FormData_pg_database>()).datistemplate;
        pg_sys::ReleaseSysCache(row);
        is_template
    }
}
