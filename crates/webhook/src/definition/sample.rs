//! Sample data of the built-in event types, for previews and tests.

use serde_json::{Map, Value, json};

use super::builtin::{TEST, TROUBLE};
use super::context::Data;
use super::event_definition::EventDefinition;
use crate::card::humanised;
use crate::event::SAMPLE_KEY;

pub(super) fn is_sample(data: &Data) -> bool {
    data.get(SAMPLE_KEY) == Some(&Value::Bool(true))
}

/// Returns data for an event type without a sample: for each key that its templates use, the key in words.
pub fn placeholder(definition: &EventDefinition) -> Map<String, Value> {
    let value = |key: &str| match key {
        "id" => 1.into(),
        _ if key.ends_with("_id") => 1.into(),
        _ if definition.time_key.as_deref() == Some(key) => "2024-01-15T10:30:00Z".into(),
        _ => humanised(key).into(),
    };
    definition
        .keys()
        .into_iter()
        .map(|key| (key.clone(), value(&key)))
        .collect()
}

/// Returns sample data of a built-in event type, with exactly its keys and types; `None` for other types.
pub fn sample(event_type: &str) -> Option<Map<String, Value>> {
    let data = match event_type {
        "task_completed" => json!({
            "task_id": 4211,
            "task_title": "Write the release notes",
            "task_description": "Collect what has changed since the last release and have it read by somebody else.",
            "user_name": "alice",
            "user_id": 17,
            "project_name": "Website Relaunch",
            "project_id": 3,
            "points": 25,
            "completed_at": "2024-01-15T10:30:00Z",
        }),
        "badge_earned" => json!({
            "badge_id": 8,
            "badge_name": "Task Master",
            "badge_description": "Complete 100 tasks.",
            "user_name": "alice",
            "user_id": 17,
            "earned_at": "2024-01-15T10:30:00Z",
        }),
        "project_created" => json!({
            "project_id": 3,
            "project_name": "Website Relaunch",
            "project_description": "A new face for our website, ready before the spring fair.",
            "user_name": "bob",
            "user_id": 12,
            "created_at": "2024-01-15T10:30:00Z",
        }),
        "milestone_reached" => json!({
            "milestone_name": "50% Project Completion",
            "project_name": "Website Relaunch",
            "project_id": 3,
            "progress": 50,
            "user_name": "bob",
            "user_id": 12,
        }),
        "daily_streak" => json!({
            "user_name": "alice",
            "user_id": 17,
            "streak_days": 7,
            "streak_type": "Daily task completion",
        }),
        TROUBLE => json!({
            "webhook_id": 7,
            "webhook_name": "Backend channel",
            "what": "fails",
            "reason": "500: Internal Server Error",
        }),
        TEST => json!({ "message": "Test message from Zentry!" }),
        _ => return None,
    };
    match data {
        Value::Object(data) => Some(data),
        _ => None,
    }
}
