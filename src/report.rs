//! Messages with a hint. (The last argument of pgrx's `ereport!` is the detail.)

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// A warning for the client and the server log.
pub fn warning(code: PgSqlErrorCode, message: String, hint: &str) {
    ErrorReport::new(code, message, "zentry_notify")
        .set_hint(hint.to_owned())
        .report(PgLogLevel::WARNING);
}
