//! Statements about databases: for those that want one for themselves the worker makes way, and after those that may let a worker in,
//! or give it other settings, the launcher looks again.
//!
//! Nothing happens for a statement that PostgreSQL is going to refuse.

use std::ffi::CStr;
use std::time::Duration;

use jiff::Timestamp;
use pgrx::PgList;
use pgrx::prelude::*;

use super::version;
use crate::wake::{self, Slot, registry};

/// Postgres gives other sessions five seconds to leave a database.
const LONGEST_HOLD: Duration = Duration::from_secs(10);
/// How long DROP DATABASE ... WITH (FORCE) waits for the worker: it has two seconds for answers in flight.
const PATIENCE: Duration = Duration::from_secs(4);
/// Settings that the worker heeds.
const OURS: &[u8] = b"zentry_notify.";

/// What a statement about databases does to us.
pub struct DatabaseStatement {
    /// The database is wanted without other sessions.
    hold: Option<Hold>,
    afterwards: Afterwards,
}

enum Afterwards {
    Nothing,
    /// The database goes with the transaction's commit, which is yet to come: nobody must look for it in between.
    KeepClear,
    /// One may be open that was not.
    LookAtDoors,
    /// Settings are other ones, of this database or of all.
    LookAtSettings(Option<pg_sys::Oid>),
}

impl DatabaseStatement {
    /// Makes way, where that is needed. None: the statement is about something else, or will be refused.
    ///
    /// # Safety
    /// `node` is a utility statement's parse tree.
    pub unsafe fn before(node: *mut pg_sys::Node) -> Option<DatabaseStatement> {
        // SAFETY: each cast is to the type that the node's tag names.
        unsafe {
            match (*node).type_ {
                pg_sys::NodeTag::T_DropdbStmt => Self::drop(&*node.cast()),
                pg_sys::NodeTag::T_CreatedbStmt => Self::create(&*node.cast()),
                pg_sys::NodeTag::T_AlterDatabaseStmt => Self::alter(&*node.cast()),
                pg_sys::NodeTag::T_RenameStmt => Self::rename(&*node.cast()),
                pg_sys::NodeTag::T_AlterDatabaseSetStmt => Self::set_of_database(&*node.cast()),
                pg_sys::NodeTag::T_AlterRoleSetStmt => Self::set_of_role(&*node.cast()),
                _ => None,
            }
        }
    }

    /// It was done.
    pub fn after(mut self) {
        match self.afterwards {
            Afterwards::Nothing => {}
            Afterwards::KeepClear => self.hold.iter_mut().for_each(Hold::keep_clear),
            Afterwards::LookAtDoors => wake::databases_change_at_commit(),
            Afterwards::LookAtSettings(database) => wake::settings_change_at_commit(database),
        }
    }

    unsafe fn drop(statement: &pg_sys::DropdbStmt) -> Option<Self> {
        // SAFETY: parts of the parse tree.
        let (database, force) =
            unsafe { (oid_of(statement.dbname)?, has_option(statement.options, c"force")) };
        let hold = may_be_alone_in(database).then(|| Hold::make(database))?;
        if force && let Some(slot) = hold.slot {
            // A superuser's process, as the worker is, is not ended for an owner who is none: it has to be gone.
            wait_until_left(slot);
        }
        Some(Self {
            hold: Some(hold),
            afterwards: Afterwards::KeepClear,
        })
    }

    unsafe fn create(statement: &pg_sys::CreatedbStmt) -> Option<Self> {
        // SAFETY: parts of the parse tree. A statement without a template copies template1, where no worker is.
        let database = unsafe { oid_of(text_option(statement.options, c"template"))? };
        let may_copy = may_create() && (version::owns_database(database) || is_template(database));
        (may_copy && !is_in_block()).then(|| Self {
            hold: Some(Hold::make(database)),
            afterwards: Afterwards::Nothing,
        })
    }

    unsafe fn alter(statement: &pg_sys::AlterDatabaseStmt) -> Option<Self> {
        // SAFETY: parts of the parse tree.
        let (database, moves) = unsafe {
            (
                oid_of(statement.dbname)?,
                has_option(statement.options, c"tablespace"),
            )
        };
        if moves {
            return may_be_alone_in(database).then(|| Self {
                hold: Some(Hold::make(database)),
                afterwards: Afterwards::Nothing,
            });
        }
        Some(Self {
            hold: None,
            afterwards: Afterwards::LookAtDoors,
        })
    }

    unsafe fn rename(statement: &pg_sys::RenameStmt) -> Option<Self> {
        if statement.renameType != pg_sys::ObjectType::OBJECT_DATABASE {
            return None;
        }
        // SAFETY: parts of the parse tree.
        let database = unsafe { oid_of(statement.subname)? };
        let may = version::owns_database(database) && may_create() && database != own();
        may.then(|| Self {
            hold: Some(Hold::make(database)),
            afterwards: Afterwards::Nothing,
        })
    }

    unsafe fn set_of_database(statement: &pg_sys::AlterDatabaseSetStmt) -> Option<Self> {
        // SAFETY: parts of the parse tree.
        let (database, ours) = unsafe { (oid_of(statement.dbname)?, is_ours(statement.setstmt)) };
        ours.then_some(Self {
            hold: None,
            afterwards: Afterwards::LookAtSettings(Some(database)),
        })
    }

    /// Of the role that the worker is, or of all roles.
    unsafe fn set_of_role(statement: &pg_sys::AlterRoleSetStmt) -> Option<Self> {
        // SAFETY: parts of the parse tree; a statement without a role is about all of them.
        let (database, ours, of_worker) = unsafe {
            let of_worker =
                statement.role.is_null() || pg_sys::get_rolespec_oid(statement.role, true) == WORKER;
            (oid_of(statement.database), is_ours(statement.setstmt), of_worker)
        };
        (ours && of_worker).then_some(Self {
            hold: None,
            afterwards: Afterwards::LookAtSettings(database),
        })
    }
}

/// The role that a background worker without a name is.
const WORKER: pg_sys::Oid = pg_sys::Oid::from_u32(10);

fn own() -> pg_sys::Oid {
    // SAFETY: a plain variable of this process.
    unsafe { pg_sys::MyDatabaseId }
}

fn is_in_block() -> bool {
    // SAFETY: a plain question about this process.
    unsafe { pg_sys::IsTransactionBlock() || pg_sys::IsSubTransaction() }
}

/// Whether PostgreSQL lets this user drop or move the database, which it does outside of transaction blocks and of the database alone.
fn may_be_alone_in(database: pg_sys::Oid) -> bool {
    version::owns_database(database) && database != own() && !is_in_block()
}

fn may_create() -> bool {
    // SAFETY: a look into the catalogue; the row is pinned until it is released, and its fixed columns are all that is read. (PostgreSQL's
    // own have_createdb_privilege is not exported by every minor version of 15.)
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
    // SAFETY: a row of the cache, whose fixed columns are there; released after the look.
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

/// # Safety
/// `statement` is null or a SET or RESET within another statement.
unsafe fn is_ours(statement: *const pg_sys::VariableSetStmt) -> bool {
    // SAFETY: by the caller's promise; RESET ALL has no name.
    unsafe {
        !statement.is_null()
            && ((*statement).name.is_null()
                || CStr::from_ptr((*statement).name)
                    .to_bytes()
                    .get(..OURS.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(OURS)))
    }
}

/// None for null, and for what is no database.
///
/// # Safety
/// `name` is null or a name from the parse tree.
unsafe fn oid_of(name: *const std::ffi::c_char) -> Option<pg_sys::Oid> {
    if name.is_null() {
        return None;
    }
    // SAFETY: by the caller's promise; an unknown name gives no OID.
    let database = unsafe { pg_sys::get_database_oid(name, true) };
    (database != pg_sys::InvalidOid).then_some(database)
}

/// # Safety
/// `options` is a list of DefElem.
unsafe fn option(options: *mut pg_sys::List, name: &CStr) -> Option<*mut pg_sys::DefElem> {
    // SAFETY: by the caller's promise.
    let mut all = unsafe { PgList::<pg_sys::DefElem>::from_pg(options) }
        .iter_ptr()
        .collect::<Vec<_>>()
        .into_iter();
    // SAFETY: as above.
    all.find(|option| unsafe { CStr::from_ptr((**option).defname) } == name)
}

/// # Safety
/// `options` is a list of DefElem.
unsafe fn has_option(options: *mut pg_sys::List, name: &CStr) -> bool {
    // SAFETY: by the caller's promise.
    unsafe { option(options, name) }.is_some()
}

/// Null when it is not there.
///
/// # Safety
/// `options` is a list of DefElem.
unsafe fn text_option(options: *mut pg_sys::List, name: &CStr) -> *const std::ffi::c_char {
    // SAFETY: by the caller's promise.
    match unsafe { option(options, name) } {
        // SAFETY: as above; an option without an argument has no text.
        Some(option) if !unsafe { (*option).arg }.is_null() => unsafe { pg_sys::defGetString(option) },
        _ => std::ptr::null(),
    }
}

fn wait_until_left(slot: &Slot) {
    if let Some(occupant) = slot.occupant() {
        occupant.wait_until_gone(PATIENCE);
    }
}

/// While it lives, no worker is in the database; afterwards one may come back.
struct Hold {
    slot: Option<&'static Slot>,
    keep_clear: bool,
}

impl Hold {
    fn make(database: pg_sys::Oid) -> Hold {
        let slot = registry().and_then(|registry| registry.known_slot(database));
        if let Some(slot) = slot {
            slot.hold_until(Timestamp::now().checked_add(LONGEST_HOLD).ok());
        }
        Hold {
            slot,
            keep_clear: false,
        }
    }

    fn keep_clear(&mut self) {
        self.keep_clear = true;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let (Some(slot), Some(registry)) = (self.slot, registry()) {
            if !self.keep_clear {
                slot.hold_until(None);
            }
            registry.wake_launcher();
        }
    }
}
