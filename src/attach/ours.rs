//! The extension in this database: its owner, with whose rights its tables are read and written, and its trigger function.

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::table::text_of;
use crate::acting_as::ActingAs;
use crate::installation::{self, Installation};
use crate::pg::{role, setting};
use crate::plan::{Argument, Plan, with_spi};
use crate::report;

/// The extension in this database.
pub struct Ours {
    pub extension: pg_sys::Oid,
    owner: pg_sys::Oid,
    /// The trigger function `zentry_notify.capture()`.
    pub capture: pg_sys::Oid,
}

impl Ours {
    /// Finds the extension for `function`, which changes what is attached. It raises an error if there is no extension, if its version does not fit the
    /// library, or if nothing can be written now.
    pub fn find(function: &str) -> Self {
        // Another extension may have a function of this name.
        const CAPTURE: &str = "SELECT p.oid FROM pg_proc p
              JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
                              AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = $1
             WHERE p.proname = 'capture' AND p.prorettype = 'trigger'::regtype";
        installation::require_fitting();
        installation::require_writable(function);
        let installation = Installation::find();
        let capture = installation.as_ref().and_then(|installation| {
            with_spi(|spi| {
                let rows =
                    Plan::prepare(spi, CAPTURE, &[pg_sys::OIDOID]).execute(spi, &[installation.oid.into()]);
                rows.first::<pg_sys::Oid>()
            })
        });
        let (Some(installation), Some(capture)) = (installation, capture) else {
            installation::refuse_missing()
        };
        Ours {
            extension: installation.oid,
            owner: installation.owner,
            capture,
        }
    }

    /// Runs a constant statement on the extension's tables with the rights of its owner, and returns the text in its first row and column.
    pub fn text(&self, sql: &'static str, arguments: &[Argument]) -> Option<String> {
        let _owner = ActingAs::role(self.owner);
        let _rules = setting::hold(&setting::ALL_TRIGGERS);
        text_of(sql, arguments)
    }

    /// Raises an error unless the current role may create triggers that call `capture`. (PostgreSQL's own error does not say what to do.)
    pub fn require_capture(&self) {
        const SQL: &str = "SELECT has_function_privilege($1, 'EXECUTE')::text";
        if text_of(SQL, &[self.capture.into()]).as_deref() != Some("true") {
            report::error(
                PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!(
                    "role \"{}\" may not make triggers that call zentry_notify.capture()",
                    role::name_of(role::current())
                ),
                "CREATE EXTENSION grants EXECUTE on it to PUBLIC, which was revoked since.",
                "Have a superuser run: GRANT EXECUTE ON FUNCTION zentry_notify.capture() TO PUBLIC;",
            )
        }
    }

    /// Whether the current role has the rights of the extension's owner.
    pub fn is_callers(&self) -> bool {
        role::has_privileges(role::current(), self.owner)
    }
}
