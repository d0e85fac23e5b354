//! Utility statements that we have to know of: those that want a database for themselves, for which the worker makes way;
//! COMMIT PREPARED, after which there is work although no transaction of this session wrote it; and DROP and ALTER EXTENSION, after
//! which there is none any more or may be some again.

use std::ffi::CStr;
use std::time::Duration;

use jiff::Timestamp;
use pgrx::PgList;
use pgrx::prelude::*;

use crate::version::{self, UtilityCall};
use crate::wake::{self, Slot, Work, registry};
use crate::{attach, installation};

/// Postgres gives other sessions five seconds to leave a database.
const LONGEST_HOLD: Duration = Duration::from_secs(10);

/// In the postmaster, for all sessions to come.
pub fn register_hook() {
    // SAFETY: called once, while libraries are preloaded.
    unsafe { version::hook_utility(process_utility) };
}

/// # Safety
/// Postgres calls the hook.
unsafe fn process_utility(call: &UtilityCall) {
    // SAFETY: a planned utility statement has its parse tree.
    unsafe {
        let utility = Utility::of((*call.statement).utilityStmt);
        let mut way = utility.database().filter(|_| utility.is_allowed()).map(Way::make);
        if matches!(utility, Utility::DropExtension) && names_ours((*call.statement).utilityStmt.cast()) {
            attach::make_way_for_drop();
        }
        call.run();
        match utility {
            Utility::CommitPrepared => {
                if let Some(registry) = registry() {
                    registry.notify(pg_sys::MyDatabaseId, &Work::ALL);
                }
            }
            // The worker finds nothing to read, and leaves; or another version, which it waited for.
            Utility::DropExtension => wake::at_commit(|work| work.configuration = true),
            Utility::AlterExtension => {
                wake::at_commit(|work| work.configuration = true);
                if is_ours((*call.statement).utilityStmt.cast()) {
                    installation::renew_grants();
                }
            }
            Utility::DropDatabase(_) => way.iter_mut().for_each(Way::keep_clear),
            Utility::Exclusive(..) | Utility::Other => {}
        }
    }
}

enum Utility {
    /// Wants the database, if it exists, without other sessions.
    Exclusive(pg_sys::Oid, Right),
    DropDatabase(pg_sys::Oid),
    CommitPrepared,
    /// Perhaps of ours: the worker looks.
    DropExtension,
    AlterExtension,
    Other,
}

impl Utility {
    /// Whether PostgreSQL will not refuse it for want of a right: what it refuses must have no effect.
    fn is_allowed(&self) -> bool {
        match self {
            Utility::DropDatabase(database) => version::owns_database(*database) && !in_transaction_block(),
            Utility::Exclusive(database, Right::Change) => version::owns_database(*database),
            Utility::Exclusive(database, Right::Rename) => version::owns_database(*database) && may_create(),
            Utility::Exclusive(database, Right::Copy) => {
                may_create()
                    && !in_transaction_block()
                    && (version::owns_database(*database) || is_template(*database))
            }
            _ => false,
        }
    }

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
                pg_sys::NodeTag::T_DropdbStmt => {
                    Utility::DropDatabase(oid_of((*node.cast::<pg_sys::DropdbStmt>()).dbname))
                }
                pg_sys::NodeTag::T_CreatedbStmt => {
                    let template = oid_of(option(
                        (*node.cast::<pg_sys::CreatedbStmt>()).options,
                        c"template",
                    ));
                    Utility::Exclusive(template, Right::Copy)
                }
                pg_sys::NodeTag::T_AlterDatabaseStmt => {
                    let alter = &*node.cast::<pg_sys::AlterDatabaseStmt>();
                    match option(alter.options, c"tablespace").is_null() {
                        true => Utility::Other,
                        false => Utility::Exclusive(oid_of(alter.dbname), Right::Change),
                    }
                }
                pg_sys::NodeTag::T_RenameStmt => {
                    let rename = &*node.cast::<pg_sys::RenameStmt>();
                    match rename.renameType {
                        pg_sys::ObjectType::OBJECT_DATABASE => {
                            Utility::Exclusive(oid_of(rename.subname), Right::Rename)
                        }
                        _ => Utility::Other,
                    }
                }
                pg_sys::NodeTag::T_AlterExtensionStmt => Utility::AlterExtension,
                pg_sys::NodeTag::T_DropStmt => match (*node.cast::<pg_sys::DropStmt>()).removeType {
                    pg_sys::ObjectType::OBJECT_EXTENSION => Utility::DropExtension,
                    _ => Utility::Other,
                },
                _ => Utility::Other,
            }
        }
    }

    fn database(&self) -> Option<pg_sys::Oid> {
        match self {
            Utility::Exclusive(database, _) | Utility::DropDatabase(database)
                if *database != pg_sys::InvalidOid =>
            {
                Some(*database)
            }
            _ => None,
        }
    }
}

/// What PostgreSQL asks for before it wants a database for itself.
enum Right {
    /// Its owner's.
    Change,
    /// Its owner's, who may create databases.
    Rename,
    /// That of who may create databases: its owner's, unless it is a template.
    Copy,
}

/// Where neither DROP nor CREATE DATABASE may run.
fn in_transaction_block() -> bool {
    // SAFETY: a plain read of this process's transaction.
    unsafe { pg_sys::IsTransactionBlock() || pg_sys::IsSubTransaction() }
}

/// Whether everybody who may create databases may copy it.
fn is_template(database: pg_sys::Oid) -> bool {
    // SAFETY: a catalogue look-up; the row is read before it is released.
    unsafe {
        let id = pg_sys::SysCacheIdentifier::DATABASEOID;
        let tuple = pg_sys::SearchSysCache1(id as _, pg_sys::Datum::from(database));
        if tuple.is_null() {
            return false;
        }
        let template = (*pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_database>(tuple)).datistemplate;
        pg_sys::ReleaseSysCache(tuple);
        template
    }
}

/// Whether the role may create databases.
fn may_create() -> bool {
    // SAFETY: a catalogue look-up of the role that runs.
    unsafe { pg_sys::have_createdb_privilege() }
}

/// InvalidOid for null, and for what is no database.
///
/// # Safety
/// `name` is null or a name from the parse tree.
unsafe fn oid_of(name: *const std::ffi::c_char) -> pg_sys::Oid {
    if name.is_null() {
        return pg_sys::InvalidOid;
    }
    // SAFETY: by the caller's promise; an unknown name gives no OID.
    unsafe { pg_sys::get_database_oid(name, true) }
}

/// Whether a DROP EXTENSION is of ours.
///
/// # Safety
/// `statement` is a parse tree of its type.
unsafe fn names_ours(statement: *const pg_sys::DropStmt) -> bool {
    // SAFETY: by the caller's promise; each of its objects is the name of an extension.
    unsafe {
        PgList::<pg_sys::String>::from_pg((*statement).objects)
            .iter_ptr()
            .any(|name| CStr::from_ptr((*name).sval) == c"zentry_notify")
    }
}

/// # Safety
/// `statement` is a parse tree of its type.
unsafe fn is_ours(statement: *const pg_sys::AlterExtensionStmt) -> bool {
    // SAFETY: by the caller's promise; the statement names its extension.
    unsafe { CStr::from_ptr((*statement).extname) == c"zentry_notify" }
}

/// What the option says, null when it is not given. (Without a template it is template1, where no worker is.)
///
/// # Safety
/// `options` is a list of DefElem.
unsafe fn option(options: *mut pg_sys::List, name: &CStr) -> *const std::ffi::c_char {
    // SAFETY: by the caller's promise.
    unsafe {
        for option in PgList::<pg_sys::DefElem>::from_pg(options).iter_ptr() {
            if CStr::from_ptr((*option).defname) == name && !(*option).arg.is_null() {
                return pg_sys::defGetString(option);
            }
        }
    }
    std::ptr::null()
}

/// While it lives, no worker is in the database; afterwards one may come back.
struct Way {
    slot: Option<&'static Slot>,
    keep_clear: bool,
}

impl Way {
    fn make(database: pg_sys::Oid) -> Way {
        let slot = registry().and_then(|registry| registry.known_slot(database));
        if let Some(slot) = slot {
            slot.hold_until(Timestamp::now().checked_add(LONGEST_HOLD).ok());
        }
        Way {
            slot,
            keep_clear: false,
        }
    }

    /// The database goes with the transaction's commit, which is yet to come: nobody must look for it in between.
    fn keep_clear(&mut self) {
        self.keep_clear = true;
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        if let (Some(slot), Some(registry)) = (self.slot, registry()) {
            if !self.keep_clear {
                slot.hold_until(None);
            }
            registry.wake_launcher();
        }
    }
}
