//! `send`: sends for databases on other machines.

use std::net::{IpAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use std::{fs, process};

use anyhow::{Context, Result, bail};
use clap::Args;
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};
use tracing_subscriber::filter::LevelFilter;
use webhook::client::{Client, ClientConfig, ClientError, SetBy};
use webhook::way::parse_ways;

use super::databases::Databases;
use super::target::{Chosen, Target};
use crate::process::{log_to_stderr, told_to_end};
use crate::send::{Neighbours, Options, Sender, keep};
use crate::web::seats;

/// The maximum number of files for the requests and idle connections of a database.
const FILES: usize = 6_000;
/// The number of files for the sessions in a database.
const SESSIONS: usize = 2;

/// Send the deliveries of one or more databases from this machine
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify send --database-url postgresql://zentry_sender@db/zentry
  zentry-notify send --database-url postgresql://sender@one/app --database-url postgresql://sender@two/app
  zentry-notify send --databases /etc/zentry-notify/databases
  zentry-notify send --proxy http://proxy.example.com:3128
  zentry-notify send --proxy direct,socks5h://a.example.com:1080,socks5h://b.example.com:1080

The role that logs in needs SELECT zentry_grant('zentry_sender', 'sender'), and the database the setting
zentry_notify.senders = remote or both. The connection must not go through a pooler in transaction mode.
Any number of senders may run: they share the webhooks evenly.")]
pub struct Send {
    #[command(flatten)]
    databases: Databases,
    /// Name of this process in zentry_notify.sender [default: the name of the machine and the number of the process]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Seconds without a sign of life after which a database gives the webhooks of this process to other senders
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    patience: u64,
    /// Proxy for all requests, or several, separated by commas, where 'direct' stands for no proxy; zentry_notify.proxy is not used. Give a password by the environment, because everybody on this machine can read a command line
    #[arg(long, value_name = "URL", env = "ZENTRY_NOTIFY_PROXY", hide_env_values = true)]
    proxy: Option<String>,
    /// PEM file of certificate authorities to trust in addition to the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Address of this machine that requests leave from. Discord allows 50 requests a second from each address: to use several, run a process for each
    #[arg(long, value_name = "ADDRESS", env = "ZENTRY_NOTIFY_SOURCE_ADDRESS")]
    source_address: Option<IpAddr>,
    /// The lowest level that is logged to standard error: error, warn, info or debug
    #[arg(long, value_name = "LEVEL", default_value_t = LevelFilter::INFO)]
    log_level: LevelFilter,
}

impl Send {
    pub async fn run(self, target: &Target) -> Result<ExitCode> {
        log_to_stderr(self.log_level);
        let mut databases = self.databases.named(target)?;
        if databases.is_empty() {
            databases = target.all()?;
        }
        let count = databases.len();
        let options = Options {
            name: self
                .name
                .clone()
                .unwrap_or_else(own_name)
                .chars()
                .take(100)
                .collect(),
            patience: Duration::from_secs(self.patience),
            of_machine: self.client()?,
            neighbours: Neighbours::new(count),
            files: seats::affordable(FILES * count, SESSIONS * count) / count.max(1),
        };
        let (say, stop) = watch::channel(false);
        let told = told_to_end()?;
        tokio::spawn(async move {
            told.await;
            // It only fails if all senders have already ended.
            let _ = say.send(true);
        });
        let here = LocalSet::new();
        here.run_until(async {
            let mut senders = JoinSet::new();
            for Chosen { name, parameters } in databases {
                let database = match name {
                    Some(name) => name.to_string(),
                    None if options.neighbours.count() > 1 => parameters.place(),
                    None => parameters.database().to_owned(),
                };
                let (options, stop) = (options.clone(), stop.clone());
                senders.spawn_local(async move {
                    let begin = || {
                        let sender = Sender::new(parameters.clone(), database.clone(), options.clone());
                        sender.run(stop.clone())
                    };
                    keep(&database, &options.neighbours, stop.clone(), begin).await;
                });
            }
            senders.join_all().await;
            Ok(ExitCode::SUCCESS)
        })
        .await
    }

    /// Returns the client's configuration that depends on this machine, after checking it.
    fn client(&self) -> Result<ClientConfig> {
        let ways = parse_ways(self.proxy.as_deref().unwrap_or_default()).context("--proxy")?;
        let read = |path: &PathBuf| {
            fs::read(path).with_context(|| format!("--ca-file: cannot read {}", path.display()))
        };
        let config = ClientConfig {
            ways,
            ca_pem: self.ca_file.as_ref().map(read).transpose()?,
            source_address: self.source_address.map(own_address).transpose()?,
            set_by: SetBy {
                proxy: "--proxy",
                ca_file: "--ca-file",
            },
            ..ClientConfig::default()
        };
        match Client::new(&config) {
            Ok(_) => Ok(config),
            Err(ClientError::CaPem(why)) => bail!("--ca-file: the certificates can't be read: {why}"),
            Err(ClientError::Proxy(why)) => bail!("--proxy: the proxy can't be used: {why}"),
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns the address if it belongs to this machine.
fn own_address(address: IpAddr) -> Result<IpAddr> {
    TcpListener::bind((address, 0))
        .with_context(|| format!("--source-address: messages cannot leave from {address}"))?;
    Ok(address)
}

fn own_name() -> String {
    let host = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok());
    format!(
        "{}:{}",
        host.unwrap_or_else(|| "zentry-notify".to_owned()),
        process::id()
    )
}
