//! On which writes an event fires: the conditions of its triggers. `attach_source` makes these under a search path of PostgreSQL's
//! own names, so plain operators are PostgreSQL's.

use std::ffi::CStr;

use pgrx::prelude::*;
use pgrx::{IntoDatum, pg_sys};
use serde_json::{Value, json};

use super::expression::Expression;
use super::guess::{DONE_FLAGS, DONE_LABELS, Guess, STATUS};
use super::table::{Table, text_of};
use crate::event_source::MILESTONE;
use crate::plan::{Plan, with_spi};
use crate::report;
use crate::search_path::SearchPath;
use crate::subtransaction;

const ALWAYS: &str = "true";

/// WHEN of each trigger; None: there is none.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    pub insert: Option<String>,
    pub update: Option<String>,
    pub delete: Option<String>,
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

/// What a task has to be to count as completed.
pub struct Done {
    pub column: String,
    /// As text.
    pub value: String,
}

impl Done {
    /// By the usual names; `given`: the value that the status has then.
    pub fn of(table: &Table, given: Option<&str>) -> Option<Done> {
        let flag = table.first(DONE_FLAGS).filter(|column| column.category == "B");
        if let (Some(flag), None) = (flag, given) {
            return Some(Done {
                column: flag.name.clone(),
                value: "true".to_owned(),
            });
        }
        let status = table
            .first(STATUS)
            .filter(|column| matches!(&*column.category, "S" | "E" | "N"))?;
        let label = |labels: &Vec<String>| {
            DONE_LABELS
                .iter()
                .find(|done| labels.iter().any(|label| label == *done))
                .map(|label| (*label).to_owned())
        };
        let value = match (given, &status.labels) {
            (Some(given), _) => given.to_owned(),
            (None, Some(labels)) => label(labels)?,
            (None, None) if status.category == "S" => DONE_LABELS[0].to_owned(),
            (None, None) => return None,
        };
        Some(Done {
            column: status.name.clone(),
            value,
        })
    }

    fn sql(&self, row: &str) -> String {
        format!(
            "{row}.{} = {}",
            quoted(&self.column),
            pgrx::spi::quote_literal(&self.value)
        )
    }

    fn became(&self) -> Conditions {
        Conditions {
            insert: Some(self.sql("NEW")),
            update: Some(format!(
                "({}) AND ({}) IS NOT TRUE",
                self.sql("NEW"),
                self.sql("OLD")
            )),
            delete: None,
        }
    }

    /// Whatever can make the share of a group's completed tasks rise.
    pub fn progressed(&self, group: &str) -> Conditions {
        let group = quoted(group);
        Conditions {
            insert: Some(self.sql("NEW")),
            update: Some(format!(
                "(({}) AND ({}) IS NOT TRUE) OR NEW.{group} IS DISTINCT FROM OLD.{group}",
                self.sql("NEW"),
                self.sql("OLD")
            )),
            delete: Some(format!("({}) IS NOT TRUE", self.sql("OLD"))),
        }
    }

    pub fn progress(&self, group: &str) -> Value {
        json!({ "group": group, "status": self.column, "done": self.value })
    }
}

/// Without a condition of the user's.
pub fn usual(guess: &Guess, done: Option<&str>, operations: Option<Operations>) -> Conditions {
    let mut conditions = match guess.event {
        "task_completed" => match Done::of(guess.table, done) {
            Some(done) => done.became(),
            None => nothing_says(
                guess,
                "when a task is completed",
                "condition => 'NEW.status = ''done'''",
            ),
        },
        "daily_streak" => match guess.streak_column() {
            Some(column) => {
                let column = quoted(&column.name);
                Conditions {
                    insert: (!guess.is_people()).then(|| format!("NEW.{column} > 0")),
                    update: Some(format!("NEW.{column} > OLD.{column}")),
                    delete: None,
                }
            }
            None => nothing_says(
                guess,
                "how long a streak is",
                "condition => 'NEW.days > OLD.days'",
            ),
        },
        _ => Conditions {
            insert: Some(ALWAYS.to_owned()),
            // Compares images, so that no type is without an operator.
            update: operations.map(|_| "OLD.* *<> NEW.*".to_owned()),
            delete: operations.map(|_| ALWAYS.to_owned()),
        },
    };
    if let Some(operations) = operations {
        conditions.insert = conditions.insert.filter(|_| operations.insert);
        conditions.update = conditions.update.filter(|_| operations.update);
        conditions.delete = operations
            .delete
            .then(|| conditions.delete.unwrap_or_else(|| ALWAYS.to_owned()));
    }
    conditions
}

fn nothing_says(guess: &Guess, what: &str, example: &str) -> ! {
    report::error(
        PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
        format!("no column of table {} says {what}", guess.table.name),
        &format!("Its columns are {}.", guess.table.column_names()),
        &format!("Say so: {example}."),
    )
}

/// With the user's own condition, whose names are looked for under `path`. Where it says nothing of OLD, an update fires when it
/// has become true.
pub fn given(text: &str, guess: &Guess, operations: Option<Operations>, path: &CStr) -> Conditions {
    let table = guess.table;
    if let Ok(condition) = Expression::over_row(text, table, path) {
        require_condition(&condition);
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
        let (new, old) = (condition.sql(c"new"), condition.sql(c"old"));
        return Conditions {
            insert: operations.insert.then(|| new.clone()),
            update: operations
                .update
                .then(|| format!("({new}) AND ({old}) IS NOT TRUE")),
            delete: operations.delete.then_some(old),
        };
    }
    match Expression::over_write(text, table, path) {
        Ok(condition) => over_write(&condition, guess, operations, path),
        Err(failure) => {
            let name = failure.message().split('"').nth(1).unwrap_or_default();
            let hint = match failure.code() {
                PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN => {
                    table.meant(name.rsplit('.').next().unwrap_or(name))
                }
                PgSqlErrorCode::ERRCODE_AMBIGUOUS_COLUMN => format!("Write NEW.{name} or OLD.{name}."),
                _ => "It is SQL over OLD and NEW, such as NEW.status = 'done' AND OLD.status <> 'done'."
                    .to_owned(),
            };
            refuse(
                failure.code(),
                format!("{failure}"),
                &format!("The columns of {} are {}.", table.name, table.column_names()),
                &hint,
            )
        }
    }
}

fn over_write(
    condition: &Expression,
    guess: &Guess,
    operations: Option<Operations>,
    path: &CStr,
) -> Conditions {
    require_condition(condition);
    let operations = operations.unwrap_or(Operations {
        insert: false,
        update: true,
        delete: condition.columns.is_empty(),
    });
    if operations.insert && condition.uses_old {
        refuse(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "it sees OLD, which an INSERT does not have".to_owned(),
            "",
            "Give operation => 'update', or a condition over NEW alone.",
        );
    }
    if operations.delete && !condition.columns.is_empty() {
        refuse(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "it sees NEW, which a DELETE does not have".to_owned(),
            "",
            "Give operation => 'update', or a condition over OLD alone.",
        );
    }
    let probe = |operation| probe(condition.given(), guess.table, operation, path);
    Conditions {
        insert: operations.insert.then(|| probe("INSERT")),
        update: operations.update.then(|| probe("UPDATE")),
        delete: operations.delete.then(|| probe("DELETE")),
    }
}

/// The condition as PostgreSQL writes it, with every name qualified: a trigger is made with the caller's rights, read, and dropped.
fn probe(condition: &str, table: &Table, operation: &str, path: &CStr) -> String {
    const PROBE: &str = "zentry_notify_probe";
    const READ: &str = "SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t WHERE t.tgrelid = $1 AND t.tgname = 'zentry_notify_probe'";
    let run = |sql: &str| with_spi(|| Plan::prepare(sql, &[]).execute(&[]).len());
    let made = subtransaction::attempt(|| {
        let _path = SearchPath::set(path);
        run(&format!(
            "CREATE TRIGGER {PROBE} AFTER {operation} ON {} FOR EACH ROW WHEN ({condition}\n) EXECUTE FUNCTION zentry_notify.capture()",
            table.name
        ))
    });
    if let Err(failure) = made {
        refuse(
            failure.code(),
            failure.to_string(),
            "",
            "It is SQL over OLD and NEW, without sub-selects.",
        );
    }
    let oid = pg_sys::Oid::from(table.oid);
    let definition = text_of(READ, &[(oid.into_datum(), pg_sys::OIDOID)]).unwrap_or_default();
    run(&format!("DROP TRIGGER {PROBE} ON {}", table.name));
    let when = definition
        .split_once(" WHEN (")
        .and_then(|(_, rest)| rest.rsplit_once(") EXECUTE FUNCTION "));
    match when {
        Some((when, _)) => when.to_owned(),
        None => refuse(
            PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
            format!("PostgreSQL shows it as {definition}"),
            "",
            "Please report this.",
        ),
    }
}

fn require_condition(condition: &Expression) {
    if condition.has_sub_select {
        refuse(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            "it has a sub-select, which a trigger's condition cannot have".to_owned(),
            "",
            "Compare columns of the table. What other tables say can be among the data, and webhooks can filter by them.",
        );
    }
    if condition.type_oid != pg_sys::BOOLOID {
        refuse(
            PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
            "it must be true or false".to_owned(),
            "",
            "For example NEW.status = 'done'.",
        );
    }
}

fn refuse(code: PgSqlErrorCode, message: String, detail: &str, hint: &str) -> ! {
    report::error(
        code,
        format!("the condition cannot be used: {message}"),
        detail,
        hint,
    )
}

fn quoted(name: &str) -> String {
    pgrx::spi::quote_identifier(name)
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
