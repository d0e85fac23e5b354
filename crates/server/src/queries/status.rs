//! The findings of `zentry_status()`, and statistics of deliveries.

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Error;
use utoipa::ToSchema;

use crate::database::Session;

/// A finding.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Finding {
    pub subject: String,
    /// `ok`, `attention` or `broken`
    pub state: String,
    pub detail: String,
    /// The SQL that mends it, or a comment; empty: there is nothing to mend
    pub remedy: String,
}

pub async fn status(session: &Session<'_>) -> Result<Vec<Finding>, Error> {
    const SQL: &str = "SELECT subject, state, detail, remedy FROM zentry_status()";
    let rows = session.query(SQL, &[]).await?;
    let findings = rows.iter().map(|row| Finding {
        subject: row.get(0),
        state: row.get(1),
        detail: row.get::<_, Option<String>>(2).unwrap_or_default(),
        remedy: row.get::<_, Option<String>>(3).unwrap_or_default(),
    });
    Ok(findings.collect())
}

/// Statistics of one hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hour {
    pub start: Timestamp,
    pub sent: i64,
    pub failed: i64,
    /// The median latency from the event to the response, in seconds; `None`: nothing was sent.
    pub p50: Option<f64>,
    /// The 95th percentile of the latency, in seconds.
    pub p95: Option<f64>,
}

/// Returns the last hours, oldest first, for one webhook or for all.
pub async fn hours(session: &Session<'_>, hours: i32, webhook: Option<i64>) -> Result<Vec<Hour>, Error> {
    const SQL: &str = "SELECT hour, sent, failed, p50::double precision, p95::double precision \
                         FROM zentry_stats_by_hour($1::integer, $2::bigint)";
    let rows = session.query(SQL, &[&hours, &webhook]).await?;
    let hours = rows.iter().map(|row| Hour {
        start: row.get(0),
        sent: row.get(1),
        failed: row.get(2),
        p50: row.get(3),
        p95: row.get(4),
    });
    Ok(hours.collect())
}
