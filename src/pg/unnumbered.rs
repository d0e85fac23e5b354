//! Transactions that may write a table and have no transaction id yet. A row's identity is drawn before the row is stored, and storing a row is
//! what assigns the id; a snapshot knows only transactions that have one.

use pgrx::pg_sys;

use super::version;

/// Returns such transactions of a table, each as [`version::session_and_transaction`]: those that hold a lock with which rows can be written.
pub fn writers(table: pg_sys::Oid) -> Vec<u64> {
    // SAFETY: the tag is complete (SET_LOCKTAG_RELATION). The result is an array of `count` entries and a last, invalid one, in the current
    // memory context.
    unsafe {
        let tag = pg_sys::LOCKTAG {
            locktag_field1: pg_sys::MyDatabaseId.to_u32(),
            locktag_field2: table.to_u32(),
            locktag_field3: 0,
            locktag_field4: 0,
            locktag_type: pg_sys::LockTagType::LOCKTAG_RELATION as u8,
            locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
        };
        let mut count = 0;
        let found = pg_sys::GetLockConflicts(&tag, pg_sys::ShareLock as pg_sys::LOCKMODE, &mut count);
        let sessions = std::slice::from_raw_parts(found, usize::try_from(count).unwrap_or(0));
        let writers = sessions.iter().filter(|session| !is_numbered(session));
        let writers = writers.map(version::session_and_transaction).collect();
        pg_sys::pfree(found.cast());
        writers
    }
}

/// Whether the transaction has an id, or is a VACUUM's, which inserts nothing.
fn is_numbered(session: &pg_sys::VirtualTransactionId) -> bool {
    let process = version::process_of(session);
    if process.is_null() {
        // It has ended, or is prepared, and then has an id.
        return true;
    }
    // SAFETY: the entry is in shared memory that stays mapped. Each field is read at once; it may belong to the session's next transaction by now.
    unsafe {
        let number = std::ptr::read_volatile(&raw const (*process).xid);
        let flags = std::ptr::read_volatile(&raw const (*process).statusFlags);
        number != pg_sys::InvalidTransactionId || u32::from(flags) & pg_sys::PROC_IN_VACUUM != 0
    }
}
