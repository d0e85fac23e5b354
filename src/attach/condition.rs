//! On which writes an event fires: what its triggers ask.
//!
//! Most ask nothing: `capture` does, by `event_source.transition` or `progress`, so that no trigger stands in the way of ALTER TABLE.
//! What a user gives is PostgreSQL's own WHEN, read once, in the call that gives it.

use pgrx::PgRelation;
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::done::Done;
use super::guess::Guess;
use super::operator::Compare;
use super::source::Source;
use super::table::{Column, Table};
use crate::event_source::MILESTONE;
use crate::pg::make_trigger::Operation;
use crate::pg::when::{self, Names, Row, When};
use crate::report;
use crate::subtransaction::{self, Failure};

/// In words for people; also a trigger without a WHEN.
pub const ALWAYS: &str = "true";
/// Compares images, so that no type is without an operator.
pub const CHANGED: &str = "OLD.* *<> NEW.*";

const EXAMPLE: &str = "It is SQL over OLD and NEW, such as NEW.status = 'done' AND OLD.status <> 'done'.";

/// What a trigger asks with its WHEN.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    Nothing,
    /// SQL over OLD and NEW.
    Write(String),
    /// SQL over one row.
    Row(String, Row),
    /// SQL over one row, that holds of the new one and did not hold of the old one.
    BecomesTrue(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// For people, in `event_source`.
    pub words: String,
    pub test: Test,
}

/// Of each trigger; None: there is none.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    pub insert: Option<Condition>,
    pub update: Option<Condition>,
    pub delete: Option<Condition>,
    pub transition: Option<Value>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Operations {
    pub insert: bool,
    pub update: bool,
    pub delete: bool,
}

impl Operations {
    /// `insert, update`, in any order and case.
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
    /// The WHEN for the table. Names in it are looked for as the role and under the search path that rule.
    pub fn read(&self, table: &PgRelation) -> Option<When> {
        match self {
            Test::Nothing => None,
            Test::Write(sql) => Some(When::over_write(sql, table)),
            Test::Row(sql, row) => Some(When::over_row(sql, *row, table)),
            Test::BecomesTrue(sql) => Some(When::has_become_true(sql, table)),
        }
    }
}

impl Condition {
    fn new(words: &str, test: Test) -> Self {
        Condition {
            words: words.to_owned(),
            test,
        }
    }

    /// A trigger that asks nothing; what `capture` asks is in the words.
    pub fn unasked(words: &str) -> Self {
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

    fn slot(&mut self, operation: Operation) -> &mut Option<Condition> {
        match operation {
            Operation::Insert => &mut self.insert,
            Operation::Update => &mut self.update,
            Operation::Delete => &mut self.delete,
        }
    }

    pub fn words(&self, operation: Operation) -> Option<String> {
        self.get(operation).map(|condition| condition.words.clone())
    }

    fn only(mut self, operations: Operations) -> Self {
        self.insert = self.insert.filter(|_| operations.insert);
        self.update = self.update.filter(|_| operations.update);
        self.delete = operations
            .delete
            .then(|| self.delete.unwrap_or_else(|| Condition::unasked(ALWAYS)));
        self
    }
}

/// Without a condition of the user's.
pub fn usual(guess: &Guess, done: Option<&str>, operations: Option<Operations>) -> Conditions {
    let conditions = match guess.event {
        "task_completed" => match Done::of(guess.table, done) {
            Some(done) => done.becomes(),
            None => nothing_says(
                guess,
                "when a task is completed",
                "condition => 'NEW.status = ''done'''",
            ),
        },
        "daily_streak" => match guess.streak_column() {
            Some(column) => rises(column, !guess.is_people()).unwrap_or_else(|| {
                report::error(
                    PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
                    format!(
                        "column \"{}\" of table {} is of type {}, of which no value is greater than another",
                        column.name, guess.table.name, column.r#type
                    ),
                    "",
                    "Say when a streak rises: condition => '...'.",
                )
            }),
            None => nothing_says(
                guess,
                "how long a streak is",
                "condition => 'NEW.days > OLD.days'",
            ),
        },
        _ => Conditions {
            insert: Some(Condition::unasked(ALWAYS)),
            update: operations.map(|_| Condition::new(CHANGED, Test::Write(CHANGED.to_owned()))),
            delete: operations.map(|_| Condition::unasked(ALWAYS)),
            transition: None,
        },
    };
    match operations {
        Some(operations) => conditions.only(operations),
        None => conditions,
    }
}

/// A write that makes the column greater; and a new row in which it is not 0, if `insert`. None: the column's type has no order.
pub fn rises(column: &Column, insert: bool) -> Option<Conditions> {
    let name = column.quoted();
    let words = (format!("NEW.{name} > 0"), format!("NEW.{name} > OLD.{name}"));
    let (on_insert, on_update) = if column.is_integer() {
        (Test::Nothing, Test::Nothing)
    } else {
        let greater = Compare::greater(column)?;
        (
            Test::Write(format!("NEW.{name} {greater} '0'")),
            Test::Write(format!("NEW.{name} {greater} OLD.{name}")),
        )
    };
    Some(Conditions {
        insert: insert.then(|| Condition::new(&words.0, on_insert)),
        update: Some(Condition::new(&words.1, on_update)),
        delete: None,
        transition: Some(json!({ "column": column.name, "rises": true })),
    })
}

fn nothing_says(guess: &Guess, what: &str, example: &str) -> ! {
    report::error(
        PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
        format!("no column of table {} says {what}", guess.table.name),
        &format!("Its columns are {}.", guess.table.column_names()),
        &format!("Say so: {example}."),
    )
}

/// Of a source as it is recorded; None: a user's own condition, which only who gives it can have read.
pub fn recorded(source: &Source, table: &Table) -> Option<Conditions> {
    let given = |operation: Operation| match operation {
        Operation::Insert => source.insert_when.as_deref(),
        Operation::Update => source.update_when.as_deref(),
        Operation::Delete => source.delete_when.as_deref(),
    };
    let transition = source.transition.as_ref();
    let asked = match transition {
        Some(transition) if transition.get("rises").is_some() => {
            let column = table.column(transition.get("column")?.as_str()?)?;
            rises(column, true)
        }
        Some(transition) => {
            Done::recorded(table, transition.get("column")?, transition.get("to")?).map(|done| done.becomes())
        }
        None => None,
    };
    let mut conditions = Conditions {
        transition: source.transition.clone(),
        ..Conditions::default()
    };
    for operation in Operation::ALL {
        let Some(words) = given(operation) else { continue };
        let test = match asked.as_ref().and_then(|asked| asked.get(operation)) {
            Some(condition) => condition.test.clone(),
            None if source.progress.is_some() || words == ALWAYS => Test::Nothing,
            None if words == CHANGED => Test::Write(CHANGED.to_owned()),
            None => return None,
        };
        *conditions.slot(operation) = Some(Condition::new(words, test));
    }
    Some(conditions)
}

/// With the user's own condition. Where it says nothing of OLD, an update fires when it has become true.
pub fn given(text: &str, guess: &Guess, operations: Option<Operations>) -> Conditions {
    let names = read(text);
    if names.sub_select {
        refuse(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            "it has a sub-select, which a trigger's condition cannot have",
            "",
            "Compare columns of the table. What other tables say can be among the data, and webhooks can filter by them.",
        );
    }
    // What stands in event_source for a trigger that asks nothing is nobody's condition.
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

/// An error unless it is one expression. PostgreSQL's own would point into a text that nobody has written.
fn read(text: &str) -> Names {
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

/// What PostgreSQL said of the user's condition, in words for who gave it.
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
        // Of the triggers, and not of what was given.
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE | PgSqlErrorCode::ERRCODE_DUPLICATE_OBJECT => {
            report::error(failure.code(), failure.message().to_owned(), "", "")
        }
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

/// Milestones are counted, and a condition would not be what counts.
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
