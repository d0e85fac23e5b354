//! The differences between major versions of PostgreSQL, each behind one function or type.

mod background_worker;
mod planned_relation;
mod shared_memory;
#[cfg(feature = "pg19")]
mod signals;
mod utility_hook;

use std::ffi::{CStr, CString};

use pgrx::pg_sys;

use crate::relation::OpenRelation;

pub use self::background_worker::{StartedWorker, start_worker};
pub use self::planned_relation::hook_planned_relation;
pub use self::shared_memory::{share, shared};
#[cfg(feature = "pg19")]
pub use self::signals::set_signal_handler;
pub use self::utility_hook::{UtilityCall, hook_utility};

/// `PGINVALID_SOCKET`.
pub const NO_SOCKET: pg_sys::pgsocket = -1;

/// Returns this process's index in the server's array of processes.
pub fn my_process_number() -> i32 {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    // SAFETY: MyProc is set in every process that is attached to shared memory, which all callers are.
    unsafe {
        (*pg_sys::MyProc).pgprocno
    }
    #[cfg(not(any(feature = "pg15", feature = "pg16")))]
    // SAFETY: a plain variable of this process.
    unsafe {
        pg_sys::MyProcNumber
    }
}

/// Returns a running transaction as one number: the session's in the upper half, the transaction's within the session (`LocalTransactionId`) in
/// the lower.
pub fn session_and_transaction(of: &pg_sys::VirtualTransactionId) -> u64 {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    let session = of.backendId;
    #[cfg(not(any(feature = "pg15", feature = "pg16")))]
    let session = of.procNumber;
    (u64::from(session.unsigned_abs()) << 32) | u64::from(of.localTransactionId)
}

/// Returns the process in whose session the transaction runs; null: the process has ended, or the transaction is prepared.
pub fn process_of(transaction: &pg_sys::VirtualTransactionId) -> *mut pg_sys::PGPROC {
    // SAFETY: a look-up in an array of fixed size, which returns null for a number beyond its bounds.
    unsafe {
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        {
            pg_sys::BackendIdGetProc(transaction.backendId)
        }
        #[cfg(not(any(feature = "pg15", feature = "pg16")))]
        {
            pg_sys::ProcNumberGetProc(transaction.procNumber)
        }
    }
}

/// Returns the wait event of class Extension with this name, for pg_stat_activity; until 16, extensions cannot name theirs.
pub fn wait_event(name: &CStr) -> u32 {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    {
        let _ = name;
        pg_sys::PG_WAIT_EXTENSION
    }
    #[cfg(not(any(feature = "pg15", feature = "pg16")))]
    // SAFETY: PostgreSQL copies the name; the same name gives the same event.
    unsafe {
        pg_sys::WaitEventExtensionNew(name.as_ptr())
    }
}

/// Has `handler` called in this process for the signal.
///
/// # Safety
/// The handler does only what a signal handler may, and does not unwind.
#[cfg(not(feature = "pg19"))]
pub unsafe fn set_signal_handler(signal: i32, handler: unsafe extern "C-unwind" fn(i32)) {
    // SAFETY: by the caller's promise. From 18 on, the symbol pqsignal is libpq's, and the server's is pqsignal_be.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        pg_sys::pqsignal(signal, Some(handler));
        #[cfg(feature = "pg18")]
        pg_sys::pqsignal_be(signal, Some(handler));
    }
}

/// Requests the cancel of the current statement, as SIGINT does in a session.
///
/// # Safety
/// Called in a signal handler.
pub unsafe fn cancel_statement(signal: i32) {
    // SAFETY: by the caller's promise: this is PostgreSQL's own handler.
    unsafe {
        #[cfg(not(feature = "pg19"))]
        pg_sys::StatementCancelHandler(signal);
        #[cfg(feature = "pg19")]
        signals::cancel_statement(signal);
    }
}

/// Requests the end of this process, as SIGTERM does in a session.
///
/// # Safety
/// Called in a signal handler.
pub unsafe fn die(signal: i32) {
    // SAFETY: by the caller's promise: this is PostgreSQL's own handler.
    unsafe {
        #[cfg(not(feature = "pg19"))]
        pg_sys::die(signal);
        #[cfg(feature = "pg19")]
        signals::die(signal);
    }
}

/// Returns a set for `events` wait events that lives as long as the process.
pub fn create_wait_event_set(events: i32) -> *mut pg_sys::WaitEventSet {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    // SAFETY: TopMemoryContext is never reset.
    unsafe {
        pg_sys::CreateWaitEventSet(pg_sys::TopMemoryContext, events)
    }
    #[cfg(not(any(feature = "pg15", feature = "pg16")))]
    // SAFETY: without a resource owner the set is kept until the process ends.
    unsafe {
        pg_sys::CreateWaitEventSet(std::ptr::null_mut(), events)
    }
}

/// Analyses a statement without parameters.
///
/// # Safety
/// `statement` is a raw statement that was parsed from `text`.
pub unsafe fn analyse(statement: *mut pg_sys::RawStmt, text: &CStr) -> *mut pg_sys::Query {
    // SAFETY: by the caller's promise.
    unsafe {
        pg_sys::parse_analyze_fixedparams(
            statement,
            text.as_ptr(),
            std::ptr::null(),
            0,
            std::ptr::null_mut(),
        )
    }
}

/// Returns the columns that the query reads of its `number`th table, counted from 1, each as `attnum` less `FirstLowInvalidHeapAttributeNumber`.
///
/// # Safety
/// `query` is an analysed query with that many tables.
pub unsafe fn selected_columns(query: *mut pg_sys::Query, number: i32) -> *mut pg_sys::Bitmapset {
    // SAFETY: by the caller's promise. From 16 on, the columns are in a RTEPermissionInfo, whose number the table's entry has.
    unsafe {
        let entry = pg_sys::list_nth((*query).rtable, number - 1).cast::<pg_sys::RangeTblEntry>();
        #[cfg(feature = "pg15")]
        {
            (*entry).selectedCols
        }
        #[cfg(not(feature = "pg15"))]
        {
            let permissions = pg_sys::list_nth((*query).rteperminfos, (*entry).perminfoindex as i32 - 1);
            (*permissions.cast::<pg_sys::RTEPermissionInfo>()).selectedCols
        }
    }
}

/// Returns a trigger's condition, in the format of nodeToString, with virtual generated columns replaced by their expressions: there are such
/// columns from 18 on, and their values are not stored.
///
/// # Safety
/// `relation` is open, and the condition one of its triggers'.
pub unsafe fn with_virtual_columns(condition: &CStr, relation: *const pg_sys::RelationData) -> CString {
    #[cfg(any(feature = "pg15", feature = "pg16", feature = "pg17"))]
    {
        let _ = relation;
        condition.to_owned()
    }
    #[cfg(not(any(feature = "pg15", feature = "pg16", feature = "pg17")))]
    // SAFETY: by the caller's promise; the text is copied.
    unsafe {
        let relation = relation.cast_mut();
        let mut tree = pg_sys::stringToNode(condition.as_ptr()).cast::<pg_sys::Node>();
        for row in [pg_sys::PRS2_OLD_VARNO, pg_sys::PRS2_NEW_VARNO] {
            tree = pg_sys::expand_generated_columns_in_expr(tree, relation, row as i32);
        }
        CStr::from_ptr(pg_sys::nodeToString(tree.cast())).to_owned()
    }
}

/// Releases what an index has kept between insertions: from 17 on, BRIN keeps pages pinned.
///
/// # Safety
/// Entries were put into the index with this information, and no more will be.
pub unsafe fn end_index_inserts(index: &OpenRelation, information: *mut pg_sys::IndexInfo) {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    {
        let _ = (index, information);
    }
    #[cfg(not(any(feature = "pg15", feature = "pg16")))]
    // SAFETY: by the caller's promise.
    unsafe {
        pg_sys::index_insert_cleanup(index.as_ptr(), information);
    }
}

/// The lock mode of a page that is read.
#[cfg(not(feature = "pg19"))]
pub const BUFFER_LOCK_SHARE: i32 = pg_sys::BUFFER_LOCK_SHARE as i32;
#[cfg(feature = "pg19")]
pub const BUFFER_LOCK_SHARE: pg_sys::BufferLockMode::Type = pg_sys::BufferLockMode::BUFFER_LOCK_SHARE;

/// Returns a page of the table with room for a row of `size` bytes, locked and pinned. `map` is set to the pinned page of the visibility map, if
/// that is needed.
///
/// # Safety
/// The relation is an ordinary table, locked for writing.
pub unsafe fn page_for_row(relation: &OpenRelation, size: usize, map: &mut pg_sys::Buffer) -> pg_sys::Buffer {
    let none = pg_sys::InvalidBuffer as pg_sys::Buffer;
    let (bulk, other) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: by the caller's promise; as heap_insert calls it.
    unsafe {
        #[cfg(feature = "pg15")]
        {
            pg_sys::RelationGetBufferForTuple(relation.as_ptr(), size, none, 0, bulk, map, other)
        }
        #[cfg(not(feature = "pg15"))]
        {
            pg_sys::RelationGetBufferForTuple(relation.as_ptr(), size, none, 0, bulk, map, other, 0)
        }
    }
}

/// Returns the number of a system cache, for the registration of callbacks.
#[allow(clippy::unnecessary_cast, reason = "it is an i32 in some versions only")]
pub const fn cache_number(cache: pg_sys::SysCacheIdentifier::Type) -> i32 {
    cache as i32
}

/// Returns the sequence of an identity column; an invalid OID if there is none.
pub fn identity_sequence(table: &OpenRelation, attribute: i16) -> pg_sys::Oid {
    // SAFETY: the relation is open.
    unsafe {
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        {
            pg_sys::getIdentitySequence((*table.as_ptr()).rd_id, attribute, true)
        }
        #[cfg(not(any(feature = "pg15", feature = "pg16")))]
        {
            pg_sys::getIdentitySequence(table.as_ptr(), attribute, true)
        }
    }
}

/// Whether this user owns the database, or is a superuser.
pub fn owns_database(database: pg_sys::Oid) -> bool {
    // SAFETY: catalogue look-ups. The callers have just found the database; if it was dropped since, an error is raised.
    unsafe {
        #[cfg(feature = "pg15")]
        {
            pg_sys::pg_database_ownercheck(database, pg_sys::GetUserId())
        }
        #[cfg(not(feature = "pg15"))]
        {
            pg_sys::object_ownercheck(pg_sys::DatabaseRelationId, database, pg_sys::GetUserId())
        }
    }
}
