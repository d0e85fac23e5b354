//! Try something that may raise an error, and go on when it does.

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

    /// With its code and details, for the log.
    pub fn describe(&self) -> String {
        let detail = self.detail.as_ref().map(|detail| format!(": {detail}"));
        format!("{} ({:?}){}", self.message, self.code, detail.unwrap_or_default())
    }

    /// Whether it may come from one row of several, and not of another: neither of the moment, nor of the whole server.
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

    /// The same of an UPDATE: a row may be locked.
    pub fn is_of_known_rows(&self) -> bool {
        self.is_of_rows() || self.code == PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE
    }

    /// Whether it comes from the moment, or from who has tried, and says nothing of what was tried.
    fn is_passing(&self) -> bool {
        use PgSqlErrorCode::*;
        // Class 53: insufficient resources; 54: limits, such as the stack's; 40: rolled back; 57: an operator's doing; 58: the system.
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

    /// Whether it comes of where something is stored: a full disk, damaged data, memory. Whoever waited, was cancelled or was in another's way may be luckier.
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

    /// Whether it comes from what was tried, and will come again.
    pub fn is_lasting(&self) -> bool {
        !self.is_passing()
    }

    pub fn sqlstate(&self) -> String {
        sqlstate(self.code)
    }

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

/// The five characters of the code.
pub fn sqlstate(code: PgSqlErrorCode) -> String {
    (0..5)
        .map(|place| char::from(b'0' + ((code as i32 >> (6 * place)) & 0x3F) as u8))
        .collect()
}

/// An SQLSTATE's class is in the lowest twelve bits.
pub fn class(code: PgSqlErrorCode) -> i32 {
    code as i32 & 0xFFF
}

/// Runs `f` as it is. `note` hears of an error that it raises, and must raise none.
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

/// Runs `f` in a subtransaction. An error rolls its effects back and is returned; an interrupt (a cancelled query, a terminated
/// session) is raised again.
pub fn attempt<T>(f: impl FnOnce() -> T) -> Result<T, Failure> {
    attempt_with(f, |report| {
        (report.sql_error_code() != PgSqlErrorCode::ERRCODE_QUERY_CANCELED).then(|| Failure::of(report))
    })
}

/// As [`attempt`]; `judge` says what the error comes to. None: it is raised again, after the rollback: whoever catches it, PostgreSQL
/// itself included, rolls back what they have begun themselves, and would take our subtransaction for that.
pub fn attempt_with<T, F>(
    f: impl FnOnce() -> T,
    judge: impl Fn(&ErrorReportWithLevel) -> Option<F> + RefUnwindSafe,
) -> Result<T, F> {
    run(f, judge, Effects::Kept)
}

/// As [`attempt_with`], and rolls back what `f` did also when it went well: nothing but its value is left of it.
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
    // SAFETY: the same steps as PL/pgSQL's exception block: memory context and resource owner are put back on all ways out.
    let (memory, owner) = unsafe {
        let saved = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(saved.0);
        saved
    };
    let put_back = move || {
        // SAFETY: both are of the transaction around the subtransaction, which goes on.
        unsafe {
            pg_sys::MemoryContextSwitchTo(memory);
            pg_sys::CurrentResourceOwner = owner;
        }
    };
    PgTryBuilder::new(AssertUnwindSafe(|| {
        let value = f();
        // SAFETY: the subtransaction that was begun above: what was begun in it has ended.
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
        // SAFETY: as above. The error stays on PostgreSQL's stack of errors meanwhile, to be raised again whole.
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
