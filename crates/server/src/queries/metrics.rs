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
    /// Of the event type `*`: requests that were made
    pub requests: i64,
    /// Of these, how many were answered "too many"
    pub rate_limited: i64,
    /// Seconds from the event to the answer, of all that were sent, added up
    pub latency_sum: f64,
    /// How many of those took how long, by the buckets of [`latency_bounds`]
    pub latency: Vec<i64>,
}

impl Total {
    /// Of all event types together.
    pub fn is_of_all(&self) -> bool {
        self.source.event_type == "*"
    }
}

pub async fn totals(session: &Session<'_>) -> Result<Vec<Total>, Error> {
    const SQL: &str = "SELECT t.webhook_integration_id, t.webhook_integration_name, t.webhook_type, t.event_type, t.sent, t.failed, t.retried, \
                              t.requests, t.rate_limited, t.latency_sum, t.latency \
                         FROM zentry_notify.delivery_totals t ORDER BY 1, 4";
    let rows = session.query(SQL, &[]).await?;
    Ok(rows
        .iter()
        .map(|row| Total {
            source: row.into(),
            sent: row.get(4),
            failed: row.get(5),
            retried: row.get(6),
            requests: row.get(7),
            rate_limited: row.get(8),
            latency_sum: row.get(9),
            latency: row.get(10),
        })
        .collect())
}

/// Upper bounds of the buckets of latencies, in seconds; one more has what took longer.
pub async fn latency_bounds(session: &Session<'_>) -> Result<Vec<f64>, Error> {
    let row = session
        .query_one("SELECT zentry_notify.latency_bounds()", &[])
        .await?;
    Ok(row.get(0))
}

/// A webhook with what it does.
#[derive(Clone, Debug)]
pub struct State {
    pub webhook_id: i64,
    pub webhook: String,
    pub webhook_type: String,
    /// `active`, `failing`, `gone` or `off`
    pub state: String,
}

pub async fn webhook_states(session: &Session<'_>) -> Result<Vec<State>, Error> {
    const SQL: &str =
        "SELECT w.id, w.name::text, w.webhook_type::text, w.state FROM zentry_notify.webhooks w ORDER BY 1";
    let rows = session.query(SQL, &[]).await?;
    Ok(rows
        .iter()
        .map(|row| State {
            webhook_id: row.get(0),
            webhook: row.get(1),
            webhook_type: row.get(2),
            state: row.get(3),
        })
        .collect())
}

/// Events of which nobody knows yet who hears them.
pub async fn unrouted(session: &Session<'_>) -> Result<i64, Error> {
    let row = session
        .query_one("SELECT zentry_notify.unrouted_events()::bigint", &[])
        .await?;
    Ok(row.get(0))
}

/// A way out, and what left by it since the database's server started.
#[derive(Clone, Debug)]
pub struct WayOut {
    /// Its place in `zentry_notify.proxy`
    pub number: i32,
    /// Without a login
    pub way: String,
    pub requests: i64,
    /// For these no connection came about
    pub unreached: i64,
    /// These Discord answered with 401, 403 or 429
    pub refused: i64,
    /// Nobody was reached by it lately
    pub down: bool,
    /// Discord has banned its address
    pub banned: bool,
}

pub async fn ways_out(session: &Session<'_>) -> Result<Vec<WayOut>, Error> {
    const SQL: &str = "SELECT o.number, o.way, o.requests, o.unreached, o.refused, o.down_until IS NOT NULL, \
                              o.discord_parked_until IS NOT NULL \
                         FROM zentry_notify.ways_out() o ORDER BY 1";
    let rows = session.query(SQL, &[]).await?;
    let ways = rows.iter().map(|row| WayOut {
        number: row.get(0),
        way: row.get(1),
        requests: row.get(2),
        unreached: row.get(3),
        refused: row.get(4),
        down: row.get(5),
        banned: row.get(6),
    });
    Ok(ways.collect())
}

/// Of what version the parts are.
#[derive(Clone, Debug)]
pub struct Versions {
    /// The SQL in the database
    pub extension: String,
    /// What the database has loaded
    pub library: String,
    pub postgres: String,
}

pub async fn versions(session: &Session<'_>) -> Result<Versions, Error> {
    const SQL: &str = "SELECT e.extversion, zentry_notify.library_version(), pg_catalog.current_setting('server_version') \
                         FROM pg_catalog.pg_extension e WHERE e.extname = 'zentry_notify'";
    let row = session.query_one(SQL, &[]).await?;
    Ok(Versions {
        extension: row.get(0),
        library: row.get(1),
        postgres: row.get(2),
    })
}
