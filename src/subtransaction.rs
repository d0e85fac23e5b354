//! Try something that may raise an error, and go on when it does.

use std::panic::{AssertUnwindSafe, UnwindSafe};

use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgTryBuilder, pg_sys};

/// Runs `f` in a subtransaction. An error rolls its effects back and is returned as text; interrupts (a cancelled query,
/// a terminated session) are raised again.
pub fn attempt<T>(f: impl FnOnce() -> T + UnwindSafe) -> Result<T, String> {
    // SAFETY: the same steps as PL/pgSQL's exception block: memory context and resource owner are put back on both ways out.
    let (memory, owner) = unsafe {
        let saved = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(saved.0);
        saved
    };
    let outcome = PgTryBuilder::new(AssertUnwindSafe(|| Ok(f())))
        .catch_others(|error| match error {
            CaughtError::PostgresError(ref report) | CaughtError::ErrorReport(ref report)
                if report.sql_error_code() != pgrx::PgSqlErrorCode::ERRCODE_QUERY_CANCELED =>
            {
                Err(report.message().to_owned())
            }
            CaughtError::RustPanic { ref ereport, .. } => Err(ereport.message().to_owned()),
            other => other.rethrow(),
        })
        .execute();
    // SAFETY: as above.
    unsafe {
        match outcome {
            Ok(_) => pg_sys::ReleaseCurrentSubTransaction(),
            Err(_) => pg_sys::RollbackAndReleaseCurrentSubTransaction(),
        }
        pg_sys::MemoryContextSwitchTo(memory);
        pg_sys::CurrentResourceOwner = owner;
    }
    outcome
}
