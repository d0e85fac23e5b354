//! Subtransactions: trying something that may raise an error, and going on after it.

use std::fmt;
use std::panic::{AssertUnwindSafe, RefUnwindSafe};

use pgrx::pg_sys::panic::{CaughtError, ErrorReport, ErrorReportWithLevel};
use pgrx::{PgLogLevel, PgSqlErrorCode, PgTryBuilder, pg_sys};

/// An error that was caught.
pub struct Failure {
    code: PgSqlErrorCode,
    message: String,
    detail: Option<String>,
}

impl Failure {
    pub fn new(code: PgSqlErrorCode, message: &str) -> Self {
        Failure {
            code,
            message: message.to_owned(),
            detail: None,
        }
    }

    pub fn of(report: &ErrorReportWithLevel) -> Self {
        Failure {
            code: report.sql_error_code(),
            message: report.message().to_owned(),
            detail: report.detail().map(str::to_owned),
        }
    }

    /// Returns message, code and detail, for the log.
    pub fn describe(&self) -> String {
        let detail = self.detail.as_ref().map(|detail| format!(": {detail}"));
        format!("{} ({:?}){}", self.message, self.code, detail.unwrap_or_default())
    }

    /// Whether the error may come from one of several rows: it is neither passing nor about the whole server.
    pub fn is_of_rows(&self) -> bool {
        use PgSqlErrorCode::*;
        let of_all = [
            ERRCODE_TRANSACTION_ROLLBACK,
            ERRCODE_INSUFFICIENT_RESOURCES,
            ERRCODE_OPERATOR_INTERVENTION,
            ERRCODE_SYSTEM_ERROR,
        ];
        !of_all.into_iter().any(|code| class(code) == class(self.code))
            && self.code != ERRCODE_LOCK_NOT_AVAILABLE
    }

    /// As [`Failure::is_of_rows`], for an UPDATE, which fails where one row is locked.
    pub fn is_of_known_rows(&self) -> bool {
        self.is_of_rows() || self.code == PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE
    }

    /// Whether the error comes from the circumstances of this attempt, and not from what was tried.
    fn is_passing(&self) -> bool {
        use PgSqlErrorCode::*;
        // The classes 53, 54 (a limit, such as that of the stack), 40, 57 and 58.
        [
            ERRCODE_INSUFFICIENT_RESOURCES,
            ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            ERRCODE_TRANSACTION_ROLLBACK,
            ERRCODE_OPERATOR_INTERVENTION,
            ERRCODE_SYSTEM_ERROR,
        ]
        .into_iter()
        .any(|passing| class(passing) == class(self.code))
            || self.code == ERRCODE_LOCK_NOT_AVAILABLE
    }

    /// Whether the error comes from storage or memory: a full disk, corrupted data, no memory. A lock, a cancel or a conflict, which another attempt
    /// may not meet, does not count.
    pub fn is_of_storage(&self) -> bool {
        use PgSqlErrorCode::*;
        [
            ERRCODE_INSUFFICIENT_RESOURCES,
            ERRCODE_SYSTEM_ERROR,
            ERRCODE_INTERNAL_ERROR,
        ]
        .into_iter()
        .any(|of_storage| class(of_storage) == class(self.code))
    }

    /// Whether the error comes from what was tried, and would come again.
    pub fn is_lasting(&self) -> bool {
        !self.is_passing()
    }

    pub fn sqlstate(&self) -> String {
        sqlstate(self.code)
    }

    /// Raises the error again, with its code, message and detail.
    pub fn raise(self) -> ! {
        let report = ErrorReport::new(self.code, self.message, "zentry_notify");
        let report = match self.detail {
            Some(detail) => report.set_detail(detail),
            None => report,
        };
        report.report(PgLogLevel::ERROR);
        unreachable!("an error does not return")
    }

    pub fn code(&self) -> PgSqlErrorCode {
        self.code
    }

    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Returns the five characters of an SQLSTATE, which PostgreSQL packs into six bits each (`MAKE_SQLSTATE`).
pub fn sqlstate(code: PgSqlErrorCode) -> String {
    (0..5)
        .map(|place| char::from(b'0' + ((code as i32 >> (6 * place)) & 0x3F) as u8))
        .collect()
}

/// Returns the class of an SQLSTATE, which is in the lowest twelve bits.
pub fn class(code: PgSqlErrorCode) -> i32 {
    code as i32 & 0xFFF
}

/// Runs `f`, without a subtransaction. If `f` raises an error, `note` is called with it, and must raise none; then the error goes on.
pub fn noting_failure<T>(f: impl FnOnce() -> T, note: impl FnOnce(&Failure)) -> T {
    std::panic::catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|error| {
        if let Some(
            CaughtError::PostgresError(report)
            | CaughtError::ErrorReport(report)
            | CaughtError::RustPanic { ereport: report, .. },
        ) = error.downcast_ref()
        {
            note(&Failure::of(report));
        }
        std::panic::resume_unwind(error)
    })
}

/// Runs `f` in a subtransaction.
///
/// # Errors
/// An error that `f` raised, after its effects were rolled back. A cancel is raised again instead.
pub fn attempt<T>(f: impl FnOnce() -> T) -> Result<T, Failure> {
    attempt_with(f, |report| {
        (report.sql_error_code() != PgSqlErrorCode::ERRCODE_QUERY_CANCELED).then(|| Failure::of(report))
    })
}

/// As [`attempt`]; `judge` converts the error. None: it is raised again, after the rollback, since whoever catches it rolls back the innermost
/// subtransaction, which has to be the catcher's own.
pub fn attempt_with<T, F>(
    f: impl FnOnce() -> T,
    judge: impl Fn(&ErrorReportWithLevel) -> Option<F> + RefUnwindSafe,
) -> Result<T, F> {
    run(f, judge, Effects::Kept)
}

/// As [`attempt_with`], but the effects of `f` are rolled back also when it succeeds; its value is returned.
pub fn attempt_and_undo<T, F>(
    f: impl FnOnce() -> T,
    judge: impl Fn(&ErrorReportWithLevel) -> Option<F> + RefUnwindSafe,
) -> Result<T, F> {
    run(f, judge, Effects::Undone)
}

#[derive(Clone, Copy)]
enum Effects {
    Kept,
    Undone,
}

fn run<T, F>(
    f: impl FnOnce() -> T,
    judge: impl Fn(&ErrorReportWithLevel) -> Option<F> + RefUnwindSafe,
    effects: Effects,
) -> Result<T, F> {
    // SAFETY: the steps of an exception block of PL/pgSQL (exec_stmt_block): memory context and resource owner are restored however `f` ends.
    let (memory, owner) = unsafe {
        let saved = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(saved.0);
        saved
    };
    let put_back = move || {
        // SAFETY: both belong to the transaction around the subtransaction, which goes on.
        unsafe {
            pg_sys::MemoryContextSwitchTo(memory);
            pg_sys::CurrentResourceOwner = owner;
        }
    };
    PgTryBuilder::new(AssertUnwindSafe(|| {
        let value = f();
        // SAFETY: the innermost subtransaction is the one that was begun above, since what `f` began has ended.
        unsafe {
            match effects {
                Effects::Kept => pg_sys::ReleaseCurrentSubTransaction(),
                Effects::Undone => pg_sys::RollbackAndReleaseCurrentSubTransaction(),
            }
        }
        put_back();
        Ok(value)
    }))
    .catch_others(|error| {
        // SAFETY: as above; subtransactions that `f` began were ended before the error left it.
        unsafe { pg_sys::RollbackAndReleaseCurrentSubTransaction() };
        put_back();
        let (CaughtError::PostgresError(report)
        | CaughtError::ErrorReport(report)
        | CaughtError::RustPanic { ereport: report, .. }) = &error;
        match judge(report) {
            Some(failure) => Err(failure),
            None => error.rethrow(),
        }
    })
    .execute()
}
