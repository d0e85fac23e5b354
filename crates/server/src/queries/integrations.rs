//! Webhook integrations.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::{Error, Row};
use utoipa::ToSchema;

use super::Slice;
use crate::database::Session;

/// A webhook and what it hears of, in the shape of Zentry's serializer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Integration {
    pub id: i64,
    pub name: String,
    /// `discord` or `teams`
    pub webhook_type: String,
    /// Without its secret
    pub webhook_url: String,
    /// The project whose events are sent; null: every project's
    pub project: Option<i64>,
    /// Null as well where the token's role may not read the application's projects
    pub project_name: Option<String>,
    /// The application's user who registered it
    pub created_by: Option<i64>,
    pub created_by_username: Option<String>,
    /// `["*"]`: all
    #[schema(value_type = Vec<String>)]
    pub event_types: Value,
    pub is_active: bool,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
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
        }
    }
}

/// Which integrations are asked for; none: all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub id: Option<i64>,
    pub webhook_type: Option<String>,
    pub project: Option<i64>,
    pub is_active: Option<bool>,
}

const MATCHES: &str = "FROM zentry_notify.webhooks w \
     WHERE ($1::bigint IS NULL OR w.id = $1) AND ($2::text IS NULL OR w.webhook_type = $2) \
       AND ($3::bigint IS NULL OR w.project_id = $3) AND ($4::boolean IS NULL OR w.is_active = $4)";

pub async fn count(session: &Session<'_>, filter: &Filter) -> Result<i64, Error> {
    let sql = format!("SELECT count(*) {MATCHES}");
    let Filter {
        id,
        webhook_type,
        project,
        is_active,
    } = filter;
    let row = session
        .query_one(&sql, &[id, webhook_type, project, is_active])
        .await?;
    Ok(row.get(0))
}

/// Newest first.
pub async fn list(session: &Session<'_>, filter: &Filter, slice: Slice) -> Result<Vec<Integration>, Error> {
    let sql = format!(
        "WITH page AS MATERIALIZED ( \
             SELECT w.id, w.name, w.webhook_type, w.webhook_url, w.project_id, w.created_by_id, w.event_types, w.is_active, \
                    w.created_at, w.updated_at {MATCHES} ORDER BY w.created_at DESC, w.id DESC LIMIT $5 OFFSET $6) \
         SELECT page.*, p.shown AS project_name, u.shown AS created_by_username \
           FROM page \
           LEFT JOIN zentry_notify.look_up('project_name', (SELECT array_agg(project_id) FROM page)) p ON p.id = page.project_id \
           LEFT JOIN zentry_notify.look_up('user_name', (SELECT array_agg(created_by_id) FROM page)) u ON u.id = page.created_by_id \
          ORDER BY page.created_at DESC, page.id DESC"
    );
    let Filter {
        id,
        webhook_type,
        project,
        is_active,
    } = filter;
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
        [id, webhook_type, project, is_active, &slice.limit, &slice.offset];
    let rows = session.query(&sql, &values).await?;
    Ok(rows.iter().map(Integration::from).collect())
}

pub async fn get(session: &Session<'_>, id: i64) -> Result<Option<Integration>, Error> {
    let filter = Filter {
        id: Some(id),
        ..Filter::default()
    };
    let mut found = list(session, &filter, Slice { offset: 0, limit: 1 }).await?;
    Ok(found.pop())
}

/// Those of a type.
pub async fn ids_of_type(session: &Session<'_>, webhook_type: &str) -> Result<Vec<i64>, Error> {
    const SQL: &str = "SELECT w.id FROM zentry_notify.webhooks w WHERE w.webhook_type = $1";
    let rows = session.query(SQL, &[&webhook_type]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// What a new integration is made of. What is left out has the function's default.
#[derive(Clone, Debug)]
pub struct New {
    pub name: String,
    pub webhook_type: String,
    pub webhook_url: String,
    pub project: Option<i64>,
    pub event_types: Option<Vec<String>>,
    pub is_active: Option<bool>,
}

/// Its id.
pub async fn create(session: &Session<'_>, new: &New) -> Result<i64, Error> {
    const SQL: &str = "SELECT zentry_register_webhook($1::text, $2::text, $3::text, $4::bigint, $5::text[], $6::boolean, NULL::bigint)";
    let New {
        name,
        webhook_type,
        webhook_url,
        project,
        event_types,
        is_active,
    } = new;
    let row = session
        .query_one(
            SQL,
            &[name, webhook_type, webhook_url, project, event_types, is_active],
        )
        .await?;
    Ok(row.get(0))
}

/// What is to be changed; none: it stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub name: Option<String>,
    pub webhook_type: Option<String>,
    /// The redacted URL that a read has shown means: as it is.
    pub webhook_url: Option<String>,
    /// Some(None): every project.
    pub project: Option<Option<i64>>,
    pub event_types: Option<Vec<String>>,
    pub is_active: Option<bool>,
}

pub async fn update(session: &Session<'_>, id: i64, change: &Change) -> Result<(), Error> {
    const SQL: &str = "SELECT zentry_update_webhook($1::bigint, $2::text, $3::text, \
         nullif($4::text, (SELECT w.webhook_url FROM zentry_notify.webhooks w WHERE w.id = $1)), \
         $5::bigint, $6::text[], $7::boolean)::text";
    let Change {
        name,
        webhook_type,
        webhook_url,
        project,
        event_types,
        is_active,
    } = change;
    let project = project.map(Option::unwrap_or_default);
    session
        .query_one(
            SQL,
            &[
                &id,
                name,
                webhook_type,
                webhook_url,
                &project,
                event_types,
                is_active,
            ],
        )
        .await
        .map(drop)
}

pub async fn delete(session: &Session<'_>, id: i64) -> Result<(), Error> {
    session
        .query_one("SELECT zentry_delete_webhook($1::bigint)::text", &[&id])
        .await
        .map(drop)
}

/// What became of a test message.
#[derive(Clone, Debug)]
pub struct Trial {
    pub log_id: i64,
    pub status: String,
    pub response_status_code: Option<i32>,
    pub error_message: Option<String>,
}

/// Post a message and wait for the answer.
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
