//! Conditions that no user has given: the usual ones of the built-in events, and those that are recorded in `event_source`.

use pgrx::prelude::*;
use serde_json::json;

use super::condition::{ALWAYS, CHANGED, Condition, Conditions, Operations, Test};
use super::done::Done;
use super::guess::Guess;
use super::operator::Compare;
use super::source::Source;
use super::table::{Column, Table};
use crate::pg::make_trigger::Operation;
use crate::pg::when::Row;
use crate::report;

/// Returns the conditions of a source without a condition of the user's. It raises an error if the table has no column that they could be about.
pub fn usual(guess: &Guess, done: Option<&str>, operations: Option<Operations>) -> Conditions {
    let conditions = match guess.event {
        "task_completed" => match Done::of(guess.table, done) {
            Some(done) => done_becomes(&done),
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
            insert: Some(Condition::without_when(ALWAYS)),
            update: operations.map(|_| Condition::new(CHANGED, Test::Write(CHANGED.to_owned()))),
            delete: operations.map(|_| Condition::without_when(ALWAYS)),
            transition: None,
        },
    };
    match operations {
        Some(operations) => conditions.only(operations),
        None => conditions,
    }
}

/// Returns the conditions that an UPDATE makes the column greater, and, with `insert`, that it is greater than 0 in a new row. None: the column's
/// type has no order.
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

/// Returns the conditions of a source as it is recorded. None: one of them is a user's own, which is parsed only in the call that gives it.
pub fn recorded(source: &Source, table: &Table) -> Option<Conditions> {
    let given = |operation: Operation| match operation {
        Operation::Insert => source.insert_when.as_deref(),
        Operation::Update => source.update_when.as_deref(),
        Operation::Delete => source.delete_when.as_deref(),
    };
    let transition = source.transition.as_ref();
    let by_transition = match transition {
        Some(transition) if transition.get("rises").is_some() => {
            let column = table.column(transition.get("column")?.as_str()?)?;
            rises(column, true)
        }
        Some(transition) => Done::recorded(table, transition.get("column")?, transition.get("to")?)
            .map(|done| done_becomes(&done)),
        None => None,
    };
    let mut conditions = Conditions {
        transition: source.transition.clone(),
        ..Conditions::default()
    };
    for operation in Operation::ALL {
        let Some(words) = given(operation) else { continue };
        let test = match by_transition.as_ref().and_then(|known| known.get(operation)) {
            Some(condition) => condition.test.clone(),
            None if source.progress.is_some() || words == ALWAYS => Test::Nothing,
            None if words == CHANGED => Test::Write(CHANGED.to_owned()),
            None => return None,
        };
        *conditions.get_mut(operation) = Some(Condition::new(words, test));
    }
    Some(conditions)
}

/// Returns the conditions that a write completes a task.
fn done_becomes(done: &Done) -> Conditions {
    let (insert, update) = match Compare::equality(done.column) {
        // Then `capture` tests it.
        equality if equality.built_in => (Test::Nothing, Test::Nothing),
        equality => {
            let value = pgrx::spi::quote_literal(&done.value);
            let sql = format!("{} {equality} {value}", done.column.quoted());
            (Test::Row(sql.clone(), Row::New), Test::BecomesTrue(sql))
        }
    };
    Conditions {
        insert: Some(Condition {
            words: done.words("NEW"),
            test: insert,
        }),
        update: Some(Condition {
            words: format!("({}) AND ({}) IS NOT TRUE", done.words("NEW"), done.words("OLD")),
            test: update,
        }),
        delete: None,
        transition: Some(json!({ "column": done.column.name, "to": done.value })),
    }
}

/// Returns the conditions of a source of milestones: every write, of which `capture` takes those that change a project's progress.
pub fn progressed() -> Conditions {
    let any = || Some(Condition::without_when(ALWAYS));
    Conditions {
        insert: any(),
        update: any(),
        delete: any(),
        transition: None,
    }
}
