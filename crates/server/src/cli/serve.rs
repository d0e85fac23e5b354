//! `serve`: the HTTP server.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::http::HeaderValue;
use axum::http::header::InvalidHeaderValue;
use clap::Args;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing_subscriber::filter::LevelFilter;

use super::databases::Databases;
use super::output::tell;
use super::target::{Chosen, Target};
use super::traces::{TraceOptions, report};
use crate::database::{Database, Name, PoolOptions};
use crate::process::log_to_stderr;
use crate::traces::Follower;
use crate::web::{App, Bound, Listen, Options, seats};

/// The number of clients below which a warning is logged: each waiting client would keep others out.
const FEW: usize = 50;

/// Serve the REST API and the admin pages
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify serve --database-url postgresql://zentry_server@db/zentry
  zentry-notify serve --listen 0.0.0.0:8443 --tls-cert server.pem --tls-key server.key
  zentry-notify serve --database sales=postgresql://zentry_server@a/sales --database shop=service=shop

With --database, each database has its own tokens, and paths that begin with its name, such as /sales/admin/,
/sales/api/notifications/ and /sales/metrics; the page / lists the databases.

The role that logs in needs SELECT zentry_grant('zentry_server', 'server'), and must be a member of each role that has tokens.")]
pub struct Serve {
    /// Address or host name, and port, to listen on; 0.0.0.0 stands for all IPv4 addresses
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8000", value_parser = place)]
    listen: String,
    /// Serve HTTPS: PEM file of the certificate with its chain
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file of the certificate's key
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    #[command(flatten)]
    databases: Databases,
    /// The beginning of links, if a proxy is in front of the server: `https://host[:port]`
    #[arg(long, value_name = "URL", value_parser = public_url)]
    public_url: Option<String>,
    /// An origin whose pages may call the API from a browser, such as `https://app.example.com`; may be repeated
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    cors_origin: Vec<HeaderValue>,
    /// Maximum number of connections to each database for requests; a fifth of them, at least one, is for tests of webhooks, which wait for an answer
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = pool_size)]
    pool_size: usize,
    /// Maximum number of connected clients; fewer if the process may not open as many files
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    max_connections: usize,
    /// Time limit of a request in seconds; the test of a webhook waits for its answer
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    request_timeout: u64,
    /// Time limit for receiving the head of a request, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    head_timeout: u64,
    /// Maximum size of the body of a request, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 64 * 1024)]
    max_body: usize,
    /// Maximum number of wrong tokens from one address per minute
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    max_failed_tries: u32,
    /// Address of a trusted proxy: the client's address is the one that it adds to `X-Forwarded-For`; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    trusted_proxy: Vec<IpAddr>,
    /// The lowest level that is logged to standard error: error, warn, info (each request) or debug
    #[arg(long, value_name = "LEVEL", default_value_t = LevelFilter::INFO)]
    log_level: LevelFilter,
    #[command(flatten)]
    traces: TraceOptions,
}

impl Serve {
    pub async fn run(self, target: &Target) -> Result<ExitCode> {
        log_to_stderr(self.log_level);
        let request_timeout = Duration::from_secs(self.request_timeout);
        let trials = (self.pool_size / 5).max(1);
        let pool = PoolOptions {
            size: self.pool_size - trials,
            patience: request_timeout.min(Duration::from_secs(10)),
            statement_timeout: Some(request_timeout),
        };
        let mut databases = self.databases.named(target)?;
        if databases.is_empty() {
            databases.push(target.one()?);
        }
        let options = Options {
            name: None,
            public_url: self.public_url,
            max_failed_tries: self.max_failed_tries,
            trusted_proxies: self.trusted_proxy,
            request_timeout,
            max_body: self.max_body,
            cors_origins: self.cors_origin,
        };
        // One more connection is for /healthz, and one for traces.
        let connections = (self.pool_size + 2) * databases.len();
        let seats = seats::affordable(self.max_connections, connections);
        if seats < FEW.min(self.max_connections) {
            tell(format_args!(
                "warning: {seats} clients may be connected at a time, for the process may have no more files open beside {connections} connections \
                 to databases\n\
                 hint: Raise the limit (LimitNOFILE of the service, ulimit -n), or lower --pool-size."
            ));
        }
        let listen = Listen {
            address: self.listen,
            tls: self.tls_cert.zip(self.tls_key),
            head_timeout: Duration::from_secs(self.head_timeout),
            seats,
        };
        let for_trials = PoolOptions {
            size: trials,
            ..pool.clone()
        };
        let own = PoolOptions {
            size: 1,
            ..pool.clone()
        };
        let (mut apps, mut followers) = (Vec::new(), Vec::new());
        for Chosen { name, parameters } in databases {
            let connect = |pool: &PoolOptions| {
                let database = Database::new(&parameters, pool);
                match &name {
                    Some(name) => database.with_context(|| format!("database {name}")),
                    None => database,
                }
            };
            let options = Options {
                name: name.clone(),
                ..options.clone()
            };
            apps.push(App::new(
                connect(&pool)?,
                connect(&for_trials)?,
                connect(&own)?,
                options,
            ));
            if let Some(exporter) = self.traces.exporter()? {
                followers.push((name.clone(), Follower::new(connect(&own)?, exporter, None)));
            }
        }
        let bound = Bound::new(apps.clone(), listen)?;
        let url = bound.url();
        if bound.is_open_to_others() {
            tell(format_args!(
                "warning: {url} is open to the network, and tokens come to it as plain text, which whoever is in between can read\n\
                 hint: Give --tls-cert and --tls-key; or listen on 127.0.0.1, with a proxy in front that has TLS, and say so by \
                 --public-url https://..."
            ));
        }
        for (name, follower) in followers {
            let interval = self.traces.interval();
            let report = move |reason: Option<&str>| report(name.as_ref(), reason);
            tokio::spawn(follower.follow(interval, report));
        }
        // It says that it listens once the first database can be used.
        let mut waiting = JoinSet::new();
        for app in apps {
            waiting.spawn(async move { wait_for(app.database(), app.options().name.as_ref()).await });
        }
        tokio::spawn(async move {
            let _ = waiting.join_next().await;
            tell(format_args!("listening on {url}"));
            waiting.join_all().await;
        });
        bound.serve().await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Waits until the database can be used. Meanwhile requests get an error, and the reason is logged each time that it changes.
async fn wait_for(database: &Database, name: Option<&Name>) {
    const PAUSE: Duration = Duration::from_millis(500);
    let mut told = String::new();
    while let Err(fault) = database.check().await {
        let reason = fault.to_string();
        if reason != told {
            let name = name.map_or_else(String::new, |name| format!(" {name}"));
            tell(format_args!("waiting for the database{name}: {reason}"));
            told = reason;
        }
        sleep(PAUSE).await;
    }
}

/// Parses `ADDRESS:PORT`; a name is resolved when the server starts to listen.
fn place(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
        _ => Err(
            "it must be an address or a name, and a port, such as localhost:8000 or [::1]:8000".to_owned(),
        ),
    }
}

/// Parses `https://host[:port]`, and returns it as browsers write it: scheme and host in lower case (RFC 3986, 6.2.2.1), without a slash at the end.
fn public_url(text: &str) -> Result<String, String> {
    let url = text.trim_end_matches('/').to_ascii_lowercase();
    match url.split_once("://") {
        Some(("https" | "http", host)) if !host.is_empty() && !host.contains('/') => Ok(url),
        _ => Err(
            "it must be a scheme, a host and perhaps a port, such as https://notify.example.com".to_owned(),
        ),
    }
}

/// Parses an origin, and returns it as browsers write it, in lower case.
fn origin(text: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    text.to_ascii_lowercase().parse()
}

/// Parses the size of the pool: at least two, one for requests and one for tests of webhooks.
fn pool_size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(size) if size >= 2 => Ok(size),
        _ => Err("it must be a number from 2 on".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_a_name_and_a_port() {
        for text in [
            "localhost:8000",
            "127.0.0.1:0",
            "[::1]:8000",
            "[::]:80",
            "db.example.com:443",
        ] {
            assert_eq!(place(text).as_deref(), Ok(text));
        }
        for text in [
            "",
            "8000",
            ":8000",
            "localhost",
            "localhost:http",
            "localhost:65536",
            "[::1]",
        ] {
            assert!(
                place(text).is_err_and(|error| error.contains("localhost:8000")),
                "{text}"
            );
        }
    }

    #[test]
    fn origins_are_compared_as_browsers_write_them() {
        for (text, url) in [
            ("https://notify.example.com", "https://notify.example.com"),
            (
                "HTTPS://Notify.Example.com:8443/",
                "https://notify.example.com:8443",
            ),
            ("http://localhost:8000", "http://localhost:8000"),
        ] {
            assert_eq!(public_url(text).as_deref(), Ok(url));
        }
        for text in [
            "",
            "notify.example.com",
            "ftp://a.example",
            "https://",
            "https://a.example/b",
        ] {
            assert!(public_url(text).is_err(), "{text}");
        }
        let origin = origin("HTTPS://App.Example.com").ok();
        assert_eq!(origin, Some(HeaderValue::from_static("https://app.example.com")));
    }
}
