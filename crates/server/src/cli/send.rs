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
use crate::send::{Neighbours, Options, Sender};
use crate::web::seats;

/// Files that the requests, the idle connections and the sessions may need.
const FILES: usize = 6_000;

/// Send what databases have to send, from this machine
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify send --database-url postgresql://zentry_sender@db/zentry
  zentry-notify send --database-url postgresql://sender@one/app --database-url postgresql://sender@two/app
  zentry-notify send --databases /etc/zentry-notify/databases
  zentry-notify send --proxy http://proxy.example.com:3128
  zentry-notify send --proxy direct,socks5h://a.example.com:1080,socks5h://b.example.com:1080

The role that logs in needs SELECT zentry_grant('zentry_sender', 'sender'), and the database zentry_notify.senders = remote, or both.
The connection must not go through a pooler in transaction mode. Any number of these may run: they share the webhooks evenly.")]
pub struct Send {
    #[command(flatten)]
    databases: Databases,
    /// What this process is called in zentry_notify.sender; this machine's name and the process's number if it is not given
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Seconds after which a database gives this process's webhooks to others when it hears nothing of it
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    patience: u64,
    /// Proxy for all requests, or several, as of zentry_notify.proxy, which does not hold here: 'direct' among them is this machine's own address. One with a password by the environment: everybody on this machine can read a command line
    #[arg(long, value_name = "URL", env = "ZENTRY_NOTIFY_PROXY", hide_env_values = true)]
    proxy: Option<String>,
    /// PEM file of certificate authorities to trust in addition to the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Address of this machine that messages leave from. With several, a process for each has Discord's 50 requests a second for each
    #[arg(long, value_name = "ADDRESS", env = "ZENTRY_NOTIFY_SOURCE_ADDRESS")]
    source_address: Option<IpAddr>,
    /// What is logged to standard error: error, warn, info or debug
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
            neighbours: Neighbours::new(databases.len()),
        };
        seats::affordable(FILES, 0);
        let (say, stop) = watch::channel(false);
        let told = told_to_end()?;
        tokio::spawn(async move {
            told.await;
            // Everybody has ended otherwise.
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
                let sender = Sender::new(parameters, database, options.clone());
                senders.spawn_local(sender.run(stop.clone()));
            }
            while let Some(ended) = senders.join_next().await {
                ended.context("a sender has failed inside")?;
            }
            Ok(ExitCode::SUCCESS)
        })
        .await
    }

    /// What is this machine's to know, checked.
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

/// The address, if connections can leave from it.
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
