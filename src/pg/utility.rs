//! The hook of utility statements. It acts on those about databases; on COMMIT PREPARED, after which there may be work that no transaction of this
//! session wrote; on DROP and ALTER EXTENSION, after which the worker has to look again; and on a rename of the extension's schema, which is
//! refused.

use std::ffi::CStr;

use pgrx::PgList;
use pgrx::prelude::*;

use super::version::{self, UtilityCall};
use crate::pg::database_statement::DatabaseStatement;
use crate::wake::{self, registry};
use crate::{attach, installation, report};

/// Sets the hook, in the postmaster, for all sessions to come.
pub fn register_hook() {
    // SAFETY: _PG_init calls this once, while libraries are preloaded.
    unsafe { version::hook_utility(process_utility) };
}

/// # Safety
/// Called by [`version::hook_utility`], with a call of the hook.
unsafe fn process_utility(call: &UtilityCall) {
    // SAFETY: the PlannedStmt of a utility statement has its parse tree; each cast is of a node whose tag was checked by Utility::of().
    unsafe {
        let utility = Utility::of((*call.statement).utilityStmt);
        let of_database = DatabaseStatement::before((*call.statement).utilityStmt);
        if matches!(utility, Utility::DropExtension) && names_ours((*call.statement).utilityStmt.cast()) {
            attach::make_way_for_drop();
        }
        refuse_rename((*call.statement).utilityStmt);
        call.run();
        if let Some(statement) = of_database {
            statement.after();
        }
        match utility {
            Utility::CommitPrepared => {
                if let Some(registry) = registry() {
                    registry.prepared_committed(pg_sys::MyDatabaseId);
                }
            }
            // The worker finds that the extension is gone, and leaves.
            Utility::DropExtension => wake::at_commit(|work| work.configuration = true),
            // The worker may have waited for the new version.
            Utility::AlterExtension => {
                wake::at_commit(|work| work.configuration = true);
                if is_ours((*call.statement).utilityStmt.cast()) {
                    installation::renew_grants();
                }
            }
            Utility::Other => {}
        }
    }
}

enum Utility {
    CommitPrepared,
    /// Of any extension; the worker looks whether it was this one.
    DropExtension,
    /// Of any extension.
    AlterExtension,
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
                pg_sys::NodeTag::T_AlterExtensionStmt => Utility::AlterExtension,
                pg_sys::NodeTag::T_DropStmt => match (*node.cast::<pg_sys::DropStmt>()).removeType {
                    pg_sys::ObjectType::OBJECT_EXTENSION => Utility::DropExtension,
                    _ => Utility::Other,
                },
                _ => Utility::Other,
            }
        }
    }
}

/// Raises an error for a rename of the schema zentry_notify, which the bodies of the extension's functions name. A rename that PostgreSQL
/// itself refuses is left to it.
///
/// # Safety
/// `node` is a statement's parse tree.
unsafe fn refuse_rename(node: *mut pg_sys::Node) {
    // SAFETY: the cast is to the type that the node's tag names; in a rename of a schema, subname is its name.
    let of_ours = unsafe {
        (*node).type_ == pg_sys::NodeTag::T_RenameStmt && {
            let statement = node.cast::<pg_sys::RenameStmt>();
            (*statement).renameType == pg_sys::ObjectType::OBJECT_SCHEMA
                && CStr::from_ptr((*statement).subname) == c"zentry_notify"
        }
    };
    if of_ours && installation::is_callers_schema() {
        report::error(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "cannot rename schema zentry_notify because extension zentry_notify requires it".to_owned(),
            "The extension's functions refer to the schema by name.",
            "Only the functions zentry_* can be in another schema: use CREATE EXTENSION zentry_notify SCHEMA ...",
        );
    }
}

/// Whether a DROP EXTENSION names this extension.
///
/// # Safety
/// `statement` is a DROP EXTENSION.
unsafe fn names_ours(statement: *const pg_sys::DropStmt) -> bool {
    // SAFETY: by the caller's promise; the objects are String nodes, the names of extensions.
    unsafe {
        PgList::<pg_sys::String>::from_pg((*statement).objects)
            .iter_ptr()
            .any(|name| CStr::from_ptr((*name).sval) == c"zentry_notify")
    }
}

/// Whether an ALTER EXTENSION ... UPDATE is of this extension.
///
/// # Safety
/// `statement` is an ALTER EXTENSION ... UPDATE.
unsafe fn is_ours(statement: *const pg_sys::AlterExtensionStmt) -> bool {
    // SAFETY: by the caller's promise; extname is a C string.
    unsafe { CStr::from_ptr((*statement).extname) == c"zentry_notify" }
}
