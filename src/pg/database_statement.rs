//! Statements about databases. The worker leaves a database for a statement that allows no other session in it; the launcher looks again after one
//! that may open a database or change the worker's settings.
//!
//! A statement that PostgreSQL is going to refuse has no effect.

use std::ffi::CStr;
use std::time::Duration;

use jiff::Timestamp;
use pgrx::PgList;
use pgrx::prelude::*;

use super::version;
use crate::wake::{self, Slot, registry};

/// The longest time for which a statement keeps the worker out; PostgreSQL itself waits five seconds for other sessions to leave
/// (`CountOtherDBBackends`).
const LONGEST_HOLD: Duration = Duration::from_secs(10);
/// The longest time for which DROP DATABASE ... WITH (FORCE) waits for the worker, which itself waits two seconds for answers in flight.
const PATIENCE: Duration = Duration::from_secs(4);
/// The prefix of the settings that the worker reads.
const OURS: &[u8] = b"zentry_notify.";

/// A statement about databases that concerns the worker or the launcher.
pub struct DatabaseStatement {
    /// The database that no other session may be in.
    hold: Option<Hold>,
    afterwards: Afterwards,
}

/// What the launcher has to do after the statement.
enum Afterwards {
    Nothing,
    /// The database disappears when the transaction commits, after the statement: the launcher must not start a worker in between.
    KeepClear,
    /// A database may accept connections now that did not.
    LookAtAccess,
    /// The settings of this database have changed, or those of all.
    LookAtSettings(Option<pg_sys::Oid>),
}

impl DatabaseStatement {
    /// Has the worker leave, if the statement needs that. None: the statement does not concern us, or PostgreSQL will refuse it.
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

    /// Does what is left to do when the statement has succeeded.
    pub fn after(mut self) {
        match self.afterwards {
            Afterwards::Nothing => {}
            Afterwards::KeepClear => self.hold.iter_mut().for_each(Hold::keep_clear),
            Afterwards::LookAtAccess => wake::databases_change_at_commit(),
            Afterwards::LookAtSettings(database) => wake::settings_change_at_commit(database),
        }
    }

    unsafe fn drop(statement: &pg_sys::DropdbStmt) -> Option<Self> {
        // SAFETY: parts of the parse tree.
        let (database, force) =
            unsafe { (oid_of(statement.dbname)?, has_option(statement.options, c"force")) };
        let hold = may_be_alone_in(database).then(|| Hold::make(database))?;
        if force && let Some(slot) = hold.slot {
            // FORCE cannot terminate the worker, a superuser's process, for an owner who is no superuser: it has to be gone before.
            wait_until_left(slot);
        }
        Some(Self {
            hold: Some(hold),
            afterwards: Afterwards::KeepClear,
        })
    }

    unsafe fn create(statement: &pg_sys::CreatedbStmt) -> Option<Self> {
        // SAFETY: parts of the parse tree.
        let named = unsafe { text_option(statement.options, c"template") };
        let template = if named.is_null() {
            c"template1".as_ptr()
        } else {
            named
        };
        // SAFETY: a name from the parse tree, or a constant.
        let database = unsafe { oid_of(template)? };
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
            afterwards: Afterwards::LookAtAccess,
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

    /// A change of the settings of the role that the worker runs as, or of all roles.
    unsafe fn set_of_role(statement: &pg_sys::AlterRoleSetStmt) -> Option<Self> {
        // SAFETY: parts of the parse tree; the role is null in ALTER ROLE ALL.
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

/// The role of a background worker that names none: the bootstrap superuser (`BOOTSTRAP_SUPERUSERID`).
const WORKER: pg_sys::Oid = pg_sys::Oid::from_u32(10);

fn own() -> pg_sys::Oid {
    // SAFETY: a plain variable of this process.
    unsafe { pg_sys::MyDatabaseId }
}

fn is_in_block() -> bool {
    // SAFETY: both read this process's transaction state.
    unsafe { pg_sys::IsTransactionBlock() || pg_sys::IsSubTransaction() }
}

/// Whether PostgreSQL lets this user drop or move the database: the user owns it, is connected to another one, and is in no transaction block.
fn may_be_alone_in(database: pg_sys::Oid) -> bool {
    version::owns_database(database) && database != own() && !is_in_block()
}

/// Whether this user may create databases. (PostgreSQL's own have_createdb_privilege is not exported by every minor version of 15.)
fn may_create() -> bool {
    // SAFETY: a catalogue look-up; the row is pinned until it is released, and only a fixed column of it is read.
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
    // SAFETY: as in may_create().
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

/// Whether a SET or RESET is of a setting of ours, or of all settings.
///
/// # Safety
/// `statement` is null or the SET or RESET of another statement.
unsafe fn is_ours(statement: *const pg_sys::VariableSetStmt) -> bool {
    // SAFETY: by the caller's promise; the name is null in RESET ALL.
    unsafe {
        !statement.is_null()
            && ((*statement).name.is_null()
                || CStr::from_ptr((*statement).name)
                    .to_bytes()
                    .get(..OURS.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(OURS)))
    }
}

/// Returns the database of that name; None if the name is null or unknown.
///
/// # Safety
/// `name` is null or a name from the parse tree.
unsafe fn oid_of(name: *const std::ffi::c_char) -> Option<pg_sys::Oid> {
    if name.is_null() {
        return None;
    }
    // SAFETY: by the caller's promise; with missing_ok, an unknown name gives an invalid OID.
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

/// Returns an option's text; null if the option is not given.
///
/// # Safety
/// `options` is a list of DefElem.
unsafe fn text_option(options: *mut pg_sys::List, name: &CStr) -> *const std::ffi::c_char {
    // SAFETY: by the caller's promise.
    match unsafe { option(options, name) } {
        // SAFETY: as above; the option has an argument.
        Some(option) if !unsafe { (*option).arg }.is_null() => unsafe { pg_sys::defGetString(option) },
        _ => std::ptr::null(),
    }
}

fn wait_until_left(slot: &Slot) {
    if let Some(occupant) = slot.occupant() {
        occupant.wait_until_gone(PATIENCE);
    }
}

/// While it lives, the launcher starts no worker in the database, and a worker that is there leaves.
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
