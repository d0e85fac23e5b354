//! One connection: questions about streams, and messages that are acknowledged.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::connection::State as Connection;
use async_nats::{Event, HeaderMap, RequestErrorKind};
use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::client::failure;
use crate::nats::{MESSAGE_ID, Message, Stream};
use crate::outcome::{Answer, REMARK, TransportError};

/// So long what a stream's configuration says is believed.
const FRESH: Duration = Duration::from_secs(60);
/// For a question about a stream. Who may not ask gets no answer.
const QUESTION: Duration = Duration::from_secs(5);
/// Refusals of the server that are kept, and streams.
const KEPT: usize = 32;

const NAMES: &str = "$JS.API.STREAM.NAMES";
const INFO: &str = "$JS.API.STREAM.INFO";

#[derive(Debug)]
pub(super) struct Link {
    client: async_nats::Client,
    news: Arc<watch::Sender<News>>,
    streams: Mutex<Streams>,
}

/// What the server says that is no answer to anything.
#[derive(Debug, Default)]
pub(super) struct News {
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
pub(super) enum Failure {
    /// In the place of an answer of JetStream's.
    Answer(Answer),
    /// The connection is no good any more.
    Broken(TransportError),
    Other(TransportError),
}

pub(super) fn hear(news: &watch::Sender<News>, event: &Event) {
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
    pub(super) fn new(client: async_nats::Client, news: Arc<watch::Sender<News>>) -> Self {
        Self {
            client,
            news,
            streams: Mutex::default(),
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.news.borrow().lost && self.client.connection_state() == Connection::Connected
    }

    pub(super) async fn publish(
        &self,
        message: &Message,
        body: Bytes,
        longest: Duration,
    ) -> Result<Answer, Failure> {
        let (subject, headers) = (&message.publication.subject, message.publication.header_size());
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

    fn streams(&self) -> MutexGuard<'_, Streams> {
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

pub(super) fn answer(status: u16, body: impl Into<Vec<u8>>) -> Answer {
    Answer {
        status,
        headers: Vec::new(),
        body: body.into(),
    }
}
