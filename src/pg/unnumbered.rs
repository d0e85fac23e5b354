//! Sessions that write a table in transactions that have no number yet. An identity is drawn before the row is stored, and storing
//! a row is what gives a transaction its number; a snapshot tells only of transactions that have one.

use pgrx::pg_sys;

use super::version;

/// Returns those that may write rows of the table, each as of its transaction: all that hold the lock for it.
pub fn writers(table: pg_sys::Oid) -> Vec<u64> {
    // SAFETY: the tag is of a relation of this database. The list is in the current memory context and ends with an invalid entry
    // after `count` others.
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

/// Whether all that the transaction writes has a number, or it writes nothing.
fn is_numbered(session: &pg_sys::VirtualTransactionId) -> bool {
    let process = version::process_of(session);
    if process.is_null() {
        // Gone, or prepared: that has one.
        return true;
    }
    // SAFETY: an entry of the array of processes, which stays; both are read whole, and may be another transaction's by now.
    unsafe {
        let number = std::ptr::read_volatile(&raw const (*process).xid);
        let flags = std::ptr::read_volatile(&raw const (*process).statusFlags);
        number != pg_sys::InvalidTransactionId || u32::from(flags) & pg_sys::PROC_IN_VACUUM != 0
    }
}
