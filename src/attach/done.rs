//! What a task has to be to count as completed.

use serde_json::{Value, json};

use super::guess::{DONE_FLAGS, DONE_LABELS, STATUS};
use super::table::{Column, Table};

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

    /// SQL of it for `row`.
    pub fn words(&self, row: &str) -> String {
        let value = pgrx::spi::quote_literal(&self.value);
        format!("{row}.{} = {value}", self.column.quoted())
    }

    pub fn progress(&self, group: &str) -> Value {
        json!({ "group": group, "status": self.column.name, "done": self.value })
    }
}
