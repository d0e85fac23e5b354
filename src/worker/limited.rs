//! Running what an owner of tables wrote: as that owner, restricted, in a subtransaction, with a time limit.

use std::ffi::CStr;
use std::time::{Duration, Instant};

use pgrx::pg_sys::panic::ErrorReportWithLevel;
use pgrx::prelude::*;

use crate::acting_as::ActingAs;
use crate::pg::own_code::AsOwner;
use crate::pg::setting;
use crate::pg::time_limit::{self, TimeLimit};
use crate::subtransaction;

/// Why it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It took too long.
    Late,
    /// The error is of the moment: a lock that was not available, a full disk.
    Passing(Said),
    /// The error is of what was written (a name, a type, a right), or of data that name such things.
    Lasting(Said),
    /// The error is of the data. The SQLSTATE says what is wrong with them, without showing them.
    Data(String),
}

/// The error as PostgreSQL reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    message: String,
    code: String,
}

impl Failure {
    pub fn lasting(message: &str) -> Failure {
        Failure::Lasting(Said {
            message: message.to_owned(),
            code: subtransaction::sqlstate(PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT),
        })
    }

    fn of(report: &ErrorReportWithLevel) -> Failure {
        use PgSqlErrorCode::*;
        let code = report.sql_error_code();
        let said = || Said {
            message: match is_said_without_values(report) {
                true => report.message().to_owned(),
                false => format!("SQLSTATE {}", subtransaction::sqlstate(code)),
            },
            code: subtransaction::sqlstate(code),
        };
        let class = subtransaction::class;
        // An expression that takes more temporary disk space than it may will do so each time.
        if code == ERRCODE_CONFIGURATION_LIMIT_EXCEEDED {
            return Failure::Data(subtransaction::sqlstate(code));
        }
        let of_class = |codes: &[PgSqlErrorCode]| codes.iter().any(|other| class(*other) == class(code));
        if of_class(&[
            ERRCODE_INSUFFICIENT_RESOURCES,
            ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            ERRCODE_OPERATOR_INTERVENTION,
            ERRCODE_SYSTEM_ERROR,
            ERRCODE_T_R_SERIALIZATION_FAILURE,
        ]) {
            return Failure::Passing(said());
        }
        if of_class(&[
            ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION,
            ERRCODE_FEATURE_NOT_SUPPORTED,
            ERRCODE_INVALID_SCHEMA_NAME,
        ]) {
            return Failure::Lasting(said());
        }
        Failure::Data(subtransaction::sqlstate(code))
    }

    /// Returns the reason, for people, of what fails whatever the data are. It holds no value of theirs.
    pub fn reason(&self) -> String {
        match self {
            Failure::Passing(said) | Failure::Lasting(said) => said.message.clone(),
            Failure::Late | Failure::Data(_) => self.reason_of_row(),
        }
    }

    /// Returns the reason, for people, of what fails for some data. PostgreSQL's message, which it leaves out, may show them.
    pub fn reason_of_row(&self) -> String {
        match self {
            Failure::Late => "it takes too long".to_owned(),
            Failure::Data(code)
            | Failure::Passing(Said { code, .. })
            | Failure::Lasting(Said { code, .. }) => {
                format!("SQLSTATE {code}")
            }
        }
    }
}

/// Returns whether the message is ours, or of those parts of PostgreSQL whose messages name only tables, columns, types and functions: what
/// a function raises may show a value.
fn is_said_without_values(report: &ErrorReportWithLevel) -> bool {
    const FILES: [&str; 8] = [
        "aclchk.c",
        "namespace.c",
        "plancat.c",
        "postgres.c",
        "proc.c",
        "relation.c",
        "rewriteHandler.c",
        "rls.c",
    ];
    let file = file_name(report);
    FILES.contains(&file) || file.starts_with("parse_") || file.ends_with(".rs")
}

/// Returns whether the error is PostgreSQL's answer to a cancel. A function may raise an error with the same SQLSTATE itself, and would do
/// so for every row.
fn is_cancel(report: &ErrorReportWithLevel) -> bool {
    report.sql_error_code() == PgSqlErrorCode::ERRCODE_QUERY_CANCELED && file_name(report) == "postgres.c"
}

fn file_name(report: &ErrorReportWithLevel) -> &str {
    report.file().rsplit('/').next().unwrap_or_default()
}

/// The settings that PostgreSQL's own tools pin before they read tables of others (an error where a policy would apply, no views and no
/// foreign tables), and a limit of temporary disk space.
const PINNED: [(&CStr, &CStr); 3] = [
    (c"row_security", c"off"),
    (c"restrict_nonsystem_relation_kind", c"view, foreign-table"),
    (c"temp_file_limit", c"128MB"),
];

/// Runs `f` as `owner`. What a third role has put into the tables that are read, or in the way of the owner's expressions, is an error. A
/// cancel that does not come from the time limit is raised again. The subtransaction is rolled back: nothing but the value is left, no
/// lock, no notification, no row.
pub fn as_owner<T>(owner: pg_sys::Oid, limit: Duration, f: impl FnOnce() -> T) -> Result<T, Failure> {
    let started = Instant::now();
    let f = || {
        let _owner = AsOwner::of(owner);
        let _pinned = setting::hold(&PINNED);
        f()
    };
    let outcome = subtransaction::attempt_and_undo(within(limit, f), |report| judge(report, started, limit));
    time_limit::end_if_told();
    outcome
}

/// Runs `f` as the agent, in a subtransaction, for `limit` at most.
pub fn as_agent<T>(limit: Duration, f: impl FnOnce() -> T) -> Result<T, Failure> {
    limited(limit, || {
        let _agent = ActingAs::agent();
        f()
    })
}

/// Runs `f` with the worker's own rights, for work that PostgreSQL itself does.
pub fn limited<T>(limit: Duration, f: impl FnOnce() -> T) -> Result<T, Failure> {
    let started = Instant::now();
    let outcome = subtransaction::attempt_with(within(limit, f), |report| judge(report, started, limit));
    // If the process has been told to end, its result is of no use.
    time_limit::end_if_told();
    outcome
}

fn within<T>(limit: Duration, f: impl FnOnce() -> T) -> impl FnOnce() -> T {
    move || {
        let _limit = TimeLimit::start(limit);
        f()
    }
}

/// Returns the failure. None: the worker's statement was cancelled by somebody.
fn judge(report: &ErrorReportWithLevel, started: Instant, limit: Duration) -> Option<Failure> {
    if is_cancel(report) {
        (started.elapsed() >= limit).then_some(Failure::Late)
    } else {
        Some(Failure::of(report))
    }
}
