//! Finished deliveries of events whose write was traced.

use jiff::Timestamp;
use tokio_postgres::{Error, Row};

use crate::database::Session;

/// A delivery to export as a span.
#[derive(Clone, Debug)]
pub struct Traced {
    pub delivery_id: i64,
    pub event_id: i64,
    pub event_type: String,
    pub webhook_id: i64,
    /// `None`: the webhook is deleted.
    pub webhook: Option<String>,
    pub webhook_type: Option<String>,
    /// The parent span: `00-TRACE-SPAN-FLAGS`.
    pub traceparent: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    pub captured_at: Timestamp,
    pub finished_at: Timestamp,
    /// `sent` or `failed`
    pub status: String,
    pub response_status_code: Option<i32>,
    pub error_message: String,
    pub attempts: i32,
}

impl From<&Row> for Traced {
    fn from(row: &Row) -> Self {
        Self {
            delivery_id: row.get(0),
            event_id: row.get(1),
            event_type: row.get(2),
            webhook_id: row.get(3),
            webhook: row.get(4),
            webhook_type: row.get(5),
            traceparent: row.get(6),
            span_id: row.get(7),
            captured_at: row.get(8),
            finished_at: row.get(9),
            status: row.get(10),
            response_status_code: row.get(11),
            error_message: row.get(12),
            attempts: row.get(13),
        }
    }
}

/// Returns the database's time, and its name.
pub async fn now(session: &Session<'_>) -> Result<(Timestamp, String), Error> {
    let row = session
        .query_one(
            "SELECT pg_catalog.now(), pg_catalog.current_database()::text",
            &[],
        )
        .await?;
    Ok((row.get(0), row.get(1)))
}

/// Returns at most `limit` deliveries that were finished after that time, or at that time with a higher id; the earliest first.
pub async fn finished_after(
    session: &Session<'_>,
    (at, id): (Timestamp, i64),
    limit: i64,
) -> Result<Vec<Traced>, Error> {
    const SQL: &str = "SELECT t.delivery_id, t.event_id, t.event_type::text, t.webhook_integration_id, t.webhook_integration_name::text, \
                              t.webhook_type::text, t.traceparent, t.span_id, t.captured_at, t.finished_at, t.status, \
                              t.response_status_code, t.error_message, t.attempts \
                         FROM zentry_notify.delivery_traces t \
                        WHERE (t.finished_at, t.delivery_id) > ($1, $2) \
                        ORDER BY t.finished_at, t.delivery_id LIMIT $3";
    let rows = session.query(SQL, &[&at, &id, &limit]).await?;
    Ok(rows.iter().map(Traced::from).collect())
}
