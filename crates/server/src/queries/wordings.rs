//! Wordings and languages of messages, for all webhooks or for one.

use serde_json::Value;
use tokio_postgres::Error;
use tokio_postgres::types::ToSql;

use super::words::{WORDS, Words};
use crate::database::Session;

/// The event type of wordings that set the language of all events.
pub const ALL_EVENTS: &str = "*";

/// A wording of an event type, or the language, for all webhooks or for one.
#[derive(Clone, Debug, PartialEq)]
pub struct Wording {
    pub event_type: String,
    pub webhook: Option<i64>,
    pub words: Words,
    /// Only for [`ALL_EVENTS`].
    pub language: Option<String>,
}

/// Returns the wordings: those for all webhooks first, then by webhook and event type.
pub async fn list(session: &Session<'_>) -> Result<Vec<Wording>, Error> {
    let sql = format!(
        "SELECT w.event_type::text, w.webhook_integration_id, w.language, {WORDS} FROM zentry_notify.event_wordings w \
          ORDER BY w.webhook_integration_id NULLS FIRST, w.event_type"
    );
    let rows = session.query(&sql, &[]).await?;
    let wordings = rows.iter().map(|row| Wording {
        event_type: row.get("event_type"),
        webhook: row.get("webhook_integration_id"),
        words: row.into(),
        language: row.get("language"),
    });
    Ok(wordings.collect())
}

/// Sets the given parts of a wording; `None`: unchanged.
pub async fn set(session: &Session<'_>, wording: &Wording) -> Result<(), Error> {
    if wording.event_type == ALL_EVENTS {
        return set_language(session, wording.language.as_deref(), wording.webhook).await;
    }
    const SQL: &str = "SELECT zentry_set_wording($1::text, $2::bigint, $3::text, $4::text, $5::jsonb::json, $6::text, $7::text, $8::text, $9::text, $10::text)::text";
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&wording.event_type, &wording.webhook];
    parameters.extend(wording.words.parameters());
    session.query_one(SQL, &parameters).await.map(drop)
}

pub async fn reset(session: &Session<'_>, event_type: &str, webhook: Option<i64>) -> Result<(), Error> {
    const SQL: &str = "SELECT zentry_reset_event_type($1::text, $2::bigint)::text";
    if event_type == ALL_EVENTS {
        return set_language(session, None, webhook).await;
    }
    session.query_one(SQL, &[&event_type, &webhook]).await.map(drop)
}

/// Replaces a wording; `None`: not set.
pub async fn replace(session: &Session<'_>, wording: &Wording) -> Result<(), Error> {
    let there = list(session).await?;
    let there = there
        .into_iter()
        .find(|there| there.event_type == wording.event_type && there.webhook == wording.webhook);
    let is_cut = there.is_some_and(|there| there.words.has_more_than(&wording.words));
    if is_cut || wording.words == Words::default() {
        reset(session, &wording.event_type, wording.webhook).await?;
    }
    if wording.words == Words::default() {
        return Ok(());
    }
    set(session, wording).await
}

/// Returns the texts of an event's messages that are in force.
pub async fn now(
    session: &Session<'_>,
    event_type: &str,
    webhook: Option<i64>,
) -> Result<Option<Value>, Error> {
    const SQL: &str = "SELECT d.definition::jsonb FROM zentry_notify.event_definition d \
        WHERE d.event_type = $1::text AND (d.webhook_integration_id IS NULL OR d.webhook_integration_id = $2::bigint) \
        ORDER BY d.webhook_integration_id NULLS LAST LIMIT 1";
    let rows = session.query(SQL, &[&event_type, &webhook]).await?;
    Ok(rows.first().map(|row| row.get(0)))
}

/// Returns the available languages.
pub async fn languages(session: &Session<'_>) -> Result<Vec<String>, Error> {
    let row = session.query_one("SELECT zentry_notify.languages()", &[]).await?;
    Ok(row.get(0))
}

/// Sets the language; `None`: removes it.
pub async fn set_language(
    session: &Session<'_>,
    language: Option<&str>,
    webhook: Option<i64>,
) -> Result<(), Error> {
    const SQL: &str = "SELECT zentry_set_language($1::text, $2::bigint)::text";
    session.query_one(SQL, &[&language, &webhook]).await.map(drop)
}
