//! Messages with a hint. (The last argument of pgrx's `ereport!` is the detail.)

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// A warning for the client and the server log.
pub fn warning(code: PgSqlErrorCode, message: String, hint: &str) {
    ErrorReport::new(code, message, "zentry_notify")
        .set_hint(hint.to_owned())
        .report(PgLogLevel::WARNING);
}

/// An error. An empty detail is none.
pub fn error(code: PgSqlErrorCode, message: String, detail: &str, hint: &str) -> ! {
    let report = ErrorReport::new(code, message, "zentry_notify").set_hint(hint.to_owned());
    let report = if detail.is_empty() {
        report
    } else {
        report.set_detail(detail.to_owned())
    };
    report.report(PgLogLevel::ERROR);
    unreachable!("an error does not return")
}
