//! ALTER TABLE on columns that the conditions of our triggers name: PostgreSQL would refuse it, so the triggers are taken off
//! before it and put back after it, in the same transaction. `sql/11_table_changes.sql` does both.

use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum, PgList};

use crate::acting_as::ActingAs;
use crate::installation::Installation;
use crate::plan::{Plan, with_spi};
use crate::subtransaction;

/// Triggers that were taken off.
pub struct Aside {
    triggers: pgrx::JsonB,
    /// Of the extension, who may do this.
    owner: pg_sys::Oid,
}

/// Takes off what is in the statement's way. None: nothing is, or it could not be done, and PostgreSQL says why it refuses.
///
/// # Safety
/// `statement` is a parse tree of its type.
pub unsafe fn make_way(statement: *const pg_sys::AlterTableStmt) -> Option<Aside> {
    // SAFETY: by the caller's promise.
    let columns = unsafe { changed_columns(statement) };
    if columns.is_empty() {
        return None;
    }
    // SAFETY: as above. Without a lock: whatever the name leads to is altered or not by PostgreSQL alone; we only look for triggers.
    let table = unsafe {
        pg_sys::RangeVarGetRelidExtended(
            (*statement).relation,
            pg_sys::NoLock as pg_sys::LOCKMODE,
            pg_sys::RVROption::RVR_MISSING_OK,
            None,
            std::ptr::null_mut(),
        )
    };
    if table == pg_sys::InvalidOid || !is_attached_and_ours_to_alter(table) {
        return None;
    }
    let owner = Installation::find().filter(|i| i.fits().is_ok())?.owner;
    match subtransaction::attempt(|| set_aside(table, &columns, owner)) {
        Ok(aside) => aside,
        Err(failure) => {
            failure.raise_if_passing();
            None
        }
    }
}

impl Aside {
    /// The statement is done.
    pub fn put_back(self) {
        let put_back = subtransaction::attempt(|| {
            let _owner = ActingAs::role(self.owner);
            with_spi(|| {
                Plan::prepare("SELECT zentry_notify.put_back_triggers($1)", &[pg_sys::JSONBOID])
                    .execute(&[self.triggers.into_datum()])
                    .len()
            })
        });
        if let Err(reason) = put_back {
            crate::report::warning(
                PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("zentry_notify: the triggers of the altered table could not be put back: {reason}"),
                "The statement itself is not affected. Mend the cause, then run: SELECT * FROM zentry_attach();",
            );
        }
    }
}

/// Columns that the statement gives another type or drops.
///
/// # Safety
/// As [`make_way`].
unsafe fn changed_columns(statement: *const pg_sys::AlterTableStmt) -> Vec<String> {
    // SAFETY: the list holds commands, and those of the two kinds name a column.
    unsafe {
        PgList::<pg_sys::AlterTableCmd>::from_pg((*statement).cmds)
            .iter_ptr()
            .filter(|command| {
                matches!(
                    (**command).subtype,
                    pg_sys::AlterTableType::AT_AlterColumnType | pg_sys::AlterTableType::AT_DropColumn
                )
            })
            .map(|command| {
                std::ffi::CStr::from_ptr((*command).name)
                    .to_string_lossy()
                    .into_owned()
            })
            .collect()
    }
}

/// Whether the table or what inherits from it has triggers of ours, and the running role owns it: nobody else gets us to touch it.
fn is_attached_and_ours_to_alter(table: pg_sys::Oid) -> bool {
    const SQL: &str = "WITH RECURSIVE reached (relation) AS (\
                         SELECT c.oid FROM pg_catalog.pg_class c \
                         WHERE c.oid OPERATOR(pg_catalog.=) $1 AND pg_catalog.pg_has_role(c.relowner, 'USAGE') \
                         UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN reached r ON r.relation OPERATOR(pg_catalog.=) i.inhparent) \
                       SELECT FROM reached r \
                       JOIN pg_catalog.pg_trigger t ON t.tgrelid OPERATOR(pg_catalog.=) r.relation \
                       JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid \
                       JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace \
                       WHERE p.proname OPERATOR(pg_catalog.=) 'capture' AND n.nspname OPERATOR(pg_catalog.=) 'zentry_notify' LIMIT 1";
    with_spi(|| {
        Plan::prepare(SQL, &[pg_sys::OIDOID])
            .execute(&[table.into_datum()])
            .len()
            > 0
    })
}

fn set_aside(table: pg_sys::Oid, columns: &[String], owner: pg_sys::Oid) -> Option<Aside> {
    const SQL: &str = "SELECT zentry_notify.set_aside_triggers($1, $2)";
    let _owner = ActingAs::role(owner);
    with_spi(|| {
        let rows = Plan::prepare(SQL, &[pg_sys::REGCLASSOID, pg_sys::TEXTARRAYOID])
            .execute(&[table.into_datum(), columns.to_vec().into_datum()]);
        // SAFETY: the only column is jsonb; the value is copied out of SPI's memory.
        let triggers = unsafe { pgrx::JsonB::from_datum(rows.get(0, 1).0?, false) }?;
        Some(Aside { triggers, owner })
    })
}
