//! What all requests share.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;

use super::throttle::Throttle;
use super::used_tokens::UsedTokens;
use crate::database::{Database, Name};

/// How the server behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the database is called where there are several; none: it is the only one.
    pub name: Option<Name>,
    /// What links begin with, `https://host[:port]`; none: what the request says.
    pub public_url: Option<String>,
    /// Wrong tokens that an address may show in a minute.
    pub max_failed_tries: u32,
    /// Proxies that are believed when they say for whom they ask.
    pub trusted_proxies: Vec<IpAddr>,
    /// The longest time that a request may take.
    pub request_timeout: Duration,
    /// The longest body, in bytes.
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
    /// For those who try a webhook: they wait for its answer, with a connection of their own.
    trials: Database,
    options: Options,
    throttle: Throttle,
    used_tokens: UsedTokens,
}

impl App {
    /// `trials` are the connections for trials, which may hang without anybody else's noticing.
    pub fn new(database: Database, trials: Database, options: Options) -> Self {
        let throttle = Throttle::new(options.max_failed_tries, Duration::from_secs(60));
        Self(Arc::new(Inner {
            database,
            trials,
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

    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// Wrong tokens, by address.
    pub fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    /// Tokens whose use was noted.
    pub fn used_tokens(&self) -> &UsedTokens {
        &self.0.used_tokens
    }
}
