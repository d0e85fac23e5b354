//! A connection to a server of NATS, and requests over it.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;

use super::unacknowledged::{Failure, answer};
use super::wire::{self, Connect, Info, Message, Said, Wire};
use crate::endpoint::SecretUrl;
use crate::nats::{Credentials, Login};
use crate::outcome::TransportError;

/// The maximum number of bytes that a server may send after a request: answers have a hundred, and a stream's configuration has a mebibyte at most.
const MOST_UNASKED: u64 = 16 * 1024 * 1024;
/// The maximum number of lines and messages, however short: an answer for each request that waits, and some pings.
const MOST_UNASKED_TIMES: u32 = 10_000;
/// The maximum number of lines before the login is accepted.
const MOST_BEFORE: usize = 100;
/// The maximum number of refusals of the server that are kept.
const KEPT: usize = 32;
/// The maximum number of orders that wait to be written.
const ORDERS: usize = 16;

/// The address of a server, and the name that its certificate has to be for.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub address: SocketAddr,
    pub name: ServerName<'static>,
}

/// What is needed to connect and log in.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub tls: &'a Arc<ClientConfig>,
    /// Whether the connection uses TLS from the beginning, whatever the server says.
    pub encrypted: bool,
    pub credentials: Option<&'a Credentials>,
    pub url: &'a SecretUrl,
}

/// Why a connection could not be made.
#[derive(Debug)]
pub(super) enum Unopened {
    /// The server does not accept the credentials, with its own words.
    Refused(String),
    Failed(io::Error),
}

impl From<io::Error> for Unopened {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// A connection, which is closed when this is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    orders: mpsc::Sender<Vec<u8>>,
    /// The prefix of subjects of answers.
    inbox: String,
    next: AtomicU64,
    shared: Arc<Shared>,
    /// The maximum size of a message, in bytes, that the server accepts; 0: unknown.
    pub max_payload: usize,
    url: SecretUrl,
    task: AbortHandle,
}

#[derive(Debug, Default)]
struct Shared {
    /// The requests that wait for an answer, by number.
    waiting: Mutex<HashMap<u64, oneshot::Sender<Message>>>,
    news: watch::Sender<News>,
}

/// What the server has said that was not an answer.
#[derive(Debug, Default)]
struct News {
    /// Why the connection has ended.
    lost: Option<String>,
    refusals: Vec<String>,
}

impl Connection {
    /// Connects and logs in.
    ///
    /// # Errors
    /// See [`Unopened`]. The server's words in it are not masked.
    pub(super) async fn open(target: Target, entry: &Entry<'_>) -> Result<Self, Unopened> {
        let stream = TcpStream::connect(target.address).await?;
        stream.set_nodelay(true)?;
        let mut wire = Wire::new(Box::new(stream));
        let Said::Info(info) = wire.hear().await? else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the server sent no greeting").into());
        };
        let encrypted = entry.encrypted || info.tls_required;
        if encrypted {
            let connector = TlsConnector::from(Arc::clone(entry.tls));
            let channel = connector.connect(target.name, wire.into_channel()?).await?;
            wire = Wire::new(Box::new(channel));
        }
        wire.say(&login(entry.credentials, &info, encrypted)?).await?;
        admitted(&mut wire).await?;
        let inbox = format!("_INBOX.{}", random()?);
        wire.say(format!("SUB {inbox}.* 1\r\n").as_bytes()).await?;

        let (orders, receiver) = mpsc::channel(ORDERS);
        let shared = Arc::<Shared>::default();
        let end = End(Arc::clone(&shared));
        let prefix = format!("{inbox}.");
        let task = tokio::spawn(async move {
            let outcome = run(wire, receiver, &prefix, &end.0).await;
            if let Err(error) = outcome {
                end.0.lose(&error.to_string());
            }
        });
        Ok(Self {
            orders,
            inbox,
            next: AtomicU64::new(1),
            shared,
            max_payload: info.max_payload,
            url: entry.url.clone(),
            task: task.abort_handle(),
        })
    }

    pub(super) fn is_alive(&self) -> bool {
        self.shared.news.borrow().lost.is_none()
    }

    /// Publishes, and waits for the answer or for a refusal, since the server does not answer what the user may not ask.
    pub(super) async fn ask(
        &self,
        subject: &str,
        headers: &[(&str, &str)],
        payload: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answered) = oneshot::channel();
        self.shared.waiting().insert(number, sender);
        let _forgotten = Forgotten(&self.shared, number);
        let asked = format!("to \"{subject}\"");
        let mut news = self.shared.news.subscribe();
        // Earlier refusals do not count: permissions may have changed.
        self.shared
            .news
            .send_modify(|news| news.refusals.retain(|refusal| !refusal.contains(&asked)));
        let concerns = |refusal: &str| {
            let refusal_of = |what: &str| refusal.to_ascii_lowercase().contains(what);
            refusal.contains(&asked) || refusal_of("permissions violation for subscription")
        };
        let reply = format!("{}.{number}", self.inbox);
        let order = wire::publish(subject, &reply, headers, payload);
        // If the connection has ended, its news say why.
        let _ = self.orders.send(order).await;
        let heard = news
            .wait_for(|news| news.lost.is_some() || news.refusals.iter().any(|refusal| concerns(refusal)));
        tokio::select! {
            biased;
            Ok(message) = answered => match message.status {
                Some(503) if message.payload.is_empty() => Err(Failure::Answer(answer(503, subject.to_owned()))),
                _ => Ok(message.payload.to_vec()),
            },
            heard = heard => Err(match heard {
                Ok(news) => match news.refusals.iter().find(|refusal| concerns(refusal)) {
                    Some(refusal) => Failure::Answer(answer(403, refusal.clone())),
                    None => self.broken(&news),
                },
                Err(_) => self.broken(&News::default()),
            }),
        }
    }

    fn broken(&self, news: &News) -> Failure {
        let why = news.lost.as_deref().unwrap_or(CLOSED);
        // Before it closes a connection, a server says why.
        let said = news
            .refusals
            .last()
            .filter(|refusal| !refusal.is_empty())
            .map(|refusal| format!(": {refusal}"))
            .unwrap_or_default();
        let text = format!("{why}{said}");
        Failure::Broken(TransportError::Connection(self.url.redact(&text).into_owned()))
    }
}

const CLOSED: &str = "it was closed before there was an acknowledgement";

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Message>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self, why: &str) {
        self.news.send_modify(|news| {
            news.lost.get_or_insert_with(|| why.to_owned());
        });
    }

    fn refuse(&self, reason: String) {
        self.news.send_modify(|news| {
            if news.refusals.len() == KEPT {
                news.refusals.remove(0);
            }
            news.refusals.push(reason);
        });
    }
}

/// Tells the requests that wait when the task ends, for whatever reason.
#[derive(Debug)]
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.lose(CLOSED);
    }
}

/// Removes a request that no longer waits for its answer.
struct Forgotten<'a>(&'a Shared, u64);

impl Drop for Forgotten<'_> {
    fn drop(&mut self) {
        self.0.waiting().remove(&self.1);
    }
}

async fn run(
    mut wire: Wire,
    mut orders: mpsc::Receiver<Vec<u8>>,
    prefix: &str,
    shared: &Shared,
) -> io::Result<()> {
    let (mut told_at, mut times) = (wire.received(), 0_u32);
    loop {
        tokio::select! {
            order = orders.recv() => {
                let Some(order) = order else { return Ok(()) };
                (told_at, times) = (wire.received(), 0);
                wire.say(&order).await?;
            }
            said = wire.hear() => match closed(said)? {
                Said::Message(message) => {
                    let number = message.subject.strip_prefix(prefix).and_then(|number| number.parse().ok());
                    let waits = number.and_then(|number: u64| shared.waiting().remove(&number));
                    // The request may have stopped waiting.
                    let _ = waits.map(|waits| waits.send(message));
                }
                Said::Error(reason) => shared.refuse(reason),
                Said::Ping => wire.say(b"PONG\r\n").await?,
                Said::Info(_) | Said::Pong | Said::Nothing => {}
            },
        }
        times += 1;
        if wire.received() - told_at > MOST_UNASKED || times > MOST_UNASKED_TIMES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the server sent more than anybody had asked for",
            ));
        }
    }
}

fn closed(said: io::Result<Said>) -> io::Result<Said> {
    said.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::new(io::ErrorKind::UnexpectedEof, CLOSED),
        _ => error,
    })
}

/// Waits until the server has accepted the login.
async fn admitted(wire: &mut Wire) -> Result<(), Unopened> {
    for _ in 0..MOST_BEFORE {
        match wire.hear().await? {
            Said::Pong => return Ok(()),
            Said::Ping => wire.say(b"PONG\r\n").await?,
            Said::Error(reason) => {
                let lower = reason.to_ascii_lowercase();
                let is_ours = lower.contains("authorization") || lower.contains("authentication");
                return Err(match is_ours && !lower.contains("timeout") {
                    true => Unopened::Refused(reason),
                    false => Unopened::Failed(io::Error::other(reason)),
                });
            }
            Said::Info(_) | Said::Message(_) | Said::Nothing => {}
        }
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        "the server says much and lets nobody in",
    )
    .into())
}

/// Returns the login, followed by a ping, which is answered when the login is accepted.
fn login(credentials: Option<&Credentials>, info: &Info, tls_required: bool) -> io::Result<Vec<u8>> {
    let mut connect = Connect {
        tls_required,
        name: "zentry_notify",
        lang: "rust",
        version: env!("CARGO_PKG_VERSION"),
        protocol: 1,
        headers: true,
        no_responders: true,
        ..Connect::default()
    };
    let seed = match credentials.map(Credentials::expose) {
        None => None,
        Some(Login::Token(token)) => {
            connect.auth_token = Some(token);
            None
        }
        Some(Login::User { name, password }) => {
            connect.user = Some(name);
            connect.pass = Some(password);
            None
        }
        Some(Login::Key(seed)) => {
            connect.nkey = Some(seed.public().map_err(io::Error::other)?);
            Some(seed)
        }
        Some(Login::Jwt { jwt, seed }) => {
            connect.jwt = Some(jwt);
            Some(seed)
        }
    };
    if let Some(seed) = seed {
        let signature = seed.sign(info.nonce.as_bytes()).map_err(io::Error::other)?;
        connect.sig = Some(URL_SAFE_NO_PAD.encode(signature));
    }
    let connect = serde_json::to_string(&connect).map_err(io::Error::other)?;
    Ok(format!("CONNECT {connect}\r\nPING\r\n").into_bytes())
}

/// Returns a random text, so that subjects of answers cannot be guessed.
fn random() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| io::Error::other("the system has no randomness"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
