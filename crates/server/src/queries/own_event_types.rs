//! Users' own event types, as they were registered.

use serde_json::Value;
use tokio_postgres::Error;

use super::words::{WORDS, Words};
use crate::database::Session;

/// An event type of a user.
#[derive(Clone, Debug, PartialEq)]
pub struct EventType {
    pub name: String,
    pub words: Words,
    pub time_key: Option<String>,
    pub sample: Option<Value>,
}

/// Returns the event types, by name.
pub async fn list(session: &Session<'_>) -> Result<Vec<EventType>, Error> {
    let sql = format!(
        "SELECT w.name::text, {WORDS}, w.time_key, w.sample FROM zentry_notify.event_types w WHERE NOT w.built_in ORDER BY w.name"
    );
    let rows = session.query(&sql, &[]).await?;
    let types = rows.iter().map(|row| EventType {
        name: row.get("name"),
        words: row.into(),
        time_key: row.get("time_key"),
        sample: row.get("sample"),
    });
    Ok(types.collect())
}

/// Replaces the event type of that name.
pub async fn register(session: &Session<'_>, kind: &EventType) -> Result<(), Error> {
    const SQL: &str = "SELECT zentry_register_event_type($1::text, $2::text, $3::text, $4::jsonb::json, $5::text, $6::text, $7::text, $8::text, $9::jsonb, \
                       $10::text, $11::text)::text";
    let [title, text, fields, colour, emoji, footer, url, thumbnail] = kind.words.parameters();
    session
        .query_one(
            SQL,
            &[
                &kind.name,
                title,
                text,
                fields,
                colour,
                emoji,
                footer,
                &kind.time_key,
                &kind.sample,
                url,
                thumbnail,
            ],
        )
        .await
        .map(drop)
}

pub async fn unregister(session: &Session<'_>, name: &str) -> Result<(), Error> {
    session
        .query_one("SELECT zentry_unregister_event_type($1::text)::text", &[&name])
        .await
        .map(drop)
}
