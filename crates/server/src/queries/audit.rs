//! The audit log: changes of the configuration.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};
use utoipa::ToSchema;

use super::Slice;
use crate::database::Session;

/// A change of the configuration
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Change {
    pub id: String,
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
    /// The transaction id; changes of one transaction have the same
    pub transaction: String,
    /// The role that logged in
    pub session_role: String,
    /// The role that made the change: the same, or the one set by SET ROLE
    pub role_name: String,
    /// The name of the token, if the change came through the REST API or the admin pages; null: it did not
    pub api_token: Option<String>,
    /// `webhook`, `event_type`, `wording`, `event_source` or `api_token`
    pub object_type: String,
    /// The key of the object: an id, a name or a token's key; null: all
    pub object_key: Option<String>,
    /// The name of the object at that time
    pub object_name: Option<String>,
    /// The webhook that was changed or that the wording is for
    pub webhook_id: Option<i64>,
    /// `insert`, `update`, `delete` or `truncate`
    pub operation: String,
    /// Column -> {"old": value, "new": value}; values of secrets are not shown
    #[schema(value_type = Object)]
    pub changes: Value,
}

impl From<&Row> for Change {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            changed_at: row.get("changed_at"),
            transaction: row.get("transaction"),
            session_role: row.get("session_role"),
            role_name: row.get("role_name"),
            api_token: row.get("api_token"),
            object_type: row.get("object_type"),
            object_key: row.get("object_key"),
            object_name: row.get("object_name"),
            webhook_id: row.get("webhook_id"),
            operation: row.get("operation"),
            changes: row.get("changes"),
        }
    }
}

impl Change {
    /// Returns who made the change, for display.
    pub fn who(&self) -> String {
        let Self {
            session_role,
            role_name,
            api_token,
            ..
        } = self;
        match api_token {
            Some(token) => format!("{role_name}, token \"{token}\""),
            None if role_name == "zentry_notify_agent" => "the worker".to_owned(),
            None if role_name == session_role => role_name.clone(),
            None => format!("{role_name}, logged in as {session_role}"),
        }
    }

    /// Returns what was changed, for display.
    pub fn what(&self) -> String {
        let kind = self.object_type.replace('_', " ");
        let Some(key) = &self.object_key else {
            return format!("every {kind}");
        };
        match (&self.object_name, self.object_type.as_str(), self.webhook_id) {
            (Some(name), "wording", Some(id)) => format!("{kind} {key} of webhook {id} ({name})"),
            (None, "wording", Some(id)) => format!("{kind} {key} of webhook {id}"),
            (Some(name), ..) if name != key => format!("{kind} {key} ({name})"),
            _ => format!("{kind} {key}"),
        }
    }

    /// Returns a line for each changed column, with its values.
    pub fn lines(&self) -> Vec<(&str, String)> {
        let columns = self.changes.as_object().into_iter().flatten();
        columns
            .map(|(column, values)| {
                let (old, new) = (said(&values["old"]), said(&values["new"]));
                let text = match self.operation.as_str() {
                    "insert" => new,
                    "delete" => old,
                    _ => format!("{old} → {new}"),
                };
                (column.as_str(), text)
            })
            .collect()
    }
}

/// Returns a value, for display.
fn said(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Filters for changes; `None`: all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub webhook: Option<i64>,
    pub object_type: Option<String>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// The values of `object_type`.
pub const OBJECT_TYPES: [&str; 5] = ["webhook", "event_type", "wording", "event_source", "api_token"];

const MATCHES: &str = "FROM zentry_notify.audit_log a \
     WHERE ($1::bigint IS NULL OR a.webhook_id = $1) AND ($2::text IS NULL OR a.object_type = $2) \
       AND ($3::timestamptz IS NULL OR a.changed_at >= $3) AND ($4::timestamptz IS NULL OR a.changed_at < $4)";

const COLUMNS: &str = "a.id::text, a.changed_at, a.transaction::text, a.session_role::text, a.role_name::text, a.api_token::text, a.object_type, \
     a.object_key, a.object_name, a.webhook_id, a.operation, a.changes";

impl Filter {
    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        let Self {
            webhook,
            object_type,
            since,
            until,
        } = self;
        vec![webhook, object_type, since, until]
    }
}

pub async fn count(session: &Session<'_>, filter: &Filter) -> Result<i64, Error> {
    let sql = format!("SELECT count(*) {MATCHES}");
    let row = session.query_one(&sql, &filter.values()).await?;
    Ok(row.get(0))
}

/// Returns changes, newest first.
pub async fn list(session: &Session<'_>, filter: &Filter, slice: Slice) -> Result<Vec<Change>, Error> {
    let sql = format!("SELECT {COLUMNS} {MATCHES} ORDER BY a.changed_at DESC, a.id LIMIT $5 OFFSET $6");
    let mut values = filter.values();
    values.extend([&slice.limit as &(dyn ToSql + Sync), &slice.offset]);
    let rows = session.query(&sql, &values).await?;
    Ok(rows.iter().map(Change::from).collect())
}

/// Returns what this transaction has changed so far, in that order.
pub async fn of_this_transaction(session: &Session<'_>) -> Result<Vec<Change>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM zentry_notify.audit_log a \
          WHERE a.changed_at >= now() AND a.transaction = pg_current_xact_id_if_assigned() ORDER BY a.changed_at"
    );
    let rows = session.query(&sql, &[]).await?;
    Ok(rows.iter().map(Change::from).collect())
}

/// Returns whether all changes are logged; they are not if a trigger is disabled.
pub async fn is_complete(session: &Session<'_>) -> Result<bool, Error> {
    const SQL: &str = "SELECT count(*) = 6 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid \
        WHERE t.tgname = 'audit' AND t.tgenabled IN ('O', 'A') AND c.relnamespace = 'zentry_notify'::regnamespace \
          AND c.relname IN ('webhook', 'webhook_secret', 'event_type', 'event_wording', 'event_source', 'api_token')";
    let row = session.query_one(SQL, &[]).await?;
    Ok(row.get(0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_is_told_in_words() {
        let mut change = Change {
            id: String::new(),
            changed_at: Timestamp::UNIX_EPOCH,
            transaction: "1".to_owned(),
            session_role: "login".to_owned(),
            role_name: "lead".to_owned(),
            api_token: Some("front end".to_owned()),
            object_type: "event_source".to_owned(),
            object_key: Some("daily_streak".to_owned()),
            object_name: Some("public.users_user".to_owned()),
            webhook_id: None,
            operation: "update".to_owned(),
            changes: json!({"omit": {"old": null, "new": ["user_id"]}, "rider": {"old": "a", "new": null}}),
        };
        assert_eq!(change.who(), "lead, token \"front end\"");
        assert_eq!(change.what(), "event source daily_streak (public.users_user)");
        assert_eq!(
            change.lines(),
            [
                ("omit", "nothing → [\"user_id\"]".to_owned()),
                ("rider", "a → nothing".to_owned())
            ]
        );
        change.api_token = None;
        assert_eq!(change.who(), "lead, logged in as login");
        change.role_name = "zentry_notify_agent".to_owned();
        assert_eq!(change.who(), "the worker");
        change.object_type = "wording".to_owned();
        change.object_name = Some("Team".to_owned());
        change.webhook_id = Some(3);
        assert_eq!(change.what(), "wording daily_streak of webhook 3 (Team)");
        change.object_name = None;
        assert_eq!(change.what(), "wording daily_streak of webhook 3");
        change.webhook_id = None;
        assert_eq!(change.what(), "wording daily_streak");
        change.object_key = None;
        assert_eq!(change.what(), "every wording");
    }

    #[test]
    fn a_row_that_came_or_went_has_one_value_for_each_column() {
        let mut change = Change {
            id: String::new(),
            changed_at: Timestamp::UNIX_EPOCH,
            transaction: "1".to_owned(),
            session_role: "lead".to_owned(),
            role_name: "lead".to_owned(),
            api_token: None,
            object_type: "event_type".to_owned(),
            object_key: Some("goal_reached".to_owned()),
            object_name: Some("goal_reached".to_owned()),
            webhook_id: None,
            operation: "insert".to_owned(),
            changes: json!({"label": {"old": null, "new": "Goal"}}),
        };
        assert_eq!(change.who(), "lead");
        // Its name says no more than its key.
        assert_eq!(change.what(), "event type goal_reached");
        assert_eq!(change.lines(), [("label", "Goal".to_owned())]);
        change.operation = "delete".to_owned();
        change.changes = json!({"label": {"old": "Goal", "new": null}});
        assert_eq!(change.lines(), [("label", "Goal".to_owned())]);
        // Of a webhook, the number is the key already.
        change.object_type = "webhook".to_owned();
        change.object_key = Some("3".to_owned());
        change.object_name = Some("Team".to_owned());
        change.webhook_id = Some(3);
        assert_eq!(change.what(), "webhook 3 (Team)");
    }
}
