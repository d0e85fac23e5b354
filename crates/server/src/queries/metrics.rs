//! Values for monitoring systems.

use tokio_postgres::{Error, Row};

use crate::database::Session;

/// The webhook and event type of a value.
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

/// Waiting deliveries.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub source: Source,
    pub deliveries: i64,
    /// In seconds
    pub oldest: f64,
}

pub async fn waiting(session: &Session<'_>) -> Result<Vec<Waiting>, Error> {
    // The time of the event is only read for the oldest delivery, since each takes a look at the event.
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

/// Counters of deliveries since the integration was registered, which are kept when the log is deleted.
#[derive(Clone, Debug)]
pub struct Total {
    pub source: Source,
    pub sent: i64,
    pub failed: i64,
    /// Failed attempts that are repeated
    pub retried: i64,
    /// For the event type `*`: requests
    pub requests: i64,
    /// Requests that met a rate limit
    pub rate_limited: i64,
    /// Sum of the latencies of all sent deliveries, from the event to the response, in seconds
    pub latency_sum: f64,
    /// Histogram of the latencies, with the buckets of [`latency_bounds`]
    pub latency: Vec<i64>,
}

impl Total {
    /// Returns the counters of all event types together.
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

/// Returns the upper bounds of the latencies' buckets, in seconds; one more bucket holds longer ones.
pub async fn latency_bounds(session: &Session<'_>) -> Result<Vec<f64>, Error> {
    let row = session
        .query_one("SELECT zentry_notify.latency_bounds()", &[])
        .await?;
    Ok(row.get(0))
}

/// A webhook with its state.
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

/// Events that are not routed yet.
pub async fn unrouted(session: &Session<'_>) -> Result<i64, Error> {
    let row = session
        .query_one("SELECT zentry_notify.unrouted_events()::bigint", &[])
        .await?;
    Ok(row.get(0))
}

/// A way out, with counters since the database's server started.
#[derive(Clone, Debug)]
pub struct WayOut {
    /// Its place in `zentry_notify.proxy`
    pub number: i32,
    /// Without a login
    pub way: String,
    pub requests: i64,
    /// Requests for which no connection could be made
    pub unreached: i64,
    /// Requests that Discord answered with 401, 403 or 429
    pub refused: i64,
    /// Whether it could not be used recently
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

/// The versions of the parts.
#[derive(Clone, Debug)]
pub struct Versions {
    /// The SQL objects in the database
    pub extension: String,
    /// The library in the server
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
