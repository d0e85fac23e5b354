//! What a task has to be to count as completed.

use serde_json::{Value, json};

use super::condition::{ALWAYS, Condition, Conditions, Test};
use super::guess::{DONE_FLAGS, DONE_LABELS, STATUS};
use super::operator::Compare;
use super::table::{Column, Table};
use crate::pg::when::Row;

pub struct Done<'a> {
    pub column: &'a Column,
    /// As text.
    pub value: String,
}

impl<'a> Done<'a> {
    /// By the usual names; `given`: the value that the status has then.
    pub fn of(table: &'a Table, given: Option<&str>) -> Option<Self> {
        let flag = table.first(DONE_FLAGS).filter(|column| column.category == "B");
        if let (Some(flag), None) = (flag, given) {
            return Some(Done {
                column: flag,
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
            column: status,
            value,
        })
    }

    /// As `event_source.transition` or `progress` has it.
    pub fn recorded(table: &'a Table, column: &Value, value: &Value) -> Option<Self> {
        Some(Done {
            column: table.column(column.as_str()?)?,
            value: value.as_str()?.to_owned(),
        })
    }

    fn words(&self, row: &str) -> String {
        let value = pgrx::spi::quote_literal(&self.value);
        format!("{row}.{} = {value}", self.column.quoted())
    }

    /// A write after which a task is completed that was not before it.
    pub fn becomes(&self) -> Conditions {
        let (insert, update) = match Compare::equality(self.column) {
            // The trigger asks.
            equality if equality.built_in => (Test::Nothing, Test::Nothing),
            equality => {
                let value = pgrx::spi::quote_literal(&self.value);
                let sql = format!("{} {equality} {value}", self.column.quoted());
                (Test::Row(sql.clone(), Row::New), Test::BecomesTrue(sql))
            }
        };
        Conditions {
            insert: Some(Condition {
                words: self.words("NEW"),
                test: insert,
            }),
            update: Some(Condition {
                words: format!("({}) AND ({}) IS NOT TRUE", self.words("NEW"), self.words("OLD")),
                test: update,
            }),
            delete: None,
            transition: Some(json!({ "column": self.column.name, "to": self.value })),
        }
    }

    /// Whatever can change the share of a group's completed tasks: the trigger asks by `progress`.
    pub fn progressed() -> Conditions {
        let any = || Some(Condition::unasked(ALWAYS));
        Conditions {
            insert: any(),
            update: any(),
            delete: any(),
            transition: None,
        }
    }

    pub fn progress(&self, group: &str) -> Value {
        json!({ "group": group, "status": self.column.name, "done": self.value })
    }
}
