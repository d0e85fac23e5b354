//! What the extension does before and after other people's utility statements: those about databases, COMMIT PREPARED, DROP and ALTER EXTENSION, and
//! a rename of the extension's schema, which is refused.

mod database;

use pgrx::prelude::*;

use self::database::DatabaseStatement;
use crate::pg::process;
use crate::pg::utility::{self, Statement, UtilityCall};
use crate::wake::{self, registry};
use crate::{attach, installation, report};

/// Sets the hook, in the postmaster, for all sessions to come.
pub fn register_hook() {
    utility::register_hook(around);
}

fn around(call: UtilityCall) {
    let Some(statement) = Statement::of(&call) else {
        return call.run();
    };
    let of_database = DatabaseStatement::before(&statement);
    match &statement {
        Statement::DropExtension(names) if names.iter().any(|name| name.as_c_str() == c"zentry_notify") => {
            attach::make_way_for_drop();
        }
        Statement::RenameSchema(name) if name.as_c_str() == c"zentry_notify" => refuse_rename(),
        _ => {}
    }
    call.run();
    if let Some(of_database) = of_database {
        of_database.after();
    }
    match &statement {
        // There may be work that no transaction of this session wrote.
        Statement::CommitPrepared => {
            if let Some(registry) = registry() {
                registry.prepared_committed(process::database());
            }
        }
        // Whichever extensions it names, the worker looks whether this one is gone, and leaves.
        Statement::DropExtension(_) => wake::at_commit(|work| work.configuration = true),
        // The worker may have waited for the new version.
        Statement::UpdateExtension(name) => {
            wake::at_commit(|work| work.configuration = true);
            if name.as_c_str() == c"zentry_notify" {
                installation::renew_grants();
            }
        }
        _ => {}
    }
}

/// Raises an error for a rename of the schema zentry_notify, which the bodies of the extension's functions name. A rename that PostgreSQL
/// itself refuses is left to it.
fn refuse_rename() {
    if installation::is_callers_schema() {
        report::error(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "cannot rename schema zentry_notify because extension zentry_notify requires it".to_owned(),
            "The extension's functions refer to the schema by name.",
            "Only the functions zentry_* can be in another schema: use CREATE EXTENSION zentry_notify SCHEMA ...",
        );
    }
}
