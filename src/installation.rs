//! The version of the extension's SQL in a database, and whether this library works with it. Between a restart of the server with a new library and
//! ALTER EXTENSION UPDATE, the SQL is of an earlier version.

use pgrx::prelude::*;

use crate::acting_as::ActingAs;
use crate::pg::{process, role, transaction};
use crate::plan::{Plan, with_spi};
use crate::subtransaction;

/// The version of this library.
pub const LIBRARY: &str = env!("CARGO_PKG_VERSION");
/// The versions of the SQL that this library works with. An earlier one is added when nothing but comments has changed since.
const WORKS_WITH: [&str; 1] = [LIBRARY];

/// The extension in this database.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The OID of the extension, which DROP and CREATE EXTENSION change.
    pub oid: pg_sys::Oid,
    pub owner: pg_sys::Oid,
    version: String,
}

/// The SQL is of a version that this library does not work with.
#[derive(Debug)]
pub struct Mismatch {
    version: String,
}

impl Installation {
    /// Returns the extension in this database; None: there is none.
    pub fn find() -> Option<Self> {
        const SQL: &str = "SELECT e.oid, e.extowner, e.extversion FROM pg_catalog.pg_extension e WHERE e.extname OPERATOR(pg_catalog.=) 'zentry_notify'";
        with_spi(|spi| {
            let rows = Plan::prepare(spi, SQL, &[]).execute(spi, &[]);
            if rows.len() == 0 {
                return None;
            }
            Some(Installation {
                oid: rows.get(0, 1)?,
                owner: rows.get(0, 2)?,
                version: rows.get(0, 3)?,
            })
        })
    }

    /// Checks whether this library works with the SQL.
    ///
    /// # Errors
    /// It does not.
    pub fn fits(&self) -> Result<(), Mismatch> {
        if WORKS_WITH.contains(&self.version.as_str()) {
            return Ok(());
        }
        Err(Mismatch {
            version: self.version.clone(),
        })
    }
}

impl Mismatch {
    pub fn message(&self) -> String {
        format!(
            "zentry_notify: the extension is of version {}, the library of {LIBRARY}",
            self.version
        )
    }

    /// Returns a sentence that says what to do.
    pub fn hint(&self) -> String {
        if is_newer(&self.version) {
            format!("Install zentry_notify {} and restart the server.", self.version)
        } else {
            "Run in this database: ALTER EXTENSION zentry_notify UPDATE;".to_owned()
        }
    }
}

/// Raises the error for a database without the extension.
pub fn refuse_missing() -> ! {
    crate::report::error(
        PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
        "extension \"zentry_notify\" is not installed in this database".to_owned(),
        "",
        "Run CREATE EXTENSION zentry_notify.",
    )
}

/// Whether `version` is newer than this library.
fn is_newer(version: &str) -> bool {
    let parts = |text: &str| text.split('.').map(|n| n.parse::<u32>().ok()).collect::<Vec<_>>();
    parts(version) > parts(LIBRARY)
}

/// Whether the schema zentry_notify belongs to the extension, and the current role may rename it.
pub fn is_callers_schema() -> bool {
    const SQL: &str = "SELECT n.nspowner FROM pg_catalog.pg_namespace n
          JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
               AND d.objid OPERATOR(pg_catalog.=) n.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'
          JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid AND e.extname OPERATOR(pg_catalog.=) 'zentry_notify'
         WHERE n.nspname OPERATOR(pg_catalog.=) 'zentry_notify'";
    let owner = with_spi(|spi| {
        let rows = Plan::prepare(spi, SQL, &[]).execute(spi, &[]);
        rows.first::<pg_sys::Oid>()
    });
    owner.is_some_and(|owner| role::has_privileges(role::current(), owner))
}

/// Grants the readers and managers what came with a new version, after ALTER EXTENSION UPDATE. A failure is a warning.
pub fn renew_grants() {
    let Some(installation) = Installation::find().filter(|installation| installation.fits().is_ok()) else {
        return;
    };
    let renewed = subtransaction::attempt(|| {
        let _owner = ActingAs::role(installation.owner);
        with_spi(|spi| {
            Plan::prepare(spi, "SELECT zentry_notify.renew_grants()", &[])
                .execute(spi, &[])
                .len()
        })
    });
    if let Err(reason) = renewed {
        crate::report::warning(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!(
                "zentry_notify: privileges that came with the new version could not be granted: {reason}"
            ),
            "Repeat zentry_grant for each reader and manager.",
        );
    }
}

/// Raises an error if the SQL is of a version that this library does not work with, for functions whose statements need the present tables.
pub fn require_fitting() {
    if let Some(Err(mismatch)) = Installation::find().map(|installation| installation.fits()) {
        crate::report::error(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            mismatch.message(),
            "",
            &mismatch.hint(),
        );
    }
}

/// Raises an error on a standby and in a read-only transaction, as PostgreSQL does for statements that write.
pub fn require_writable(function: &str) {
    let (when, hint) = match (process::recovers(), transaction::is_read_only()) {
        (true, _) => ("during recovery", "Call it on the primary."),
        (_, true) => (
            "in a read-only transaction",
            "Call it in a transaction of its own, or SET TRANSACTION READ WRITE before the first statement.",
        ),
        _ => return,
    };
    crate::report::error(
        PgSqlErrorCode::ERRCODE_READ_ONLY_SQL_TRANSACTION,
        format!("cannot execute {function} {when}"),
        "",
        hint,
    );
}
