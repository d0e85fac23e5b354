//! Connections to the database, and sessions on them.

mod conninfo;
mod files;
mod name;
mod parameters;
mod pinned;
mod session;
mod tls;

use std::time::Duration;

use anyhow::{Context, Result};
use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime,
    Timeouts,
};

pub use self::conninfo::has_password;
pub use self::name::Name;
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
        let mut settings = pinned::options(config.get_options().unwrap_or_default());
        if let Some(timeout) = options.statement_timeout {
            settings += &format!(" -c statement_timeout={}", timeout.as_millis());
        }
        config.options(settings);
        let recycle = ManagerConfig {
            // A session ends its transaction before the connection comes back, and the next one begins by undoing all else.
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

/// What a connection of its own is made by, outside of any pool.
pub fn plain(
    parameters: &Parameters,
) -> Result<(tokio_postgres::Config, tokio_postgres_rustls::MakeRustlsConnect)> {
    let mut config = parameters.config()?;
    let settings = pinned::options(config.get_options().unwrap_or_default());
    config
        .options(settings)
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(3);
    Ok((config, tls::connector(parameters)?))
}

/// An error where the database does not have the extension.
async fn find_extension(client: &mut ClientWrapper) -> Result<(), HookError> {
    const SQL: &str =
        "SELECT FROM pg_catalog.pg_extension e WHERE e.extname OPERATOR(pg_catalog.=) 'zentry_notify'";
    match client.query_opt(SQL, &[]).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(HookError::message(
            "the database does not have the extension zentry_notify",
        )),
        Err(error) => Err(HookError::Backend(error)),
    }
}
