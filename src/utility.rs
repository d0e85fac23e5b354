//! Utility statements that the worker has to know of: those that want a database for themselves, for which it makes way, and
//! COMMIT PREPARED, after which there is work although no transaction of this session wrote it.

use std::ffi::CStr;
use std::time::Duration;

use jiff::Timestamp;
use pgrx::PgList;
use pgrx::prelude::*;

use crate::wake::{Slot, Work, registry};

/// Postgres gives other sessions five seconds to leave a database.
const LONGEST_HOLD: Duration = Duration::from_secs(10);

static mut PREVIOUS: pg_sys::ProcessUtility_hook_type = None;

/// In the postmaster, for all sessions to come.
pub fn register_hook() {
    // SAFETY: called once, while libraries are preloaded; the hook before ours is called by ours.
    unsafe {
        PREVIOUS = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = Some(process_utility);
    }
}

#[pg_guard]
#[allow(
    non_snake_case,
    clippy::too_many_arguments,
    reason = "Postgres' own signature"
)]
unsafe extern "C-unwind" fn process_utility(
    statement: *mut pg_sys::PlannedStmt,
    queryString: *const std::ffi::c_char,
    #[cfg(not(feature = "pg13"))] readOnlyTree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    parameters: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: a planned utility statement has its parse tree; the arguments are passed on as they came.
    unsafe {
        let utility = Utility::of((*statement).utilityStmt);
        let _way = utility.database().map(Way::make);
        match PREVIOUS {
            Some(previous) => pg_sys::submodules::ffi::pg_guard_ffi_boundary(|| {
                previous(
                    statement,
                    queryString,
                    #[cfg(not(feature = "pg13"))]
                    readOnlyTree,
                    context,
                    parameters,
                    environment,
                    destination,
                    completion,
                );
            }),
            None => pg_sys::standard_ProcessUtility(
                statement,
                queryString,
                #[cfg(not(feature = "pg13"))]
                readOnlyTree,
                context,
                parameters,
                environment,
                destination,
                completion,
            ),
        }
        if matches!(utility, Utility::CommitPrepared)
            && let Some(registry) = registry()
        {
            registry.notify(pg_sys::MyDatabaseId, &Work::ALL);
        }
    }
}

enum Utility {
    /// Wants the database, if it exists, without other sessions.
    Exclusive(pg_sys::Oid),
    CommitPrepared,
    Other,
}

impl Utility {
    /// # Safety
    /// `node` is a statement's parse tree.
    unsafe fn of(node: *mut pg_sys::Node) -> Utility {
        // SAFETY: each cast is to the type that the node's tag names.
        unsafe {
            match (*node).type_ {
                pg_sys::NodeTag::T_TransactionStmt => {
                    let kind = (*node.cast::<pg_sys::TransactionStmt>()).kind;
                    match kind {
                        pg_sys::TransactionStmtKind::TRANS_STMT_COMMIT_PREPARED => Utility::CommitPrepared,
                        _ => Utility::Other,
                    }
                }
                pg_sys::NodeTag::T_DropdbStmt => Self::exclusive((*node.cast::<pg_sys::DropdbStmt>()).dbname),
                pg_sys::NodeTag::T_CreatedbStmt => {
                    Self::exclusive(template((*node.cast::<pg_sys::CreatedbStmt>()).options))
                }
                pg_sys::NodeTag::T_AlterDatabaseStmt => {
                    Self::exclusive((*node.cast::<pg_sys::AlterDatabaseStmt>()).dbname)
                }
                pg_sys::NodeTag::T_RenameStmt => {
                    let rename = &*node.cast::<pg_sys::RenameStmt>();
                    match rename.renameType {
                        pg_sys::ObjectType::OBJECT_DATABASE => Self::exclusive(rename.subname),
                        _ => Utility::Other,
                    }
                }
                _ => Utility::Other,
            }
        }
    }

    unsafe fn exclusive(name: *const std::ffi::c_char) -> Utility {
        if name.is_null() {
            return Utility::Other;
        }
        // SAFETY: a name from the parse tree; an unknown one gives no OID.
        Utility::Exclusive(unsafe { pg_sys::get_database_oid(name, true) })
    }

    fn database(&self) -> Option<pg_sys::Oid> {
        match self {
            Utility::Exclusive(database) if *database != pg_sys::InvalidOid => Some(*database),
            _ => None,
        }
    }
}

/// CREATE DATABASE's template, null when it names none (then it is template1, where no worker is).
///
/// # Safety
/// `options` is a list of DefElem.
unsafe fn template(options: *mut pg_sys::List) -> *const std::ffi::c_char {
    // SAFETY: by the caller's promise.
    unsafe {
        for option in PgList::<pg_sys::DefElem>::from_pg(options).iter_ptr() {
            if CStr::from_ptr((*option).defname) == c"template" && !(*option).arg.is_null() {
                return pg_sys::defGetString(option);
            }
        }
    }
    std::ptr::null()
}

/// While it lives, no worker is in the database; afterwards one may come back.
struct Way(Option<&'static Slot>);

impl Way {
    fn make(database: pg_sys::Oid) -> Way {
        let slot = registry().and_then(|registry| registry.known_slot(database));
        if let Some(slot) = slot {
            slot.hold_until(Timestamp::now().checked_add(LONGEST_HOLD).ok());
        }
        Way(slot)
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        if let (Some(slot), Some(registry)) = (self.0, registry()) {
            slot.hold_until(None);
            registry.wake_launcher();
        }
    }
}
