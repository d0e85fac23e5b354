//! A delivery as the log shows it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::Row;
use utoipa::ToSchema;

use crate::queries::times;

/// A delivery, in the format of Zentry's serializer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Entry {
    pub id: i64,
    /// The integration's id
    pub webhook_integration: i64,
    pub webhook_integration_name: Option<String>,
    /// The type of the webhook
    pub webhook_type: Option<String>,
    pub event_type: String,
    /// The event's data
    #[schema(value_type = Object)]
    pub payload: Value,
    /// `pending`, `retry` (waits for its next attempt), `sent` or `failed`
    pub status: String,
    /// The HTTP status of the last response; null: no response
    pub response_status_code: Option<i32>,
    /// The first 1000 characters of the last response
    pub response_body: String,
    /// The last error; empty: none
    pub error_message: String,
    /// Number of times that it was re-sent by hand
    pub retry_count: i32,
    #[serde(serialize_with = "times::iso")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[serde(serialize_with = "times::iso_or_null")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub sent_at: Option<Timestamp>,
    /// The delivery that re-sends this one, if it failed. It is not part of the API.
    #[serde(skip)]
    pub retried_as: Option<i64>,
    /// The failed delivery that this one re-sends. It is not part of the API.
    #[serde(skip)]
    pub retry_of: Option<i64>,
}

impl Entry {
    /// Returns a short description of the event from its data; empty if they have no known form.
    pub fn about(&self) -> Option<String> {
        const KEYS: [&str; 9] = [
            "task_title",
            "title",
            "badge_name",
            "milestone_name",
            "project_name",
            "name",
            "webhook_name",
            "user_name",
            "message",
        ];
        let said = |key: &&str| self.payload.get(key)?.as_str().filter(|text| !text.is_empty());
        let mut words: Vec<&str> = KEYS.iter().filter_map(said).collect();
        words.truncate(2);
        (!words.is_empty()).then(|| words.join(" · "))
    }

    /// Returns whether it can be re-sent: it failed and was not re-sent yet, or waits for its next attempt.
    pub fn can_be_retried(&self) -> bool {
        matches!(self.status.as_str(), "failed" | "retry") && self.retried_as.is_none()
    }
}

/// The columns of an [`Entry`], of `zentry_notify.logs l`.
pub const COLUMNS: &str = "l.id, l.webhook_integration_id, l.webhook_integration_name, l.webhook_type, l.event_type, l.payload, l.status, \
                       l.response_status_code, l.response_body, l.error_message, l.retry_count, l.created_at, l.sent_at, l.retried_as, l.retry_of";

impl From<&Row> for Entry {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            webhook_integration: row.get("webhook_integration_id"),
            webhook_integration_name: row.get("webhook_integration_name"),
            webhook_type: row.get("webhook_type"),
            event_type: row.get("event_type"),
            payload: row.get("payload"),
            status: row.get("status"),
            response_status_code: row.get("response_status_code"),
            response_body: row.get("response_body"),
            error_message: row.get("error_message"),
            retry_count: row.get("retry_count"),
            created_at: row.get("created_at"),
            sent_at: row.get("sent_at"),
            retried_as: row.get("retried_as"),
            retry_of: row.get("retry_of"),
        }
    }
}
