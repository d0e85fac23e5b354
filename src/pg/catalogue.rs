//! What the launcher reads of the shared catalogues. It is connected to no database, so no SQL can be run.

use std::collections::HashMap;

use pgrx::prelude::*;

/// Whether a worker may connect to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Open,
    /// No: it is a template, which is copied while no process is in it, or it allows no connections. What is due there waits.
    Closed,
    /// Never again: a DROP DATABASE was interrupted, and only another one is possible.
    Invalid,
}

/// What `datconnlimit` is after an interrupted DROP DATABASE.
const INVALID: i32 = -2;

/// Returns the databases that exist. It is called within a transaction.
pub fn databases() -> HashMap<pg_sys::Oid, Access> {
    let mut found = HashMap::new();
    // SAFETY: pg_database is shared and readable without a database, and its fixed columns, the only ones read, are in every
    // row; as Postgres' own autovacuum launcher does it.
    unsafe {
        let relation = pg_sys::table_open(pg_sys::DatabaseRelationId, pg_sys::AccessShareLock as i32);
        let scan = pg_sys::table_beginscan_catalog(relation, 0, std::ptr::null_mut());
        loop {
            let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
            if tuple.is_null() {
                break;
            }
            let row = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>();
            found.insert(row.oid, access(row));
        }
        pg_sys::table_endscan(scan);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as i32);
    }
    found
}

fn access(row: &pg_sys::FormData_pg_database) -> Access {
    if row.datconnlimit == INVALID {
        Access::Invalid
    } else if row.datallowconn && !row.datistemplate {
        Access::Open
    } else {
        Access::Closed
    }
}
