//! What a monitoring system wants to know.

use tokio_postgres::{Error, Row};

use crate::database::Session;

/// Whose numbers these are.
#[derive(Clone, Debug)]
pub struct Source {
    pub webhook_id: i64,
    pub webhook: String,
    pub webhook_type: String,
    pub event_type: String,
}

impl From<&Row> for Source {
    fn from(row: &Row) -> Self {
        Self {
            webhook_id: row.get(0),
            webhook: row.get(1),
            webhook_type: row.get(2),
            event_type: row.get(3),
        }
    }
}

/// What waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub source: Source,
    pub deliveries: i64,
    /// In seconds
    pub oldest: f64,
}

pub async fn waiting(session: &Session<'_>) -> Result<Vec<Waiting>, Error> {
    // When the oldest came is asked of that one alone: each answer is a look at its event.
    const SQL: &str = "WITH waiting AS MATERIALIZED ( \
             SELECT l.webhook_integration_id, l.webhook_integration_name, l.webhook_type, l.event_type, count(*) AS deliveries, min(l.id) AS oldest \
               FROM zentry_notify.logs l \
              WHERE l.status IN ('pending', 'retry') AND l.webhook_integration_name IS NOT NULL \
              GROUP BY 1, 2, 3, 4) \
         SELECT w.webhook_integration_id, w.webhook_integration_name, w.webhook_type, w.event_type, w.deliveries, \
                greatest(extract(epoch FROM now() - (SELECT l.created_at FROM zentry_notify.logs l WHERE l.id = w.oldest)), 0)::double precision \
           FROM waiting w ORDER BY 1, 4";
    let rows = session.query(SQL, &[]).await?;
    Ok(rows
        .iter()
        .map(|row| Waiting {
            source: row.into(),
            deliveries: row.get(4),
            oldest: row.get(5),
        })
        .collect())
}

/// What became of deliveries since the integration was registered; outlives the log.
#[derive(Clone, Debug)]
pub struct Total {
    pub source: Source,
    pub sent: i64,
    pub failed: i64,
    /// Attempts that failed for now
    pub retried: i64,
}

pub async fn totals(session: &Session<'_>) -> Result<Vec<Total>, Error> {
    const SQL: &str = "SELECT t.webhook_integration_id, t.webhook_integration_name, t.webhook_type, t.event_type, t.sent, t.failed, t.retried \
                         FROM zentry_notify.delivery_totals t WHERE t.event_type <> '*' ORDER BY 1, 4";
    let rows = session.query(SQL, &[]).await?;
    Ok(rows
        .iter()
        .map(|row| Total {
            source: row.into(),
            sent: row.get(4),
            failed: row.get(5),
            retried: row.get(6),
        })
        .collect())
}

/// How many integrations are in each state.
pub async fn states(session: &Session<'_>) -> Result<Vec<(String, i64)>, Error> {
    const SQL: &str = "SELECT state, count(w.id) FROM unnest('{active,failing,gone,off}'::text[]) AS state \
                         LEFT JOIN zentry_notify.webhooks w USING (state) GROUP BY 1 ORDER BY 1";
    let rows = session.query(SQL, &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
