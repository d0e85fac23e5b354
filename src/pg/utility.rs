//! Utility statements, as they pass PostgreSQL's hook.

use std::ffi::{CStr, CString, c_char};

use pgrx::PgList;
use pgrx::prelude::*;

use super::version;
pub use super::version::UtilityCall;

/// A utility statement that may concern the extension.
pub enum Statement {
    CommitPrepared,
    /// DROP EXTENSION, with the names.
    DropExtension(Vec<CString>),
    /// ALTER EXTENSION ... UPDATE, with the name.
    UpdateExtension(CString),
    /// ALTER SCHEMA ... RENAME, with the old name.
    RenameSchema(CString),
    /// DROP DATABASE.
    DropDatabase {
        database: pg_sys::Oid,
        force: bool,
    },
    /// CREATE DATABASE, with the database that is copied.
    CreateDatabase {
        template: pg_sys::Oid,
    },
    /// ALTER DATABASE ... SET TABLESPACE.
    MoveDatabase(pg_sys::Oid),
    /// ALTER DATABASE ... RENAME.
    RenameDatabase(pg_sys::Oid),
    /// ALTER DATABASE with options, such as ALLOW_CONNECTIONS.
    AlterDatabase,
    /// ALTER DATABASE ... SET or RESET.
    SetOfDatabase {
        database: pg_sys::Oid,
        setting: Setting,
    },
    /// ALTER ROLE ... SET or RESET.
    SetOfRole {
        /// None: all roles.
        role: Option<pg_sys::Oid>,
        /// None: all databases.
        database: Option<pg_sys::Oid>,
        setting: Setting,
    },
}

/// What a SET or RESET changes.
pub enum Setting {
    All,
    Named(CString),
}

/// Has `handler` called for every utility statement of the sessions to come, which it has to [run](UtilityCall::run). Called once, while libraries
/// are preloaded.
pub fn register_hook(handler: fn(UtilityCall)) {
    // SAFETY: _PG_init calls this once, while libraries are preloaded.
    unsafe { version::hook_utility(handler) };
}

impl Statement {
    /// Returns the statement of a call. None: it is of another kind, or names a database or a role that does not exist, so that PostgreSQL refuses it.
    pub fn of(call: &UtilityCall) -> Option<Statement> {
        let node = call.node();
        // SAFETY: the parse tree of a statement that is about to run; each cast is to the type that the node's tag names.
        unsafe {
            match (*node).type_ {
                pg_sys::NodeTag::T_TransactionStmt => {
                    let kind = (*node.cast::<pg_sys::TransactionStmt>()).kind;
                    (kind == pg_sys::TransactionStmtKind::TRANS_STMT_COMMIT_PREPARED)
                        .then_some(Statement::CommitPrepared)
                }
                pg_sys::NodeTag::T_DropStmt => drop_extension(&*node.cast()),
                pg_sys::NodeTag::T_AlterExtensionStmt => {
                    let name = (*node.cast::<pg_sys::AlterExtensionStmt>()).extname;
                    Some(Statement::UpdateExtension(owned(name)))
                }
                pg_sys::NodeTag::T_RenameStmt => rename(&*node.cast()),
                pg_sys::NodeTag::T_DropdbStmt => drop_database(&*node.cast()),
                pg_sys::NodeTag::T_CreatedbStmt => create_database(&*node.cast()),
                pg_sys::NodeTag::T_AlterDatabaseStmt => alter_database(&*node.cast()),
                pg_sys::NodeTag::T_AlterDatabaseSetStmt => set_of_database(&*node.cast()),
                pg_sys::NodeTag::T_AlterRoleSetStmt => set_of_role(&*node.cast()),
                _ => None,
            }
        }
    }
}

// Each of the following takes a part of a parse tree whose strings and lists are null or valid, as the parser makes them.

unsafe fn drop_extension(statement: &pg_sys::DropStmt) -> Option<Statement> {
    if statement.removeType != pg_sys::ObjectType::OBJECT_EXTENSION {
        return None;
    }
    // SAFETY: the objects of a DROP EXTENSION are String nodes, the names.
    let names = unsafe { PgList::<pg_sys::String>::from_pg(statement.objects) };
    // SAFETY: as above.
    let names = names.iter_ptr().map(|name| unsafe { owned((*name).sval) });
    Some(Statement::DropExtension(names.collect()))
}

unsafe fn rename(statement: &pg_sys::RenameStmt) -> Option<Statement> {
    // SAFETY: subname is the old name of a schema or a database.
    unsafe {
        match statement.renameType {
            pg_sys::ObjectType::OBJECT_SCHEMA => Some(Statement::RenameSchema(owned(statement.subname))),
            pg_sys::ObjectType::OBJECT_DATABASE => database(statement.subname).map(Statement::RenameDatabase),
            _ => None,
        }
    }
}

unsafe fn drop_database(statement: &pg_sys::DropdbStmt) -> Option<Statement> {
    // SAFETY: by what all of these are given.
    unsafe {
        Some(Statement::DropDatabase {
            database: database(statement.dbname)?,
            force: option(statement.options, c"force").is_some(),
        })
    }
}

unsafe fn create_database(statement: &pg_sys::CreatedbStmt) -> Option<Statement> {
    // SAFETY: by what all of these are given; an option that has an argument has one that can be read as text, or an error is raised as the
    // statement itself would raise it.
    unsafe {
        let template = match option(statement.options, c"template") {
            Some(option) if !(*option).arg.is_null() => pg_sys::defGetString(option).cast_const(),
            _ => c"template1".as_ptr(),
        };
        Some(Statement::CreateDatabase {
            template: database(template)?,
        })
    }
}

unsafe fn alter_database(statement: &pg_sys::AlterDatabaseStmt) -> Option<Statement> {
    // SAFETY: by what all of these are given.
    unsafe {
        let database = database(statement.dbname)?;
        Some(match option(statement.options, c"tablespace") {
            Some(_) => Statement::MoveDatabase(database),
            None => Statement::AlterDatabase,
        })
    }
}

unsafe fn set_of_database(statement: &pg_sys::AlterDatabaseSetStmt) -> Option<Statement> {
    // SAFETY: by what all of these are given.
    unsafe {
        Some(Statement::SetOfDatabase {
            database: database(statement.dbname)?,
            setting: setting(statement.setstmt)?,
        })
    }
}

unsafe fn set_of_role(statement: &pg_sys::AlterRoleSetStmt) -> Option<Statement> {
    // SAFETY: by what all of these are given; the role is null in ALTER ROLE ALL, and the database where none is named.
    unsafe {
        let role = match statement.role.is_null() {
            true => None,
            false => Some(known(pg_sys::get_rolespec_oid(statement.role, true))?),
        };
        let database = match statement.database.is_null() {
            true => None,
            false => Some(database(statement.database)?),
        };
        Some(Statement::SetOfRole {
            role,
            database,
            setting: setting(statement.setstmt)?,
        })
    }
}

/// Returns what a SET or RESET is of, whose name is null in RESET ALL.
unsafe fn setting(statement: *const pg_sys::VariableSetStmt) -> Option<Setting> {
    // SAFETY: by what all of these are given.
    unsafe {
        let name = statement.as_ref()?.name;
        Some(match name.is_null() {
            true => Setting::All,
            false => Setting::Named(owned(name)),
        })
    }
}

/// Returns the database of that name; None: there is none.
unsafe fn database(name: *const c_char) -> Option<pg_sys::Oid> {
    if name.is_null() {
        return None;
    }
    // SAFETY: a name from the parse tree, or a constant; with missing_ok, an unknown name gives an invalid OID.
    known(unsafe { pg_sys::get_database_oid(name, true) })
}

fn known(oid: pg_sys::Oid) -> Option<pg_sys::Oid> {
    (oid != pg_sys::InvalidOid).then_some(oid)
}

/// Returns the option of that name of a list of DefElem.
unsafe fn option(options: *mut pg_sys::List, name: &CStr) -> Option<*mut pg_sys::DefElem> {
    // SAFETY: by what all of these are given.
    unsafe {
        PgList::<pg_sys::DefElem>::from_pg(options)
            .iter_ptr()
            .find(|option| CStr::from_ptr((**option).defname) == name)
    }
}

/// Copies a name: the tree may be changed or freed while the statement runs.
unsafe fn owned(name: *const c_char) -> CString {
    // SAFETY: by what all of these are given; the name is not null.
    unsafe { CStr::from_ptr(name) }.to_owned()
}
