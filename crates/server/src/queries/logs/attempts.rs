//! The attempts of a delivery.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::times;
use crate::database::Session;
use tokio_postgres::Error;

/// A request for a delivery that came to nothing
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Attempt {
    /// Its place among those of the delivery, from 1
    pub number: i32,
    /// When the response came, or the request timed out
    #[serde(serialize_with = "times::iso")]
    #[schema(value_type = String, format = DateTime)]
    pub attempted_at: Timestamp,
    /// Number of the attempt, from 1; null: the request does not count as an attempt (a rate limit, or a proxy that could not be reached while
    /// another one could)
    pub attempt: Option<i32>,
    /// The HTTP status of the response; null: no response
    pub response_status_code: Option<i32>,
    /// The error
    pub error_message: String,
    /// The planned time of the next attempt; null: none, the delivery failed for good
    #[serde(serialize_with = "times::iso_or_null")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt_at: Option<Timestamp>,
}

impl Attempt {
    /// The text for requests that do not count as attempts.
    pub fn in_place_of_a_number(&self) -> &'static str {
        match self.response_status_code {
            Some(_) => "rate limit",
            None => "by another way",
        }
    }
}

/// Returns the unsuccessful requests for a delivery, in order: the first fifty, and the last one if it failed for good.
pub async fn attempts(session: &Session<'_>, id: i64) -> Result<Vec<Attempt>, Error> {
    const SQL: &str = "SELECT a.number, a.attempted_at, a.attempt, a.response_status_code, a.error_message, a.next_attempt_at \
                         FROM zentry_notify.attempts a WHERE a.log_id = $1 ORDER BY a.number";
    let rows = session.query(SQL, &[&id]).await?;
    let attempts = rows.iter().map(|row| Attempt {
        number: row.get(0),
        attempted_at: row.get(1),
        attempt: row.get(2),
        response_status_code: row.get(3),
        error_message: row.get(4),
        next_attempt_at: row.get(5),
    });
    Ok(attempts.collect())
}
