//! The conditions of an event: on which writes its triggers fire.
//!
//! Most triggers have no WHEN: `capture` tests the condition, by `event_source.transition` or `progress`, so that no trigger depends on a column
//! and prevents an ALTER TABLE. A user's own condition is a WHEN of PostgreSQL's, parsed once, in the call that gives it.

use pgrx::PgRelation;
use pgrx::prelude::*;
use serde_json::Value;

use super::guess::Guess;
use super::table::Table;
use crate::event_source::MILESTONE;
use crate::pg::make_trigger::Operation;
use crate::pg::when::{self, Names, Row, When};
use crate::report;
use crate::subtransaction::{self, Failure};

/// The words of a trigger without a WHEN.
pub const ALWAYS: &str = "true";
/// A condition that a row has changed. `*<>` compares the stored images of rows, so it needs no operators of the columns' types.
pub const CHANGED: &str = "OLD.* *<> NEW.*";

const EXAMPLE: &str = "It is SQL over OLD and NEW, such as NEW.status = 'done' AND OLD.status <> 'done'.";

/// The WHEN of a trigger.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// No WHEN.
    Nothing,
    /// SQL over OLD and NEW.
    Write(String),
    /// SQL over one row.
    Row(String, Row),
    /// SQL over one row, which has to be true of the new row and not of the old one.
    BecomesTrue(String),
}

/// The condition of one trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The condition as people read it, in `event_source`. It is never parsed.
    pub words: String,
    pub test: Test,
}

/// The conditions of a source's triggers; None: there is no such trigger.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    pub insert: Option<Condition>,
    pub update: Option<Condition>,
    pub delete: Option<Condition>,
    /// `event_source.transition`.
    pub transition: Option<Value>,
}

/// The operations that an event fires on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Operations {
    pub insert: bool,
    pub update: bool,
    pub delete: bool,
}

impl Operations {
    /// Parses a list such as `insert, update`, in any order and case. It raises an error for anything else.
    pub fn parse(text: &str) -> Self {
        let mut operations = Operations::default();
        let words = text.split(|c: char| !c.is_ascii_alphabetic());
        for word in words.filter(|word| !word.is_empty() && !word.eq_ignore_ascii_case("or")) {
            match word.to_ascii_lowercase().as_str() {
                "insert" => operations.insert = true,
                "update" => operations.update = true,
                "delete" => operations.delete = true,
                _ => Self::refuse(text),
            }
        }
        if !(operations.insert || operations.update || operations.delete) {
            Self::refuse(text);
        }
        operations
    }

    fn refuse(text: &str) -> ! {
        report::error(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("unknown operation \"{text}\""),
            "",
            "The operations are insert, update and delete, or several of them: 'insert, update'.",
        )
    }
}

impl Test {
    /// Analyses the WHEN over the table's rows. Names are resolved as the current role, under the current search path.
    pub fn analyse(&self, table: &PgRelation) -> Option<When> {
        match self {
            Test::Nothing => None,
            Test::Write(sql) => Some(When::over_write(sql, table)),
            Test::Row(sql, row) => Some(When::over_row(sql, *row, table)),
            Test::BecomesTrue(sql) => Some(When::has_become_true(sql, table)),
        }
    }
}

impl Condition {
    pub fn new(words: &str, test: Test) -> Self {
        Condition {
            words: words.to_owned(),
            test,
        }
    }

    /// Returns the condition of a trigger without a WHEN; `words` say what `capture` tests.
    pub fn without_when(words: &str) -> Self {
        Self::new(words, Test::Nothing)
    }
}

impl Conditions {
    pub fn get(&self, operation: Operation) -> Option<&Condition> {
        match operation {
            Operation::Insert => self.insert.as_ref(),
            Operation::Update => self.update.as_ref(),
            Operation::Delete => self.delete.as_ref(),
        }
    }

    pub fn get_mut(&mut self, operation: Operation) -> &mut Option<Condition> {
        match operation {
            Operation::Insert => &mut self.insert,
            Operation::Update => &mut self.update,
            Operation::Delete => &mut self.delete,
        }
    }

    pub fn words(&self, operation: Operation) -> Option<String> {
        self.get(operation).map(|condition| condition.words.clone())
    }

    /// Keeps the conditions of the given operations. A DELETE without one fires always.
    pub fn only(mut self, operations: Operations) -> Self {
        self.insert = self.insert.filter(|_| operations.insert);
        self.update = self.update.filter(|_| operations.update);
        self.delete = operations
            .delete
            .then(|| self.delete.unwrap_or_else(|| Condition::without_when(ALWAYS)));
        self
    }
}

/// Returns the conditions of a source with a user's own condition. If that does not refer to OLD, an update fires when it has become true.
pub fn given(text: &str, guess: &Guess, operations: Option<Operations>) -> Conditions {
    let names = names_in(text);
    if names.sub_select {
        refuse(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            "it has a sub-select, which a trigger's condition cannot have",
            "",
            "Compare columns of the table. Values of other tables can be among the data, and webhooks can filter by them.",
        );
    }
    // In event_source, these words stand for a trigger without a condition of a user's.
    let words = match text.trim() {
        plain @ (ALWAYS | CHANGED) => format!("({plain})"),
        other => other.to_owned(),
    };
    let condition = |test| Some(Condition::new(&words, test));
    if !names.old {
        let operations = operations.unwrap_or(match guess.event {
            "badge_earned" | "project_created" => Operations {
                insert: true,
                ..Operations::default()
            },
            _ => Operations {
                insert: true,
                update: true,
                delete: false,
            },
        });
        let row = |row| condition(Test::Row(text.to_owned(), row));
        return Conditions {
            insert: row(Row::New).filter(|_| operations.insert),
            update: condition(Test::BecomesTrue(text.to_owned())).filter(|_| operations.update),
            delete: row(Row::Old).filter(|_| operations.delete),
            transition: None,
        };
    }
    let operations = operations.unwrap_or(Operations {
        insert: false,
        update: true,
        delete: !names.new,
    });
    refuse_what_a_write_lacks(names, operations);
    let write = || condition(Test::Write(text.to_owned()));
    Conditions {
        insert: None,
        update: write().filter(|_| operations.update),
        delete: write().filter(|_| operations.delete),
        transition: None,
    }
}

/// Returns the names in a condition. It raises an error unless that is one expression; PostgreSQL's own error would have a position in the
/// statement that the text was put into.
fn names_in(text: &str) -> Names {
    let names = subtransaction::attempt(|| when::is_single_expression(text).then(|| Names::of(text)));
    let (code, message) = match names {
        Ok(Some(names)) => return names,
        Ok(None) => (
            PgSqlErrorCode::ERRCODE_SYNTAX_ERROR,
            "it must be one expression".to_owned(),
        ),
        Err(failure) => (failure.code(), failure.message().to_owned()),
    };
    refuse(code, &message, "", EXAMPLE)
}

/// Raises an error if the condition refers to a row that one of the operations does not have.
fn refuse_what_a_write_lacks(names: Names, operations: Operations) {
    for (asked, row, write, other) in [
        (operations.insert, "OLD", "an INSERT", "NEW"),
        (operations.delete && names.new, "NEW", "a DELETE", "OLD"),
    ] {
        if asked {
            refuse(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                &format!("it sees {row}, which {write} does not have"),
                "",
                &format!("Give operation => 'update', or a condition over {other} alone."),
            );
        }
    }
}

/// Raises the error that PostgreSQL has raised, in English, for a user's condition, in terms of that condition.
pub fn refuse_for(failure: &Failure, table: &Table) -> ! {
    let name = failure.message().split('"').nth(1);
    let named = name.or_else(|| failure.message().split_whitespace().nth(1));
    let column = named.and_then(|name| name.rsplit('.').next()).unwrap_or_default();
    let columns = format!("The columns of {} are {}.", table.name, table.column_names());
    match failure.code() {
        PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH if failure.message().starts_with("argument of WHEN") => {
            refuse(
                failure.code(),
                "it must be true or false",
                "",
                "For example NEW.status = 'done'.",
            )
        }
        PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN => {
            refuse(failure.code(), failure.message(), &columns, &table.meant(column))
        }
        PgSqlErrorCode::ERRCODE_AMBIGUOUS_COLUMN => refuse(
            failure.code(),
            failure.message(),
            &columns,
            &format!("Write NEW.{column} or OLD.{column}."),
        ),
        // These come from the triggers, not from the condition.
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE => report::error(
            failure.code(),
            failure.message().to_owned(),
            "",
            "Let the table's owner or a superuser do it.",
        ),
        PgSqlErrorCode::ERRCODE_DUPLICATE_OBJECT => report::error(
            failure.code(),
            failure.message().to_owned(),
            "",
            "Rename that trigger.",
        ),
        code => refuse(code, failure.message(), &columns, EXAMPLE),
    }
}

fn refuse(code: PgSqlErrorCode, message: &str, detail: &str, hint: &str) -> ! {
    report::error(
        code,
        format!("the condition cannot be used: {message}"),
        detail,
        hint,
    )
}

/// Raises an error for a condition or an operation of milestone_reached, which fires by counting and not by a write.
pub fn refuse_for_milestones(condition: Option<&str>, operation: Option<&str>) {
    if condition.is_some() || operation.is_some() {
        report::error(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("{MILESTONE} is counted, so it takes no condition and no operation"),
            "",
            "Say which status counts as completed: done => 'closed'.",
        );
    }
}
