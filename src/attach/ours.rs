//! The extension in this database: whose rights our own tables need, and what our triggers call.

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::table::text_of;
use crate::acting_as::ActingAs;
use crate::installation::{self, Installation};
use crate::pg::{role, setting};
use crate::plan::{Argument, Plan, with_spi};
use crate::report;

pub struct Ours {
    pub extension: pg_sys::Oid,
    owner: pg_sys::Oid,
    /// The trigger function.
    pub capture: pg_sys::Oid,
}

impl Ours {
    /// For `function`, which changes what is attached. An error where there is no extension that this library goes with, and where
    /// nothing can be written, even if nothing had to be.
    pub fn find(function: &str) -> Self {
        // What is called so by another extension is no function of ours.
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
            report::error(
                PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
                "the extension zentry_notify is not in this database".to_owned(),
                "",
                "CREATE EXTENSION zentry_notify;",
            )
        };
        Ours {
            extension: installation.oid,
            owner: installation.owner,
            capture,
        }
    }

    /// The text that a constant statement of ours finds in our own tables, which nobody else may read or write.
    pub fn text(&self, sql: &'static str, arguments: &[Argument]) -> Option<String> {
        let _owner = ActingAs::role(self.owner);
        let _rules = setting::hold(&setting::ALL_TRIGGERS);
        text_of(sql, arguments)
    }

    /// An error unless the current role may make triggers that call ours, as PostgreSQL would say it in fewer words.
    pub fn require_capture(&self) {
        const SQL: &str = "SELECT has_function_privilege($1, 'EXECUTE')::text";
        if text_of(SQL, &[self.capture.into()]).as_deref() != Some("true") {
            report::error(
                PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!(
                    "role \"{}\" may not make triggers that call zentry_notify.capture()",
                    role::name_of(role::current())
                ),
                "CREATE EXTENSION lets everybody make them, and it was taken back since.",
                "A superuser mends it: GRANT EXECUTE ON FUNCTION zentry_notify.capture() TO PUBLIC;",
            )
        }
    }

    /// Whether the current role may do what the extension's owner may.
    pub fn is_callers(&self) -> bool {
        role::has_privileges(role::current(), self.owner)
    }
}
