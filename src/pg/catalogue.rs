//! What the launcher reads of the shared catalogues. It is connected to no database, so no SQL can be run.

use std::collections::HashMap;

use pgrx::prelude::*;

/// What a worker can do in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Open,
    /// A template, which copies of are made while nobody is in it, or one that takes no connections: what is due there waits.
    Closed,
    /// A DROP DATABASE was interrupted: nothing but another one is possible.
    Invalid,
}

/// What `datconnlimit` is after an interrupted DROP DATABASE.
const INVALID: i32 = -2;

/// The databases that there are. Within a transaction.
pub fn databases() -> HashMap<pg_sys::Oid, Door> {
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
            found.insert(row.oid, door(row));
        }
        pg_sys::table_endscan(scan);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as i32);
    }
    found
}

fn door(row: &pg_sys::FormData_pg_database) -> Door {
    if row.datconnlimit == INVALID {
        Door::Invalid
    } else if row.datallowconn && !row.datistemplate {
        Door::Open
    } else {
        Door::Closed
    }
}
