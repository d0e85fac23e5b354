//! Webhook integrations.

mod change;
mod filter;

pub use self::change::{Change, New, create, delete, first_secret, new_secret, resume, update};
pub use self::filter::{Filter, Order};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};
use utoipa::ToSchema;

use super::Slice;
use super::settings::Settings;
use super::times;
use crate::database::Session;

/// A webhook and its subscriptions, in the format of Zentry's serializer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Integration {
    pub id: i64,
    pub name: String,
    /// The type of the webhook
    pub webhook_type: String,
    /// The URL without its secret
    pub webhook_url: String,
    /// The project whose events are sent; null: every project's
    pub project: Option<i64>,
    /// Also null if the token's role may not read the application's projects
    pub project_name: Option<String>,
    /// The application's user who registered it
    pub created_by: Option<i64>,
    pub created_by_username: Option<String>,
    /// The event types that are sent; `["*"]`: all
    #[schema(value_type = Vec<String>)]
    pub event_types: Value,
    pub is_active: bool,
    #[serde(serialize_with = "times::iso")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[serde(serialize_with = "times::iso")]
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Names of the additional headers of its requests; their values are secrets
    pub header_names: Vec<String>,
    #[serde(flatten)]
    pub settings: Settings,
}

impl Integration {
    /// Returns its subscriptions, for display.
    pub fn heard(&self) -> String {
        let names = self.event_types.as_array().into_iter().flatten();
        let names: Vec<&str> = names.filter_map(Value::as_str).collect();
        match names.as_slice() {
            [] => "nothing".to_owned(),
            names if names.contains(&"*") => "all events".to_owned(),
            names => names.join(", "),
        }
    }
}

impl From<&Row> for Integration {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            name: row.get("name"),
            webhook_type: row.get("webhook_type"),
            webhook_url: row.get("webhook_url"),
            project: row.get("project_id"),
            project_name: row.get("project_name"),
            created_by: row.get("created_by_id"),
            created_by_username: row.get("created_by_username"),
            event_types: row.get("event_types"),
            is_active: row.get("is_active"),
            created_at: row.get("created_at"),
            updated_at: row.get("updated_at"),
            header_names: row.get("header_names"),
            settings: row.into(),
        }
    }
}

const MATCHES: &str = "FROM zentry_notify.webhooks w \
     WHERE ($1::bigint IS NULL OR w.id = $1) AND ($2::text IS NULL OR w.webhook_type = $2) \
       AND ($3::bigint IS NULL OR w.project_id = $3) AND ($4::boolean IS NULL OR w.is_active = $4) \
       AND ($5::text IS NULL OR w.state = $5) AND ($6::boolean IS NULL OR w.notices = $6) \
       AND ($7::bigint IS NULL OR w.notify_webhook_id = $7) AND ($8::text IS NULL OR w.rate_group = $8) \
       AND ($9::text IS NULL OR strpos(lower(w.name), lower($9)) > 0)";

pub async fn count(session: &Session<'_>, filter: &Filter) -> Result<i64, Error> {
    let sql = format!("SELECT count(*) {MATCHES}");
    let row = session.query_one(&sql, &filter.values()).await?;
    Ok(row.get(0))
}

/// Returns integrations, newest first.
pub async fn list(session: &Session<'_>, filter: &Filter, slice: Slice) -> Result<Vec<Integration>, Error> {
    let rows = rows(
        session,
        &format!("{COLUMNS}, {}", Settings::COLUMNS),
        filter,
        slice,
        Order::Newest,
    )
    .await?;
    Ok(rows.iter().map(Integration::from).collect())
}

const COLUMNS: &str = "w.id, w.name, w.webhook_type, coalesce(w.webhook_url, '') AS webhook_url, w.project_id, w.created_by_id, w.event_types, w.is_active, \
                       w.created_at, w.updated_at, w.header_names";

/// Returns rows with these columns of the view, and the names of project and creator.
async fn rows(
    session: &Session<'_>,
    columns: &str,
    filter: &Filter,
    slice: Slice,
    order: Order,
) -> Result<Vec<Row>, Error> {
    let (first, then) = (order.sql("w"), order.sql("page"));
    let sql = format!(
        "WITH page AS MATERIALIZED (SELECT {columns} {MATCHES} ORDER BY {first} LIMIT $10 OFFSET $11) \
         SELECT page.*, p.shown AS project_name, u.shown AS created_by_username \
           FROM page \
           LEFT JOIN zentry_notify.look_up('project_name', (SELECT array_agg(project_id) FROM page WHERE project_id IS NOT NULL)) p ON p.id = page.project_id \
           LEFT JOIN zentry_notify.look_up('user_name', (SELECT array_agg(created_by_id) FROM page WHERE created_by_id IS NOT NULL)) u ON u.id = page.created_by_id \
          ORDER BY {then}"
    );
    let mut values = filter.values();
    values.extend([&slice.limit as &(dyn ToSql + Sync), &slice.offset]);
    session.query(&sql, &values).await
}

/// Returns the only row with this id.
const ONE: Slice = Slice { offset: 0, limit: 1 };

/// An integration with its state and all its settings.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Webhook {
    #[serde(flatten)]
    pub integration: Integration,
    /// `active`, `failing`, `gone` or `off`
    pub state: String,
    /// Since when it has been failing or gone
    #[serde(serialize_with = "times::iso_or_null")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub state_since: Option<Timestamp>,
    /// The last error, or why it was switched off
    pub reason: Option<String>,
    #[serde(serialize_with = "times::iso_or_null")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_try_at: Option<Timestamp>,
    /// When the current quiet hours end or the current digest is due, whichever is later; null: nothing is held
    #[serde(serialize_with = "times::iso_or_null")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub held_until: Option<Timestamp>,
    /// Number of waiting deliveries
    pub pending: i64,
    /// Number of sent deliveries
    pub sent: i64,
    /// Number of failed deliveries
    pub failed: i64,
    #[serde(serialize_with = "times::iso_or_null")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_delivery_at: Option<Timestamp>,
    /// `sent` or `failed`
    pub last_status: Option<String>,
}

impl From<&Row> for Webhook {
    fn from(row: &Row) -> Self {
        Self {
            integration: row.into(),
            state: row.get("state"),
            state_since: row.get("state_since"),
            reason: row.get("reason"),
            next_try_at: row.get("next_try_at"),
            held_until: row.get("held_until"),
            pending: row.get("pending"),
            sent: row.get("sent"),
            failed: row.get("failed"),
            last_delivery_at: row.get("last_delivery_at"),
            last_status: row.get("last_status"),
        }
    }
}

pub async fn webhooks(
    session: &Session<'_>,
    filter: &Filter,
    slice: Slice,
    order: Order,
) -> Result<Vec<Webhook>, Error> {
    const STATE: &str = "w.state, w.state_since, w.reason, w.next_try_at, w.held_until, w.pending, w.sent, w.failed, w.last_delivery_at, w.last_status";
    let rows = rows(
        session,
        &format!("{COLUMNS}, {STATE}, {}", Settings::COLUMNS),
        filter,
        slice,
        order,
    )
    .await?;
    Ok(rows.iter().map(Webhook::from).collect())
}

pub async fn webhook(session: &Session<'_>, id: i64) -> Result<Option<Webhook>, Error> {
    let mut found = webhooks(session, &Filter::of(id), ONE, Order::Newest).await?;
    Ok(found.pop())
}

/// Returns warnings about settings that are allowed and usually not intended.
pub async fn doubts(session: &Session<'_>, id: i64) -> Result<Vec<String>, Error> {
    let rows = session
        .query("SELECT d FROM zentry_notify.doubts($1::bigint) AS d", &[&id])
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Returns id and name of all integrations, by name.
pub async fn names(session: &Session<'_>) -> Result<Vec<(i64, String)>, Error> {
    const SQL: &str = "SELECT w.id, w.name::text FROM zentry_notify.webhooks w ORDER BY lower(w.name), w.id";
    let rows = session.query(SQL, &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Returns id and name of up to 1000 of the application's projects, as far as the role may read them: those with ids up to 10,000, and those of
/// integrations.
pub async fn projects(session: &Session<'_>) -> Result<Vec<(i64, String)>, Error> {
    const SQL: &str = "SELECT p.id, p.shown \
          FROM zentry_notify.look_up('project_name', ARRAY(SELECT generate_series(1, 10000)::bigint \
                                                            UNION SELECT w.project_id FROM zentry_notify.webhooks w WHERE w.project_id IS NOT NULL)) p \
         ORDER BY lower(p.shown), p.id LIMIT 1000";
    let rows = session.query(SQL, &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Returns an error if the URL is invalid.
pub async fn check_url(session: &Session<'_>, webhook_type: &str, webhook_url: &str) -> Result<(), Error> {
    const SQL: &str = "SELECT zentry_notify.check_webhook_url($1::text, $2::text)::text";
    session
        .query_one(SQL, &[&webhook_type, &webhook_url])
        .await
        .map(drop)
}

pub async fn get(session: &Session<'_>, id: i64) -> Result<Option<Integration>, Error> {
    let mut found = list(session, &Filter::of(id), ONE).await?;
    Ok(found.pop())
}

/// Returns the ids of the integrations with this type.
pub async fn ids_of_type(session: &Session<'_>, webhook_type: &str) -> Result<Vec<i64>, Error> {
    const SQL: &str = "SELECT w.id FROM zentry_notify.webhooks w WHERE w.webhook_type = $1";
    let rows = session.query(SQL, &[&webhook_type]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The result of a test message.
#[derive(Clone, Debug)]
pub struct Trial {
    pub log_id: i64,
    pub status: String,
    pub response_status_code: Option<i32>,
    pub error_message: Option<String>,
}

/// Posts a message and waits for the response.
pub async fn test(session: &Session<'_>, id: i64, message: Option<&str>) -> Result<Trial, Error> {
    const SQL: &str = "SELECT log_id, status, response_status_code, error_message FROM zentry_test_webhook($1::bigint, $2::text)";
    let row = session.query_one(SQL, &[&id, &message]).await?;
    Ok(Trial {
        log_id: row.get(0),
        status: row.get(1),
        response_status_code: row.get(2),
        error_message: row.get(3),
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Returns an integration without settings.
    pub fn usual(id: i64, name: &str, webhook_type: &str) -> Integration {
        Integration {
            id,
            name: name.into(),
            webhook_type: webhook_type.into(),
            webhook_url: "https://hooks.example.com/***".into(),
            project: None,
            project_name: None,
            created_by: None,
            created_by_username: None,
            event_types: serde_json::json!(["*"]),
            is_active: true,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            header_names: Vec::new(),
            settings: Settings {
                omit_keys: Vec::new(),
                filter: None,
                min_streak_days: None,
                milestones: None,
                quiet_hours: None,
                mention: None,
                username: None,
                avatar_url: None,
                announce: false,
                thread_name: None,
                applied_tags: Vec::new(),
                rate_limit: None,
                rate_group: None,
                notify_webhook_id: None,
                notices: false,
                digest: None,
                max_events_per_message: 10,
                min_interval: "00:00:00".into(),
                max_age: None,
                thread_by: None,
            },
        }
    }
}
