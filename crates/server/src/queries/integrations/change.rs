//! New webhook integrations, and changes of those that there are.

use tokio_postgres::Error;

use crate::database::Session;

/// What of its events an integration hears, and how. None: the function's default, or as it is.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub omit_keys: Option<Vec<String>>,
    pub filter: Option<String>,
    pub min_streak_days: Option<i32>,
    pub milestones: Option<Vec<i32>>,
    pub quiet_hours: Option<String>,
    pub mention: Option<String>,
    pub username: Option<String>,
    pub avatar_url: Option<String>,
    pub announce: Option<bool>,
    pub thread_name: Option<String>,
    pub applied_tags: Option<Vec<String>>,
}

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
    const SQL: &str = "SELECT zentry_register_webhook($1::text, $2::text, $3::text, $4::bigint, $5::text[], $6::boolean, NULL::bigint, \
         $7::text[], $8::text, $9::integer, $10::integer[], $11::text, $12::text, $13::text, $14::text, $15::boolean, $16::text, $17::text[])";
    let Rules {
        omit_keys,
        filter,
        min_streak_days,
        milestones,
        quiet_hours,
        mention,
        username,
        avatar_url,
        announce,
        thread_name,
        applied_tags,
    } = &new.rules;
    let row = session
        .query_one(
            SQL,
            &[
                &new.name,
                &new.webhook_type,
                &new.webhook_url,
                &new.project,
                &new.event_types,
                &new.is_active,
                omit_keys,
                filter,
                min_streak_days,
                milestones,
                quiet_hours,
                mention,
                username,
                avatar_url,
                announce,
                thread_name,
                applied_tags,
            ],
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
    /// What is empty, or 0, is taken away.
    pub rules: Rules,
}

pub async fn update(session: &Session<'_>, id: i64, change: &Change) -> Result<(), Error> {
    const SQL: &str = "SELECT zentry_update_webhook($1::bigint, $2::text, $3::text, \
         nullif($4::text, (SELECT w.webhook_url FROM zentry_notify.webhooks w WHERE w.id = $1)), \
         $5::bigint, $6::text[], $7::boolean, $8::text[], $9::text, $10::integer, $11::integer[], $12::text, $13::text, \
         $14::text, $15::text, $16::boolean, $17::text, $18::text[])::text";
    let Rules {
        omit_keys,
        filter,
        min_streak_days,
        milestones,
        quiet_hours,
        mention,
        username,
        avatar_url,
        announce,
        thread_name,
        applied_tags,
    } = &change.rules;
    let project = change.project.map(Option::unwrap_or_default);
    session
        .query_one(
            SQL,
            &[
                &id,
                &change.name,
                &change.webhook_type,
                &change.webhook_url,
                &project,
                &change.event_types,
                &change.is_active,
                omit_keys,
                filter,
                min_streak_days,
                milestones,
                quiet_hours,
                mention,
                username,
                avatar_url,
                announce,
                thread_name,
                applied_tags,
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
