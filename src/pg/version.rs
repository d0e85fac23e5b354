//! Differences between major versions of PostgreSQL, each with a name.

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

/// No socket, where a socket may stand.
pub const NO_SOCKET: pg_sys::pgsocket = -1;

/// This process's place in the array of processes in shared memory.
pub fn my_process_number() -> i32 {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    // SAFETY: MyProc is set for every process that runs extension code after start-up.
    unsafe {
        (*pg_sys::MyProc).pgprocno
    }
    #[cfg(not(any(feature = "pg15", feature = "pg16")))]
    // SAFETY: a plain variable of this process.
    unsafe {
        pg_sys::MyProcNumber
    }
}

/// A running transaction as one number: its session's place, and the place of the transaction in the session.
pub fn session_and_transaction(of: &pg_sys::VirtualTransactionId) -> u64 {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    let session = of.backendId;
    #[cfg(not(any(feature = "pg15", feature = "pg16")))]
    let session = of.procNumber;
    (u64::from(session.unsigned_abs()) << 32) | u64::from(of.localTransactionId)
}

/// The process in whose session the transaction runs; null: it is gone, or the transaction is a prepared one.
pub fn process_of(transaction: &pg_sys::VirtualTransactionId) -> *mut pg_sys::PGPROC {
    // SAFETY: a look into an array of fixed size, which gives null beyond its bounds.
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

/// What pg_stat_activity says that a process of ours waits for: in class Extension, with this name where extensions can name theirs.
pub fn wait_event(name: &CStr) -> u32 {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    {
        let _ = name;
        pg_sys::PG_WAIT_EXTENSION
    }
    #[cfg(not(any(feature = "pg15", feature = "pg16")))]
    // SAFETY: Postgres copies the name; the same name gives the same event.
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
    // SAFETY: by the caller's promise. From 18 on, the name pqsignal is libpq's.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        pg_sys::pqsignal(signal, Some(handler));
        #[cfg(feature = "pg18")]
        pg_sys::pqsignal_be(signal, Some(handler));
    }
}

/// Does to this process what a cancel does to a session's statement.
///
/// # Safety
/// In a signal handler.
pub unsafe fn cancel_statement(signal: i32) {
    // SAFETY: made to be called there.
    unsafe {
        #[cfg(not(feature = "pg19"))]
        pg_sys::StatementCancelHandler(signal);
        #[cfg(feature = "pg19")]
        signals::cancel_statement(signal);
    }
}

/// Does to this process what SIGTERM does to a session.
///
/// # Safety
/// In a signal handler.
pub unsafe fn die(signal: i32) {
    // SAFETY: made to be called there.
    unsafe {
        #[cfg(not(feature = "pg19"))]
        pg_sys::die(signal);
        #[cfg(feature = "pg19")]
        signals::die(signal);
    }
}

/// A set of events that lives as long as the process.
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

/// Parse analysis of one statement without parameters.
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

/// The columns of the query's `number`th table, from 1, that it reads.
///
/// # Safety
/// `query` is an analysed query with that many tables.
pub unsafe fn selected_columns(query: *mut pg_sys::Query, number: i32) -> *mut pg_sys::Bitmapset {
    // SAFETY: by the caller's promise; from 16 on, permissions stand apart from the table's entry, which has their number.
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

/// A trigger's condition, as nodeToString writes it, with the expressions of virtual generated columns in their place: from 18 on there are
/// such columns, and no row has them.
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

/// Lets an index go of what it has kept from one entry to the next: from 17 on, BRIN keeps pages pinned.
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

/// How a page is locked to be read.
#[cfg(not(feature = "pg19"))]
pub const BUFFER_LOCK_SHARE: i32 = pg_sys::BUFFER_LOCK_SHARE as i32;
#[cfg(feature = "pg19")]
pub const BUFFER_LOCK_SHARE: pg_sys::BufferLockMode::Type = pg_sys::BufferLockMode::BUFFER_LOCK_SHARE;

/// A page of the table with room for a row of that size, locked and pinned; `map`: of the visibility map, if it is needed.
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

/// A system cache's number, as callbacks are registered by it.
#[allow(clippy::unnecessary_cast, reason = "until 18 it is not an i32")]
pub const fn cache_number(cache: pg_sys::SysCacheIdentifier::Type) -> i32 {
    cache as i32
}

/// The sequence of an identity column; an invalid OID if there is none.
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
    // SAFETY: plain questions; a database that is gone has no owner.
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
