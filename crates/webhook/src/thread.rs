//! Threads of a channel: which events belong to the same one.

use std::str::FromStr;

use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

/// The maximum length of an id. An application's are shorter.
const MAX_ID: usize = 100;

/// What the events of a thread have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThreadBy {
    /// The `task_id` of their data.
    Task,
    /// The `project_id` of their data.
    Project,
}

/// The error for a text that is neither of them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("events are not put into threads by \"{0}\"")]
pub struct UnknownThread(String);

impl UnknownThread {
    /// The HINT: what to write instead.
    pub fn hint(&self) -> &'static str {
        "task or project; null: each message begins a thread of its own."
    }
}

impl FromStr for ThreadBy {
    type Err = UnknownThread;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "task" => Ok(Self::Task),
            "project" => Ok(Self::Project),
            _ => Err(UnknownThread(text.chars().take(MAX_ID).collect())),
        }
    }
}

impl ThreadBy {
    /// Returns the key of an event's thread; `None`: it does not belong to a task or project.
    pub fn key(self, data: &Map<String, Value>) -> Option<String> {
        let what = match self {
            Self::Task => "task",
            Self::Project => "project",
        };
        self.id(data).map(|id| format!("{what}-{id}"))
    }

    /// Returns the id of the task, or of the project.
    pub fn id(self, data: &Map<String, Value>) -> Option<String> {
        let key = match self {
            Self::Task => "task_id",
            Self::Project => "project_id",
        };
        let id = match data.get(key)? {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.clone(),
            _ => return None,
        };
        let fits = (1..=MAX_ID).contains(&id.len()) && !id.chars().any(char::is_control);
        fits.then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_a_thing_have_its_thread() {
        let key = |by: ThreadBy, data: Value| by.key(data.as_object().unwrap_or(&Map::new()));
        let data = serde_json::json!({"task_id": 7, "project_id": "a1"});
        assert_eq!(key(ThreadBy::Task, data.clone()).as_deref(), Some("task-7"));
        assert_eq!(key(ThreadBy::Project, data).as_deref(), Some("project-a1"));
        for id in [
            Value::Null,
            Value::from(""),
            Value::from("a\nb"),
            Value::from("x".repeat(101)),
            serde_json::json!([1]),
        ] {
            assert_eq!(key(ThreadBy::Task, serde_json::json!({ "task_id": id })), None);
        }
        assert_eq!(key(ThreadBy::Task, serde_json::json!({})), None);
    }
}
