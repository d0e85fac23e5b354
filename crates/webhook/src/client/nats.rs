//! Connections to servers of NATS, and messages to their streams.
//!
//! The library is used for the protocol alone. It makes a connection once, to addresses that were checked here, and never again by itself; and it
//! publishes one message of a webhook at a time, since what is in flight behind a message that is lost would be stored before it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State as Connection;
use async_nats::{
    Auth, AuthError, ConnectErrorKind, ConnectOptions, Event, HeaderMap, RequestErrorKind, ServerAddr,
};
use bytes::Bytes;
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::{ClientConfig, failure, resolver, tls};
use crate::endpoint::{SecretUrl, is_encrypted, servers};
use crate::nats::{Credentials, Login, MESSAGE_ID, Message, Stream};
use crate::outcome::{Answer, REMARK, TransportError};
use crate::schedule::LONGEST_RETRY;
use crate::traceparent;

/// A connection that nobody has used for so long is closed.
const IDLE: Duration = Duration::from_secs(60);
/// So long what a stream's configuration says is believed.
const FRESH: Duration = Duration::from_secs(60);
/// For a question about a stream. Who may not ask gets no answer.
const QUESTION: Duration = Duration::from_secs(5);
/// Refusals of the server that are kept, and streams.
const KEPT: usize = 32;

const NAMES: &str = "$JS.API.STREAM.NAMES";
const INFO: &str = "$JS.API.STREAM.INFO";

/// All connections, one for each server and user.
#[derive(Debug)]
pub(super) struct Links {
    limits: Limits,
    trusted: Arc<RootCertStore>,
    places: Mutex<Vec<Arc<Place>>>,
}

#[derive(Debug)]
struct Limits {
    request_timeout: Duration,
    connect_timeout: Duration,
    allow_private_addresses: bool,
    /// There is a proxy, by which alone anything may leave.
    by_proxy: bool,
}

/// A server and a user, and the connection if there is one.
#[derive(Debug)]
struct Place {
    url: SecretUrl,
    credentials: Option<Credentials>,
    link: AsyncMutex<Option<Arc<Link>>>,
    used: Mutex<Instant>,
}

#[derive(Debug)]
struct Link {
    client: async_nats::Client,
    news: Arc<watch::Sender<News>>,
    streams: Mutex<Streams>,
}

/// What the server says that is no answer to anything.
#[derive(Debug, Default)]
struct News {
    lost: bool,
    refusals: Vec<String>,
}

#[derive(Debug, Default)]
struct Streams {
    known: Vec<(Instant, Stream)>,
    /// Nobody may be asked until then.
    unknown_until: Option<Instant>,
}

/// Why there is no acknowledgement.
enum Failure {
    /// In the place of an answer of JetStream's.
    Answer(Answer),
    /// The connection is no good any more.
    Broken(TransportError),
    Other(TransportError),
}

impl Links {
    pub(super) fn new(config: &ClientConfig, trusted: Arc<RootCertStore>) -> Self {
        Self {
            limits: Limits {
                request_timeout: config.request_timeout,
                connect_timeout: config.connect_timeout,
                allow_private_addresses: config.allow_private_addresses,
                by_proxy: config.proxy.is_some(),
            },
            trusted,
            places: Mutex::default(),
        }
    }

    /// Publishes and waits for the acknowledgement, `request_timeout` at most in all.
    pub(super) async fn publish(
        &self,
        url: &SecretUrl,
        message: &Message,
        body: Bytes,
    ) -> Result<Answer, TransportError> {
        if self.limits.by_proxy {
            return Err(TransportError::Forbidden(
                "NATS is not spoken by way of zentry_notify.proxy, and nothing leaves otherwise".into(),
            ));
        }
        let deadline = Instant::now() + self.limits.request_timeout;
        let place = self.place(url, message);
        let link = match timeout_at(deadline, self.link(&place)).await {
            Ok(Ok(link)) => link,
            Ok(Err(Failure::Answer(answer))) => return Ok(answer),
            Ok(Err(Failure::Broken(error) | Failure::Other(error))) => return Err(error),
            Err(_) => return Err(TransportError::Timeout(self.limits.connect_timeout)),
        };
        let longest = LONGEST_RETRY + self.limits.request_timeout;
        let outcome = match timeout_at(deadline, link.publish(message, body, longest)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::Broken(TransportError::Timeout(
                self.limits.request_timeout,
            ))),
        };
        match outcome {
            // Another connection may be allowed what this one was not.
            Err(Failure::Answer(answer)) if answer.status == 403 => {
                place.drop_link(&link).await;
                Ok(answer)
            }
            Ok(answer) | Err(Failure::Answer(answer)) => Ok(answer),
            Err(Failure::Other(error)) => Err(error),
            Err(Failure::Broken(error)) => {
                place.drop_link(&link).await;
                Err(error)
            }
        }
    }

    fn place(&self, url: &SecretUrl, message: &Message) -> Arc<Place> {
        let now = Instant::now();
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        // Who is out with one of them holds it, too.
        places.retain(|place| Arc::strong_count(place) > 1 || now.duration_since(place.used()) < IDLE);
        let same = |place: &&Arc<Place>| place.url == *url && place.credentials == message.credentials;
        if let Some(place) = places.iter().find(same) {
            place.use_at(now);
            return Arc::clone(place);
        }
        let place = Arc::new(Place {
            url: url.clone(),
            credentials: message.credentials.clone(),
            link: AsyncMutex::default(),
            used: Mutex::new(now),
        });
        places.push(Arc::clone(&place));
        place
    }

    /// The connection that there is, or a new one.
    async fn link(&self, place: &Place) -> Result<Arc<Link>, Failure> {
        let mut kept = place.link.lock().await;
        match &*kept {
            Some(link) if link.is_alive() => Ok(Arc::clone(link)),
            _ => {
                *kept = None;
                let link = Arc::new(self.connect(place).await?);
                *kept = Some(Arc::clone(&link));
                Ok(link)
            }
        }
    }

    async fn connect(&self, place: &Place) -> Result<Link, Failure> {
        let url = place.url.expose();
        let mut addresses = Vec::new();
        let mut names: HashMap<_, Vec<_>> = HashMap::new();
        let mut unresolved = None;
        for server in servers(url) {
            match resolver::allowed(&server, self.limits.allow_private_addresses).await {
                Ok(found) => {
                    let name = server.host.to_string();
                    let name = match server.address() {
                        Some(address) => Some(ServerName::from(address)),
                        None => ServerName::try_from(name).ok(),
                    };
                    for address in found {
                        names.entry(address.ip()).or_default().extend(name.clone());
                        addresses.push(address);
                    }
                }
                Err(error) => unresolved = Some(error),
            }
        }
        if let (true, Some(error)) = (addresses.is_empty(), unresolved) {
            return Err(Failure::Other(error));
        }
        let scheme = url.scheme();
        let addresses = addresses
            .iter()
            .filter_map(|address| format!("{scheme}://{address}").parse::<ServerAddr>().ok());
        let addresses: Vec<_> = addresses.collect();
        let config = tls::config_by_address(&self.trusted, names)
            .map_err(|error| Failure::Other(TransportError::Tls(error.to_string())))?;
        let news = Arc::new(watch::Sender::new(News::default()));
        let heard = Arc::clone(&news);
        let options = options(place.credentials.clone())
            .name("zentry_notify")
            .tls_client_config(config)
            .require_tls(is_encrypted(url))
            .connection_timeout(self.limits.connect_timeout)
            // Ours is for all of it.
            .request_timeout(None)
            // What the server says of others was checked by nobody.
            .ignore_discovered_servers()
            // As often as there are servers: it counts the first attempts, too. What it does when the connection is lost is too late for anybody.
            .max_reconnects(addresses.len())
            .event_callback(move |event| {
                hear(&heard, &event);
                std::future::ready(())
            });
        match options.connect(addresses).await {
            Ok(client) => Ok(Link {
                client,
                news,
                streams: Mutex::default(),
            }),
            Err(error) => Err(match error.kind() {
                ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                    Failure::Answer(answer(
                        401,
                        place.url.redact(&failure::innermost(&error)).into_owned(),
                    ))
                }
                ConnectErrorKind::TimedOut => {
                    Failure::Other(TransportError::Timeout(self.limits.connect_timeout))
                }
                _ => Failure::Other(failure::of_connection(&error, |text| {
                    place.url.redact(&text).into_owned()
                })),
            }),
        }
    }
}

impl Place {
    fn used(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn use_at(&self, now: Instant) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Another one may be there by now.
    async fn drop_link(&self, link: &Arc<Link>) {
        let mut kept = self.link.lock().await;
        if kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, link)) {
            *kept = None;
        }
    }
}

fn options(credentials: Option<Credentials>) -> ConnectOptions {
    let Some(credentials) = credentials else {
        return ConnectOptions::new();
    };
    ConnectOptions::with_auth_callback(move |nonce| {
        let credentials = credentials.clone();
        async move {
            let mut auth = Auth::new();
            let seed = match credentials.expose() {
                Login::Token(token) => {
                    auth.token = Some(token.clone());
                    None
                }
                Login::User { name, password } => {
                    auth.username = Some(name.clone());
                    auth.password = Some(password.clone());
                    None
                }
                Login::Key(seed) => Some(seed),
                Login::Jwt { jwt, seed } => {
                    auth.jwt = Some(jwt.clone());
                    Some(seed)
                }
            };
            if let Some(seed) = seed {
                if auth.jwt.is_none() {
                    auth.nkey = Some(seed.public().map_err(AuthError::new)?);
                }
                auth.signature = Some(seed.sign(&nonce).map_err(AuthError::new)?);
            }
            Ok(auth)
        }
    })
}

fn hear(news: &watch::Sender<News>, event: &Event) {
    match event {
        Event::Disconnected | Event::Closed => news.send_modify(|news| news.lost = true),
        Event::ServerError(error) => news.send_modify(|news| {
            if news.refusals.len() < KEPT {
                news.refusals.push(error.to_string());
            }
        }),
        _ => {}
    }
}

impl Link {
    fn is_alive(&self) -> bool {
        !self.news.borrow().lost && self.client.connection_state() == Connection::Connected
    }

    async fn publish(&self, message: &Message, body: Bytes, longest: Duration) -> Result<Answer, Failure> {
        let (subject, headers) = (&message.publication.subject, message.header_size());
        let most = self.client.server_info().max_payload;
        if headers.saturating_add(body.len()) > most {
            let size = headers + body.len();
            let reason =
                format!("the message has {size} bytes, and the server takes {most} at most (max_payload)");
            return Err(Failure::Answer(answer(413, reason)));
        }
        let mut remarks = Vec::new();
        if let Some(stream) = self.stream(subject, longest, &mut remarks).await? {
            if let Some(reason) = stream.unfit() {
                return Err(Failure::Answer(answer(409, reason)));
            }
            if let Some(reason) = stream.refuses(subject, headers, body.len()) {
                return Err(Failure::Answer(answer(413, reason)));
            }
        }
        let mut headers = HeaderMap::new();
        headers.insert(MESSAGE_ID, &*message.publication.message_id);
        if let Some(traceparent) = message.traceparent {
            headers.insert(traceparent::HEADER, &*traceparent.to_string());
        }
        let request = async_nats::Request::new().payload(body).headers(headers);
        let said = self.ask(subject, request).await?;
        let mut answer = answer(code(&said), said);
        let remarks = remarks.into_iter().map(|remark| (REMARK.into(), remark.into()));
        answer.headers.extend(remarks);
        Ok(answer)
    }

    /// The stream that takes the subject, as far as that can be known; what is read anew is remarked on.
    async fn stream(
        &self,
        subject: &str,
        longest: Duration,
        remarks: &mut Vec<String>,
    ) -> Result<Option<Stream>, Failure> {
        let now = Instant::now();
        {
            let mut streams = self.streams();
            streams
                .known
                .retain(|(read, _)| now.duration_since(*read) < FRESH);
            let known = streams.known.iter().find(|(_, stream)| stream.takes(subject));
            if let Some((_, stream)) = known {
                return Ok(Some(stream.clone()));
            }
            if streams.unknown_until.is_some_and(|until| now < until) {
                return Ok(None);
            }
        }
        match self.read_stream(subject).await {
            Ok(Some(stream)) => {
                remarks.extend(stream.doubts(longest));
                let mut streams = self.streams();
                if streams.known.len() == KEPT {
                    streams.known.remove(0);
                }
                streams.known.push((now, stream.clone()));
                Ok(Some(stream))
            }
            // The message itself shows what there is.
            Ok(None) => Ok(None),
            Err(Failure::Broken(error)) => Err(Failure::Broken(error)),
            Err(failure) => {
                self.streams().unknown_until = Some(now + FRESH);
                if matches!(&failure, Failure::Answer(answer) if answer.status == 403) {
                    remarks.push(format!(
                        "its configuration can't be read, because the user may not ask {NAMES} and {INFO}.*: whether a message is too large shows only when it is sent"
                    ));
                }
                Ok(None)
            }
        }
    }

    async fn read_stream(&self, subject: &str) -> Result<Option<Stream>, Failure> {
        #[derive(Deserialize)]
        struct Names {
            #[serde(default)]
            streams: Option<Vec<String>>,
        }
        let question = serde_json::json!({ "subject": subject }).to_string();
        let said = self.question(NAMES.to_owned(), question).await?;
        let names: Names = match serde_json::from_slice(&said) {
            Ok(names) => names,
            Err(_) => return Ok(None),
        };
        let Some(name) = names.streams.unwrap_or_default().into_iter().next() else {
            return Ok(None);
        };
        let said = self.question(format!("{INFO}.{name}"), String::new()).await?;
        Ok(Stream::read(&said).filter(|stream| stream.takes(subject)))
    }

    async fn question(&self, subject: String, body: String) -> Result<Vec<u8>, Failure> {
        let request = async_nats::Request::new().payload(body.into());
        match timeout(QUESTION, self.ask(&subject, request)).await {
            Ok(said) => said,
            Err(_) => Err(Failure::Other(TransportError::Timeout(QUESTION))),
        }
    }

    /// Asks, and hears what the server says meanwhile: it answers no question that the user may not ask.
    async fn ask(&self, subject: &str, request: async_nats::Request) -> Result<Vec<u8>, Failure> {
        let asked = format!("to \"{subject}\"");
        let mut news = self.news.subscribe();
        // What was refused before may be allowed by now.
        self.news
            .send_modify(|news| news.refusals.retain(|refusal| !refusal.contains(&asked)));
        let concerns = |refusal: &str| {
            let refusal_of = |what: &str| refusal.to_ascii_lowercase().contains(what);
            refusal.contains(&asked) || refusal_of("permissions violation for subscription")
        };
        let broken = |reason: &str| Failure::Broken(TransportError::Connection(reason.into()));
        let answered = self.client.send_request(subject.to_owned(), request);
        let refused =
            news.wait_for(|news| news.lost || news.refusals.iter().any(|refusal| concerns(refusal)));
        tokio::select! {
            answered = answered => match answered {
                Ok(message) => Ok(message.payload.to_vec()),
                Err(error) => Err(match error.kind() {
                    RequestErrorKind::NoResponders => Failure::Answer(answer(503, subject.to_owned())),
                    _ => broken(&failure::innermost(&error)),
                }),
            },
            refused = refused => Err(match refused {
                Ok(news) => match news.refusals.iter().find(|refusal| concerns(refusal)) {
                    Some(refusal) => Failure::Answer(answer(403, refusal.clone())),
                    None => broken("it was closed before there was an acknowledgement"),
                },
                Err(_) => broken("it was closed"),
            }),
        }
    }

    fn streams(&self) -> std::sync::MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The status of what JetStream says.
fn code(said: &[u8]) -> u16 {
    #[derive(Deserialize)]
    struct Said {
        error: Option<Refusal>,
    }
    #[derive(Deserialize)]
    struct Refusal {
        code: u16,
    }
    let said: Option<Said> = serde_json::from_slice(said).ok();
    said.and_then(|said| said.error).map_or(200, |error| error.code)
}

fn answer(status: u16, body: impl Into<Vec<u8>>) -> Answer {
    Answer {
        status,
        headers: Vec::new(),
        body: body.into(),
    }
}
