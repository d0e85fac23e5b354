//! Connections to the database, and sessions on them.

mod conninfo;
mod files;
mod parameters;
mod session;
mod tls;

use std::time::Duration;

use anyhow::{Context, Result};
use deadpool_postgres::{Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, Timeouts};

pub use self::parameters::Parameters;
pub use self::session::{Access, Connection, Identity, Session};

/// How the pool is set up.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// Connections at most.
    pub size: usize,
    /// How long a request waits for a free one, or for a new one to be made.
    pub patience: Duration,
    /// The longest time that a statement may take; none: as long as it takes.
    pub statement_timeout: Option<Duration>,
}

/// A pool of connections to one database.
#[derive(Clone, Debug)]
pub struct Database(Pool);

impl Database {
    /// Nothing is connected before the first session.
    pub fn new(parameters: &Parameters, options: &PoolOptions) -> Result<Self> {
        let mut config = parameters.config()?;
        if let Some(timeout) = options.statement_timeout {
            let given = config.get_options().unwrap_or_default();
            config.options(format!("{given} -c statement_timeout={}", timeout.as_millis()));
        }
        let recycle = ManagerConfig {
            // A session ends its transaction before the connection comes back: there is nothing else to undo.
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = Manager::from_config(config, tls::connector(parameters)?, recycle);
        let patience = Some(options.patience);
        let pool = Pool::builder(manager)
            .max_size(options.size)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts {
                wait: patience,
                create: patience,
                recycle: patience,
            })
            .build()
            .context("cannot make a pool of connections")?;
        Ok(Self(pool))
    }

    /// A connection, for sessions of `identity`.
    pub async fn connection(&self, identity: Identity) -> Result<Connection, PoolError> {
        Ok(Connection::new(self.0.get().await?, identity))
    }
}
