//! What the launcher reads from the shared catalogues. It is connected to no database, so it cannot run SQL.

use std::collections::HashMap;

use pgrx::prelude::*;

/// Whether a worker may connect to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Open,
    /// It is a template, which can be copied only while no process is connected to it, or it allows no connections. Its work waits.
    Closed,
    /// A DROP DATABASE was interrupted: the database can only be dropped again.
    Invalid,
}

/// The value of `datconnlimit` after an interrupted DROP DATABASE (`DATCONNLIMIT_INVALID_DB`).
const INVALID: i32 = -2;

/// Returns all databases. It is called within a transaction.
pub fn databases() -> HashMap<pg_sys::Oid, Access> {
    let mut found = HashMap::new();
    // SAFETY: pg_database can be read without a connection to a database, as the autovacuum launcher does (get_database_list). Only fixed
    // columns are read, which every row has.
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
