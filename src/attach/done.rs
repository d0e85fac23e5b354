//! The column and the value by which a task counts as completed.

use serde_json::{Value, json};

use super::guess::{DONE_FLAGS, DONE_LABELS, STATUS};
use super::table::{Column, Table};

/// A task is completed when the column has the value.
pub struct Done<'a> {
    pub column: &'a Column,
    /// The text of the value.
    pub value: String,
}

impl<'a> Done<'a> {
    /// Finds the column by its usual names. `given` is the status of a completed task; without it, a boolean column or a usual value is taken. None: there
    /// is no such column, or no such value.
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

    /// Returns what `event_source.transition` or `progress` says. None: the column does not exist.
    pub fn recorded(table: &'a Table, column: &Value, value: &Value) -> Option<Self> {
        Some(Done {
            column: table.column(column.as_str()?)?,
            value: value.as_str()?.to_owned(),
        })
    }

    /// Returns the condition in SQL, over `row`, for people.
    pub fn words(&self, row: &str) -> String {
        let value = pgrx::spi::quote_literal(&self.value);
        format!("{row}.{} = {value}", self.column.quoted())
    }

    /// Returns `event_source.progress` for tasks that are grouped by the column `group`.
    pub fn progress(&self, group: &str) -> Value {
        json!({ "group": group, "status": self.column.name, "done": self.value })
    }
}
