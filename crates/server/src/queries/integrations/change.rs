//! Registering, changing, testing and deleting integrations.

use serde_json::Value;
use tokio_postgres::Error;
use tokio_postgres::types::ToSql;

use super::super::settings::{Rules, named};
use crate::database::Session;

/// The arguments for a new integration. `None`: the function's default.
#[derive(Clone, Debug, Default)]
pub struct New {
    pub name: String,
    pub webhook_type: String,
    pub webhook_url: String,
    pub project: Option<i64>,
    pub event_types: Option<Vec<String>>,
    pub is_active: Option<bool>,
    pub rules: Rules,
    /// The signing secret; `None`: one is generated.
    pub secret: Option<String>,
    /// Additional headers of its requests: names and values.
    pub headers: Option<Value>,
    /// The application's user who registers it.
    pub created_by: Option<i64>,
}

impl New {
    /// Leaves a field out whose error is known already, to find errors of others. Name, type and URL are required and get an invalid value; the
    /// database checks type and URL last, so errors of others come first.
    pub fn leave_out(&mut self, field: &str) {
        match field {
            "name" => "?".clone_into(&mut self.name),
            "webhook_type" => "?".clone_into(&mut self.webhook_type),
            "webhook_url" => "?".clone_into(&mut self.webhook_url),
            "project" => self.project = None,
            "event_types" => self.event_types = None,
            "is_active" => self.is_active = None,
            "secret" => self.secret = None,
            "headers" => self.headers = None,
            setting => self.rules.leave_out(setting),
        }
    }
}

/// Registers an integration and returns its id.
pub async fn create(session: &Session<'_>, new: &New) -> Result<i64, Error> {
    let rules = new.rules.parameters();
    let sql = format!(
        "SELECT zentry_register_webhook($1::text, $2::text, $3::text, $4::bigint, $5::text[], $6::boolean, $9::bigint, \
         secret => $7::text, headers => $8::jsonb{})",
        named(&rules, 9)
    );
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![
        &new.name,
        &new.webhook_type,
        &new.webhook_url,
        &new.project,
        &new.event_types,
        &new.is_active,
        &new.secret,
        &new.headers,
        &new.created_by,
    ];
    values.extend(rules.iter().map(|parameter| parameter.value));
    let row = session.query_one(&sql, &values).await?;
    Ok(row.get(0))
}

/// The changes of an integration; `None`: unchanged.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub name: Option<String>,
    pub webhook_type: Option<String>,
    /// The redacted URL, as shown, means unchanged.
    pub webhook_url: Option<String>,
    /// `Some(None)`: events of all projects.
    pub project: Option<Option<i64>>,
    pub event_types: Option<Vec<String>>,
    pub is_active: Option<bool>,
    /// Empty values and 0 remove a setting.
    pub rules: Rules,
    /// All additional headers of its requests; empty: none.
    pub headers: Option<Value>,
}

impl Change {
    /// Leaves a field unchanged whose error is known already, to find errors of others.
    pub fn leave_out(&mut self, field: &str) {
        match field {
            "name" => self.name = None,
            "webhook_type" | "webhook_url" => {
                self.webhook_type = None;
                self.webhook_url = None;
                self.rules.leave_out("mention");
                self.rules.leave_out("thread_name");
            }
            "project" => self.project = None,
            "event_types" => self.event_types = None,
            "is_active" => self.is_active = None,
            "headers" => self.headers = None,
            setting => self.rules.leave_out(setting),
        }
    }
}

pub async fn update(session: &Session<'_>, id: i64, change: &Change) -> Result<(), Error> {
    let rules = change.rules.parameters();
    let sql = format!(
        "SELECT zentry_update_webhook($1::bigint, $2::text, $3::text, \
         nullif($4::text, (SELECT w.webhook_url FROM zentry_notify.webhooks w WHERE w.id = $1)), \
         $5::bigint, $6::text[], $7::boolean, headers => $8::jsonb{})::text",
        named(&rules, 8)
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
        &change.headers,
    ];
    values.extend(rules.iter().map(|parameter| parameter.value));
    session.query_one(&sql, &values).await.map(drop)
}

/// Returns the signing secret of an integration that was registered just now, if it was generated: a new one is generated, to be shown.
pub async fn first_secret(session: &Session<'_>, id: i64, new: &New) -> Result<Option<String>, Error> {
    let is_given = new.secret.as_ref().is_some_and(|secret| !secret.is_empty());
    if !crate::vendors::has(&new.webhook_type, "secret") || is_given {
        return Ok(None);
    }
    new_secret(session, id, None, Some("0")).await.map(Some)
}

/// Sets a new signing secret, given or generated, and returns it; it is never shown again.
pub async fn new_secret(
    session: &Session<'_>,
    id: i64,
    secret: Option<&str>,
    grace: Option<&str>,
) -> Result<String, Error> {
    const SQL: &str = "SELECT zentry_new_secret($1::bigint, $2::text, \
         coalesce(zentry_notify.to_interval($3::text, 'grace'), interval '1 day'))";
    let row = session.query_one(SQL, &[&id, &secret, &grace]).await?;
    Ok(row.get(0))
}

/// Makes waiting deliveries due now, even if the endpoint has asked to wait.
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
