//! The state that all requests share.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;

use super::health::Health;
use super::throttle::Throttle;
use super::used_tokens::UsedTokens;
use crate::database::{Database, Name};

/// Options of the server.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name of the database, if there are several.
    pub name: Option<Name>,
    /// What links begin with, `https://host[:port]`; `None`: as in the request.
    pub public_url: Option<String>,
    /// The maximum number of wrong tokens from an address per minute.
    pub max_failed_tries: u32,
    /// Trusted proxies, whose `X-Forwarded-For` is used.
    pub trusted_proxies: Vec<IpAddr>,
    /// The time limit of a request.
    pub request_timeout: Duration,
    /// The maximum size of a body, in bytes.
    pub max_body: usize,
    /// Origins whose pages may call the API from a browser.
    pub cors_origins: Vec<HeaderValue>,
}

/// The server's state, cheap to clone.
#[derive(Clone, Debug)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    /// Connections for tests of webhooks, each of which is in use until the endpoint responds.
    trials: Database,
    health: Health,
    options: Options,
    throttle: Throttle,
    used_tokens: UsedTokens,
}

impl App {
    /// Returns the state. `trials`: the separate pool for tests of webhooks, so that slow endpoints do not block other requests; `own`: the one for
    /// checks whether the database can be used.
    pub fn new(database: Database, trials: Database, own: Database, options: Options) -> Self {
        let health = Health::new(own, options.name.as_ref(), options.request_timeout);
        let throttle = Throttle::new(options.max_failed_tries, Duration::from_secs(60));
        Self(Arc::new(Inner {
            database,
            trials,
            health,
            options,
            throttle,
            used_tokens: UsedTokens::default(),
        }))
    }

    pub fn database(&self) -> &Database {
        &self.0.database
    }

    pub fn trials(&self) -> &Database {
        &self.0.trials
    }

    /// Whether the database can be used.
    pub fn health(&self) -> &Health {
        &self.0.health
    }

    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// The limit on wrong tokens, by address.
    pub fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    /// Tokens whose use was recorded.
    pub fn used_tokens(&self) -> &UsedTokens {
        &self.0.used_tokens
    }
}

#[cfg(test)]
impl App {
    /// Returns the state of a server whose database nobody can reach.
    #[allow(clippy::unwrap_used)]
    pub fn unconnected(change: impl FnOnce(&mut Options)) -> Self {
        use crate::database::{Parameters, PoolOptions};

        let nowhere = "host=/nonexistent dbname=none user=nobody password=none sslmode=disable";
        let parameters = Parameters::find(Some(nowhere)).unwrap();
        let pool = || Database::new(&parameters, &PoolOptions::single()).unwrap();
        let mut options = Options {
            name: None,
            public_url: None,
            max_failed_tries: 10,
            trusted_proxies: Vec::new(),
            request_timeout: Duration::from_secs(60),
            max_body: 100,
            cors_origins: Vec::new(),
        };
        change(&mut options);
        Self::new(pool(), pool(), pool(), options)
    }
}
