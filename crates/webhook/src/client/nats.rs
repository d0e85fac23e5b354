//! Connections to servers of NATS, and messages to their streams.
//!
//! A connection is made to addresses that were checked here, and never reconnects by itself. One message of a webhook is published at a time: if a message
//! is lost, those in flight after it would be stored before it.

mod connection;
mod unacknowledged;
mod wire;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, timeout, timeout_at};

use self::connection::{Connection, Entry, Target, Unopened};
use self::unacknowledged::{Failure, answer};
use super::limits::Limits;
use super::{failure, resolver, tls};
use crate::endpoint::{SecretUrl, is_encrypted, servers};
use crate::nats::{Credentials, MESSAGE_ID, Message, Stream};
use crate::outcome::{Answer, REMARK, STREAM, TransportError};
use crate::schedule::LONGEST_RETRY;
use crate::traceparent;

/// The time after which an unused connection is closed.
const IDLE: Duration = Duration::from_secs(60);
/// The time after which a stream's configuration is read again.
const FRESH: Duration = Duration::from_secs(60);
/// The time limit of a question about a stream. A user who may not ask gets no answer.
const QUESTION: Duration = Duration::from_secs(5);
/// The maximum number of streams whose configuration is kept.
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

/// A server and a user, with the connection if there is one.
#[derive(Debug)]
struct Place {
    url: SecretUrl,
    credentials: Option<Credentials>,
    link: AsyncMutex<Option<Arc<Link>>>,
    used: Mutex<Instant>,
}

#[derive(Debug)]
struct Link {
    connection: Connection,
    streams: Mutex<Streams>,
}

#[derive(Debug, Default)]
struct Streams {
    known: Vec<(Instant, Stream)>,
    /// Until when configurations are not asked for, because that has failed.
    unknown_until: Option<Instant>,
}

impl Links {
    pub(super) fn new(limits: Limits, trusted: Arc<RootCertStore>) -> Self {
        Self {
            limits,
            trusted,
            places: Mutex::default(),
        }
    }

    /// Publishes and waits for the acknowledgement, within `request_timeout`.
    pub(super) async fn publish(
        &self,
        url: &SecretUrl,
        message: &Message,
        body: Bytes,
    ) -> Result<Answer, TransportError> {
        if !self.limits.direct {
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
            // A new connection may have other permissions.
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
        // (One that is in use has another reference.)
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

    /// Returns the existing connection, or a new one.
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
        let mut targets = self.targets(&place.url).await?;
        let seed = jiff::Timestamp::now().as_nanosecond() as u64;
        fastrand::Rng::with_seed(seed).shuffle(&mut targets);
        let tls = tls::config_of_streams(&self.trusted);
        let tls = Arc::new(tls.map_err(|error| Failure::Other(TransportError::Tls(error.to_string())))?);
        let entry = Entry {
            tls: &tls,
            encrypted: is_encrypted(place.url.expose()),
            credentials: place.credentials.as_ref(),
            url: &place.url,
        };
        let limit = self.limits.connect_timeout;
        let mut last = TransportError::Resolve("no address".into());
        for target in targets {
            last = match timeout(limit, Connection::open(target, &entry)).await {
                Ok(Ok(connection)) => {
                    return Ok(Link {
                        connection,
                        streams: Mutex::default(),
                    });
                }
                // The other servers of a cluster have the same users.
                Ok(Err(Unopened::Refused(reason))) => {
                    return Err(Failure::Answer(answer(
                        401,
                        place.url.redact(&reason).into_owned(),
                    )));
                }
                Ok(Err(Unopened::Failed(error))) => {
                    failure::of_connection(&error, self.limits.set_by, |text| {
                        place.url.redact(&text).into_owned()
                    })
                }
                Err(_) => TransportError::Timeout(limit),
            };
        }
        Err(Failure::Other(last))
    }

    /// Returns the addresses of the servers of a URL; an error if there are none.
    async fn targets(&self, url: &SecretUrl) -> Result<Vec<Target>, Failure> {
        let (mut targets, mut unresolved) = (Vec::new(), None);
        for server in servers(url.expose()) {
            let name = match server.address() {
                Some(address) => Some(ServerName::from(address)),
                None => ServerName::try_from(server.host.to_string()).ok(),
            };
            let Some(name) = name else { continue };
            match resolver::allowed(&server, self.limits.allow_private_addresses).await {
                Ok(found) => targets.extend(found.into_iter().map(|address| Target {
                    address,
                    name: name.clone(),
                })),
                Err(error) => unresolved = Some(error),
            }
        }
        match unresolved {
            Some(error) if targets.is_empty() => Err(Failure::Other(error)),
            _ => Ok(targets),
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

    /// Removes the connection, unless there is another one by now.
    async fn drop_link(&self, link: &Arc<Link>) {
        let mut kept = self.link.lock().await;
        if kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, link)) {
            *kept = None;
        }
    }
}

impl Link {
    fn is_alive(&self) -> bool {
        self.connection.is_alive()
    }

    async fn publish(&self, message: &Message, body: Bytes, longest: Duration) -> Result<Answer, Failure> {
        let (subject, headers) = (&message.publication.subject, message.header_size());
        let most = self.connection.max_payload;
        // (0: the server has not named a limit.)
        if most > 0 && headers.saturating_add(body.len()) > most {
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
        let traceparent = message.traceparent.map(|traceparent| traceparent.to_string());
        let mut headers = vec![(MESSAGE_ID, &*message.publication.message_id)];
        headers.extend(
            traceparent
                .as_deref()
                .map(|traceparent| (traceparent::HEADER, traceparent)),
        );
        let said = self.connection.ask(subject, &headers, &body).await?;
        let mut answer = answer(code(&said), said);
        answer.headers = remarks;
        Ok(answer)
    }

    /// Returns the stream that accepts the subject, if that can be found out. If its configuration was read now, `remarks` gets what is wrong with it.
    async fn stream(
        &self,
        subject: &str,
        longest: Duration,
        remarks: &mut Vec<(Box<str>, Box<str>)>,
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
            Ok(Some(mut stream)) => {
                stream.forget_most_subjects(subject);
                remarks.push((STREAM.into(), stream.name.clone()));
                let doubts = stream.doubts(longest).into_iter();
                remarks.extend(doubts.map(|doubt| (REMARK.into(), doubt.into())));
                let mut streams = self.streams();
                if streams.known.len() == KEPT {
                    streams.known.remove(0);
                }
                streams.known.push((now, stream.clone()));
                Ok(Some(stream))
            }
            // There may be none; the answer to the message will show it.
            Ok(None) => Ok(None),
            Err(Failure::Broken(error)) => Err(Failure::Broken(error)),
            Err(failure) => {
                self.streams().unknown_until = Some(now + FRESH);
                if matches!(&failure, Failure::Answer(answer) if answer.status == 403) {
                    let remark = format!(
                        "its configuration can't be read, because the user may not ask {NAMES} and {INFO}.*: whether a message is too large shows only when it is sent"
                    );
                    remarks.push((STREAM.into(), "".into()));
                    remarks.push((REMARK.into(), remark.into()));
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
        let said = self.question(NAMES, &question).await?;
        let names: Names = match serde_json::from_slice(&said) {
            Ok(names) => names,
            Err(_) => return Ok(None),
        };
        let mut names = names.streams.unwrap_or_default().into_iter();
        let Some(name) = names.next().filter(|name| Stream::is_name(name)) else {
            return Ok(None);
        };
        let said = self.question(&format!("{INFO}.{name}"), "").await?;
        Ok(Stream::read(&said).filter(|stream| stream.takes(subject)))
    }

    async fn question(&self, subject: &str, body: &str) -> Result<Vec<u8>, Failure> {
        match timeout(QUESTION, self.connection.ask(subject, &[], body.as_bytes())).await {
            Ok(said) => said,
            Err(_) => Err(Failure::Other(TransportError::Timeout(QUESTION))),
        }
    }

    fn streams(&self) -> std::sync::MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the status of an answer of JetStream's.
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
