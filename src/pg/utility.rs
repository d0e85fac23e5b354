//! Utility statements that we have to know of: those about databases; COMMIT PREPARED, after which there is work although no
//! transaction of this session wrote it; and DROP and ALTER EXTENSION, after which there is none any more or may be some again.

use std::ffi::CStr;

use pgrx::PgList;
use pgrx::prelude::*;

use super::version::{self, UtilityCall};
use crate::pg::database_statement::DatabaseStatement;
use crate::wake::{self, Work, registry};
use crate::{attach, installation, report};

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
                    registry.notify(pg_sys::MyDatabaseId, &Work::ALL);
                    registry.look_where_held_back();
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
            Utility::Other => {}
        }
    }
}

enum Utility {
    CommitPrepared,
    /// Perhaps of ours: the worker looks.
    DropExtension,
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

/// What is written in SQL names the schema of our tables, which PostgreSQL keeps as text: under another name nothing would work. What PostgreSQL
/// itself is going to refuse it refuses.
///
/// # Safety
/// `node` is a statement's parse tree.
unsafe fn refuse_rename(node: *mut pg_sys::Node) {
    // SAFETY: the cast is to the type that the node's tag names; the statement names its schema.
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
            "schema zentry_notify cannot be renamed while the extension zentry_notify is there".to_owned(),
            "Its functions name it.",
            "The functions zentry_* may be in another schema: CREATE EXTENSION zentry_notify SCHEMA ...",
        );
    }
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
