//! The history of a delivery.

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
    /// When the answer came, or was not waited for any longer
    #[serde(serialize_with = "times::iso")]
    #[schema(value_type = String, format = DateTime)]
    pub attempted_at: Timestamp,
    /// Which attempt it was, from 1; null: a rate limit, or a way out that led nowhere while there was another, which is no attempt
    pub attempt: Option<i32>,
    /// The HTTP status of the answer; null: none came
    pub response_status_code: Option<i32>,
    /// What went wrong
    pub error_message: String,
    /// When it was to be tried again; null: it was given up
    #[serde(serialize_with = "times::iso_or_null")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt_at: Option<Timestamp>,
}

impl Attempt {
    /// What people read where it is no attempt.
    pub fn in_place_of_a_number(&self) -> &'static str {
        match self.response_status_code {
            Some(_) => "rate limit",
            None => "by another way",
        }
    }
}

/// Those of a delivery, in order: the first fifty, and the last when it was given up.
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
