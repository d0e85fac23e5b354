//! Registering, changing, trying and deleting integrations.

use tokio_postgres::Error;
use tokio_postgres::types::ToSql;

use super::super::settings::{Rules, named};
use crate::database::Session;

/// What a new integration is made of. What is left out has the function's default.
#[derive(Clone, Debug, Default)]
pub struct New {
    pub name: String,
    pub webhook_type: String,
    pub webhook_url: String,
    pub project: Option<i64>,
    pub event_types: Option<Vec<String>>,
    pub is_active: Option<bool>,
    pub rules: Rules,
}

/// Its id.
pub async fn create(session: &Session<'_>, new: &New) -> Result<i64, Error> {
    let rules = new.rules.parameters();
    let sql = format!(
        "SELECT zentry_register_webhook($1::text, $2::text, $3::text, $4::bigint, $5::text[], $6::boolean, NULL::bigint{})",
        named(&rules, 6)
    );
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![
        &new.name,
        &new.webhook_type,
        &new.webhook_url,
        &new.project,
        &new.event_types,
        &new.is_active,
    ];
    values.extend(rules.iter().map(|parameter| parameter.value));
    let row = session.query_one(&sql, &values).await?;
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
    /// What is empty, or 0, is taken away.
    pub rules: Rules,
}

pub async fn update(session: &Session<'_>, id: i64, change: &Change) -> Result<(), Error> {
    let rules = change.rules.parameters();
    let sql = format!(
        "SELECT zentry_update_webhook($1::bigint, $2::text, $3::text, \
         nullif($4::text, (SELECT w.webhook_url FROM zentry_notify.webhooks w WHERE w.id = $1)), \
         $5::bigint, $6::text[], $7::boolean{})::text",
        named(&rules, 7)
    );
    let project = change.project.map(Option::unwrap_or_default);
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![
        &id,
        &change.name,
        &change.webhook_type,
        &change.webhook_url,
        &project,
        &change.event_types,
        &change.is_active,
    ];
    values.extend(rules.iter().map(|parameter| parameter.value));
    session.query_one(&sql, &values).await.map(drop)
}

/// Have what waits sent now, whatever its endpoint has asked for.
pub async fn resume(session: &Session<'_>, id: i64) -> Result<(), Error> {
    session
        .query_one("SELECT zentry_resume($1::bigint)::text", &[&id])
        .await
        .map(drop)
}

pub async fn delete(session: &Session<'_>, id: i64) -> Result<(), Error> {
    session
        .query_one("SELECT zentry_delete_webhook($1::bigint)::text", &[&id])
        .await
        .map(drop)
}
