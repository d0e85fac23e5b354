//! Whether a database can be used, for `/healthz` and Prometheus.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::database::{Database, Fault, Name};

/// The time limit of a check. Prometheus's default for a whole scrape is ten seconds
/// (<https://prometheus.io/docs/prometheus/latest/configuration/configuration/>, `scrape_timeout`).
const LIMIT: Duration = Duration::from_secs(5);

/// How long a result is reused. The endpoints need no token, so without a limit anyone could cause a query in the database with each request.
const HOLDS: Duration = Duration::from_secs(1);

/// Checks a database when it is asked, over a connection of its own, so that no other request can hold it up.
#[derive(Debug)]
pub struct Health {
    database: Database,
    /// The name of the database in the log: `database` or `database NAME`.
    called: String,
    limit: Duration,
    last: Mutex<Last>,
}

/// The result of the last check.
#[derive(Debug, Default)]
struct Last {
    /// When the check ended; `None`: there was none yet.
    at: Option<Instant>,
    /// What is wrong; `None`: nothing.
    fault: Option<Fault>,
}

impl Health {
    /// Returns the health of a database that was not checked yet. `database`: a pool that nothing else uses; `name`: the database's, if there are
    /// several; `request_timeout`: the time limit of a request.
    pub fn new(database: Database, name: Option<&Name>, request_timeout: Duration) -> Self {
        Self {
            database,
            called: name.map_or_else(|| "database".to_owned(), |name| format!("database {name}")),
            limit: LIMIT.min(request_timeout),
            last: Mutex::default(),
        }
    }

    /// Returns what is wrong with the database; `None`: nothing. Concurrent callers share one check, and a changed result is logged.
    pub async fn fault(&self) -> Option<Fault> {
        let mut last = self.last.lock().await;
        if last.at.is_none_or(|at| at.elapsed() >= HOLDS) {
            let fault = self.check().await;
            if last.fault != fault {
                match &fault {
                    Some(Fault::Unreachable(reason)) => {
                        tracing::warn!("the {} cannot be reached: {reason}", self.called);
                    }
                    Some(other) => tracing::warn!("the {} cannot be used: {other}", self.called),
                    None => tracing::info!("the {} answers again", self.called),
                }
            }
            let at = Some(Instant::now());
            *last = Last { at, fault };
        }
        last.fault.clone()
    }

    async fn check(&self) -> Option<Fault> {
        match timeout(self.limit, self.database.check()).await {
            Ok(checked) => checked.err(),
            Err(_) => Some(Fault::Unreachable("it does not answer in time".to_owned())),
        }
    }
}
