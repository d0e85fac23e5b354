//! Event types, their event sources, and previews of their messages.

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Error;

use crate::database::Session;

/// Queues a sample event for each webhook that would get it, and returns the ids of the deliveries. Default for the project: the first that a webhook
/// has.
pub async fn test(session: &Session<'_>, event_type: &str, project: Option<i64>) -> Result<Vec<i64>, Error> {
    const SQL: &str = "SELECT id FROM zentry_test_event($1::text, $2::bigint, NULL::jsonb) AS id";
    let rows = session.query(SQL, &[&event_type, &project]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The event type of notices, which webhooks cannot subscribe to and no table fires.
pub const TROUBLE: &str = "webhook_trouble";

/// An event type.
#[derive(Clone, Debug)]
pub struct EventType {
    pub name: String,
    /// A template over the event's data
    pub title: String,
    pub emoji: String,
    /// Comes with the extension
    pub built_in: bool,
}

/// Returns the event types, built-in ones first.
pub async fn types(session: &Session<'_>) -> Result<Vec<EventType>, Error> {
    const SQL: &str = "SELECT t.name::text, t.title, t.emoji, t.built_in FROM zentry_notify.event_types t \
                        ORDER BY NOT t.built_in, t.name";
    let rows = session.query(SQL, &[]).await?;
    let types = rows.iter().map(|row| EventType {
        name: row.get(0),
        title: row.get(1),
        emoji: row.get(2),
        built_in: row.get(3),
    });
    Ok(types.collect())
}

/// An event source.
#[derive(Clone, Debug)]
pub struct Source {
    pub event_type: String,
    pub relation: String,
    /// Where each key of the data comes from
    pub columns: Value,
    pub omit: Vec<String>,
    pub by_hand: bool,
    pub suspended_at: Option<Timestamp>,
    pub suspended_reason: Option<String>,
}

pub async fn sources(session: &Session<'_>) -> Result<Vec<Source>, Error> {
    const SQL: &str = "SELECT s.event_type::text, s.relation::text, s.columns, s.omit, s.by_hand, s.suspended_at, s.suspended_reason \
                         FROM zentry_notify.event_sources s ORDER BY s.event_type, s.relation::text";
    let rows = session.query(SQL, &[]).await?;
    let sources = rows.iter().map(|row| Source {
        event_type: row.get(0),
        relation: row.get(1),
        columns: row.get(2),
        omit: row.get(3),
        by_hand: row.get(4),
        suspended_at: row.get(5),
        suspended_reason: row.get(6),
    });
    Ok(sources.collect())
}

/// Returns the message as it would be posted, with the given data or else the event type's sample.
pub async fn preview(
    session: &Session<'_>,
    event_type: &str,
    format: &str,
    data: Option<&Value>,
    webhook: Option<i64>,
) -> Result<Value, Error> {
    const SQL: &str = "SELECT zentry_preview($1::text, $2::text, $3::jsonb, $4::bigint)";
    let row = session
        .query_one(SQL, &[&event_type, &format, &data, &webhook])
        .await?;
    Ok(row.get(0))
}
