//! Connections to the database, and sessions on them.

mod conninfo;
mod files;
mod parameters;
mod session;
mod tls;

use std::time::Duration;

use anyhow::{Context, Result};
use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime,
    Timeouts,
};

pub use self::parameters::Parameters;
pub use self::session::{Access, BeginError, Connection, Identity, Session};

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

impl PoolOptions {
    /// One connection, for a command.
    pub const fn single() -> Self {
        Self {
            size: 1,
            patience: Duration::from_secs(30),
            statement_timeout: None,
        }
    }
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
            .post_create(Hook::async_fn(|client, _| Box::pin(find_extension(client))))
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

/// Make the schema that has the extension's functions the search path, whatever the database or the role has set.
async fn find_extension(client: &mut ClientWrapper) -> Result<(), HookError> {
    const SQL: &str = "SELECT pg_catalog.set_config('search_path', pg_catalog.quote_ident(n.nspname) || ', pg_temp', false) \
                         FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace \
                        WHERE e.extname = 'zentry_notify'";
    match client.query_opt(SQL, &[]).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(HookError::message(
            "the database does not have the extension zentry_notify",
        )),
        Err(error) => Err(HookError::Backend(error)),
    }
}
