//! An emulator of Discord's webhooks and of Microsoft Teams' (legacy connectors and Workflows), as strict as the real
//! services, that can also be told to misbehave.
//!
//! It runs in threads of its own and is used from ordinary blocking tests:
//!
//! ```
//! # use std::time::Duration;
//! # use zentry_e2e::emulator::{Behaviour, Emulator};
//! let emulator = Emulator::start().unwrap();
//! let webhook = emulator.discord_webhook();
//! webhook.script([Behaviour::Status(500), Behaviour::Slow(Duration::from_millis(200))]);
//! // … have something posted to webhook.url(), then: webhook.wait_for_events(1, Duration::from_secs(5));
//! assert_eq!(webhook.requests(), 0);
//! ```
//!
//! It was written from the vendors' documentation and what senders report of the real services, and shares no code
//! with the client that it judges.

mod address;
mod canned;
mod control;
mod counts;
mod discord;
mod event;
mod fault;
mod findings;
mod google_chat;
mod hook;
mod kind;
mod lock;
mod markup;
mod mattermost;
mod ntfy;
mod pace;
mod page;
mod query;
mod registry;
pub mod render;
mod reply;
mod request;
mod route;
mod script;
mod seconds;
mod server;
mod service;
mod services;
mod shape;
mod shared;
pub mod shown;
mod signed;
mod slack;
mod store;
mod teams;
mod tls;
mod verdict;
mod webhook;
mod wire;

use std::io;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio_rustls::rustls::ServerConfig;

pub use event::{Event, Field};
pub use kind::Kind;
pub use pace::{Limits, RateLimit};
pub use script::Behaviour;
pub use store::{Keep, Received};
pub use tls::Certificate;
pub use verdict::{Given, Verdict};
pub use webhook::Webhook;

use lock::lock;
use registry::Registry;
use server::Listening;
use shared::{Bases, Shared};
use store::Store;
use tls::Authority;

/// How an emulator is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// 0 takes a free one.
    pub http_port: u16,
    /// 0 takes a free one.
    pub https_port: u16,
    pub keep: Keep,
    /// Whether new webhooks have their vendor's limits; each can be changed by [`Webhook::limit`].
    pub rate_limits: bool,
    /// A limit over all Discord webhooks for each address, as [`RateLimit::DISCORD_GLOBAL`]; none by default.
    pub discord_global: Option<RateLimit>,
    /// Threads that serve.
    pub threads: usize,
    /// The same seed gives the same webhooks, so that a process that is started again knows the URLs of the one before.
    pub seed: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            http_port: 0,
            https_port: 0,
            keep: Keep::All,
            rate_limits: true,
            discord_global: None,
            threads: 1,
            seed: None,
        }
    }
}

impl Options {
    /// For benchmarks: no limits, nothing kept but counts.
    pub fn receiver() -> Self {
        Options {
            keep: Keep::Count,
            rate_limits: false,
            ..Options::default()
        }
    }
}

/// A running emulator; it ends when it is dropped.
#[derive(Debug)]
pub struct Emulator {
    shared: Arc<Shared>,
    authority: Authority,
    ports: Mutex<Vec<Port>>,
    /// Some until dropped.
    runtime: Option<Runtime>,
}

/// A port that the emulator has, listening or not.
#[derive(Debug)]
struct Port {
    number: u16,
    tls: Option<Arc<ServerConfig>>,
    listening: Option<Listening>,
}

impl Emulator {
    pub fn start() -> io::Result<Self> {
        Emulator::start_with(Options::default())
    }

    /// Fails when a port is taken.
    pub fn start_with(options: Options) -> io::Result<Self> {
        server::raise_limit_of_files()?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(options.threads.max(1))
            .thread_name("emulator")
            .enable_all()
            .build()?;
        let shared = Arc::new(Shared {
            registry: Registry::new(options.seed, options.rate_limits),
            store: Store::new(options.keep),
            discord_global: options.discord_global,
            discord_windows: Mutex::default(),
            banned: Mutex::default(),
            bases: OnceLock::new(),
        });
        let authority = Authority::new().map_err(io::Error::other)?;
        let emulator = Emulator {
            shared,
            authority,
            ports: Mutex::default(),
            runtime: Some(runtime),
        };
        let http = emulator.open(options.http_port, None)?;
        let good = emulator
            .authority
            .config(Certificate::Good)
            .map_err(io::Error::other)?;
        let https = emulator.open(options.https_port, Some(good))?;
        // Set here only: it cannot be set already.
        let _ = emulator.shared.bases.set(Bases {
            http: format!("http://127.0.0.1:{http}"),
            https: format!("https://127.0.0.1:{https}"),
        });
        Ok(emulator)
    }

    /// `http://127.0.0.1:PORT`.
    pub fn http_base(&self) -> &str {
        self.shared.http_base()
    }

    /// `https://127.0.0.1:PORT`; its certificate is of the authority of [`Emulator::ca_pem`].
    pub fn https_base(&self) -> &str {
        self.shared.https_base()
    }

    /// Opens a further port that presents this certificate; returns its `https://127.0.0.1:PORT`, for
    /// [`Webhook::url_at`].
    pub fn https_base_with(&self, certificate: Certificate) -> io::Result<String> {
        let config = self.authority.config(certificate).map_err(io::Error::other)?;
        Ok(format!("https://127.0.0.1:{}", self.open(0, Some(config))?))
    }

    /// The certificate of the authority, in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.authority.pem
    }

    /// A certificate of that authority and its key, in PEM, for a server that is none of the emulator's.
    pub fn certificate_pem(&self, certificate: Certificate) -> io::Result<(String, String)> {
        self.authority.issue_pem(certificate).map_err(io::Error::other)
    }

    pub fn discord_webhook(&self) -> Webhook {
        self.register(Kind::Discord)
    }

    /// A legacy Teams connector.
    pub fn connector(&self) -> Webhook {
        self.register(Kind::Connector)
    }

    /// A Teams Workflows trigger.
    pub fn workflow(&self) -> Webhook {
        self.register(Kind::Workflow)
    }

    pub fn register(&self, kind: Kind) -> Webhook {
        Webhook::new(self.shared.registry.register(kind), self.shared.clone())
    }

    /// All webhooks, in the order in which they were made.
    pub fn webhooks(&self) -> Vec<Webhook> {
        webhook::all(&self.shared)
    }

    /// All requests that are kept, in the order in which they arrived.
    pub fn received(&self) -> Vec<Arc<Received>> {
        self.shared.store.all()
    }

    /// Requests that no webhook was meant by, or none that ever existed.
    pub fn strays(&self) -> Vec<Arc<Received>> {
        self.received()
            .into_iter()
            .filter(|received| received.webhook.is_none())
            .collect()
    }

    /// Requests to all webhooks so far.
    pub fn requests(&self) -> u64 {
        self.shared.store.counts.requests.load(Ordering::SeqCst)
    }

    /// Events in the accepted messages of all webhooks so far.
    pub fn event_count(&self) -> u64 {
        self.shared.store.counts.events.load(Ordering::SeqCst)
    }

    /// Waits until that many events, over all webhooks, have been accepted.
    ///
    /// # Panics
    /// When `timeout` passes before.
    pub fn wait_for_events(&self, events: u64, timeout: Duration) {
        let enough = || (self.event_count() >= events).then_some(());
        if self.shared.store.wait(Instant::now() + timeout, enough).is_none() {
            panic!(
                "{} of {events} events after {timeout:?}\n{}",
                self.event_count(),
                webhook::dump(&self.received())
            );
        }
    }

    /// What a well-behaved sender never causes: refusals that no script asked for, and warnings. Being rate limited is
    /// not among them.
    pub fn complaints(&self) -> Vec<String> {
        self.received()
            .iter()
            .flat_map(|received| webhook::complaints(received))
            .collect()
    }

    /// From now on Discord's edge turns this address away.
    pub fn ban(&self, address: IpAddr) {
        lock(&self.shared.banned).insert(address);
    }

    /// The end of that.
    pub fn lift_ban(&self, address: IpAddr) {
        lock(&self.shared.banned).remove(&address);
    }

    /// Forgets all requests and counts; webhooks, scripts and limits stay.
    pub fn clear(&self) {
        webhook::forget(&self.shared);
    }

    /// Closes all ports and breaks all connections. What had arrived stays known.
    pub fn stop(&self) {
        for port in lock(&self.ports).iter_mut() {
            if let Some(listening) = port.listening.take() {
                listening.close();
            }
        }
    }

    /// Opens the ports again that [`Emulator::stop`] closed.
    pub fn restart(&self) -> io::Result<()> {
        for port in lock(&self.ports)
            .iter_mut()
            .filter(|port| port.listening.is_none())
        {
            port.listening = Some(self.listen(port.number, port.tls.clone())?);
        }
        Ok(())
    }

    fn open(&self, number: u16, tls: Option<Arc<ServerConfig>>) -> io::Result<u16> {
        let listening = self.listen(number, tls.clone())?;
        let number = listening.address.port();
        lock(&self.ports).push(Port {
            number,
            tls,
            listening: Some(listening),
        });
        Ok(number)
    }

    fn listen(&self, number: u16, tls: Option<Arc<ServerConfig>>) -> io::Result<Listening> {
        let runtime = self
            .runtime
            .as_ref()
            .ok_or_else(|| io::Error::other("the emulator has ended"))?;
        Listening::open(runtime.handle(), number, tls, self.shared.clone())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stop();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
