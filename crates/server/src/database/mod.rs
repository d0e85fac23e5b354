//! Connections to the database, and the transactions on them.

mod conninfo;
mod explain;
mod fault;
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
pub use self::explain::{explain, explain_begin, explain_pool};
pub use self::fault::Fault;
pub use self::name::Name;
pub use self::parameters::Parameters;
pub use self::session::{Access, BeginError, Connection, Identity, Session};

/// Options of the connection pool.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// The maximum number of connections.
    pub size: usize,
    /// How long a request waits for a free or new connection.
    pub patience: Duration,
    /// The time limit of a statement; `None`: no limit.
    pub statement_timeout: Option<Duration>,
}

impl PoolOptions {
    /// Returns the options for a command: a single connection.
    pub const fn single() -> Self {
        Self {
            size: 1,
            patience: Duration::from_secs(30),
            statement_timeout: None,
        }
    }
}

/// How long sent data may stay unacknowledged (`TCP_USER_TIMEOUT`). If a machine disappears, the kernel would retransmit for a quarter of an hour
/// (tcp(7), `tcp_retries2`), and every request that gets the connection would hang.
const SILENCE: Duration = Duration::from_secs(10);

/// A pool of connections to one database.
#[derive(Clone, Debug)]
pub struct Database(Pool);

impl Database {
    /// Returns a pool. It connects when the first connection is needed.
    pub fn new(parameters: &Parameters, options: &PoolOptions) -> Result<Self> {
        let mut config = parameters.config()?;
        let mut settings = pinned::options(config.get_options().unwrap_or_default());
        if let Some(timeout) = options.statement_timeout {
            settings += &format!(" -c statement_timeout={}", timeout.as_millis());
        }
        config.options(settings);
        notice_silence(&mut config);
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        let recycle = ManagerConfig {
            // A session ends its transaction before the connection returns to the pool, and the next one resets everything else.
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

    /// Returns a connection whose sessions run as `identity`.
    pub async fn connection(&self, identity: Identity) -> Result<Connection, PoolError> {
        Ok(Connection::new(self.0.get().await?, identity))
    }
}

/// Returns what is needed to connect outside of the pool: tokio-postgres's configuration and the TLS connector.
pub fn plain(
    parameters: &Parameters,
) -> Result<(tokio_postgres::Config, tokio_postgres_rustls::MakeRustlsConnect)> {
    let mut config = parameters.config()?;
    let settings = pinned::options(config.get_options().unwrap_or_default());
    config.options(settings);
    notice_silence(&mut config);
    Ok((config, tls::connector(parameters)?))
}

/// Enables keepalives, so that connections to a machine that has disappeared end. Without them, the kernel would first probe after two hours.
fn notice_silence(config: &mut tokio_postgres::Config) {
    config
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(3);
}

/// Returns an error if the database does not have the extension.
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
