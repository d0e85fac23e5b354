//! What an answer means.

mod answer;
mod status;
#[cfg(test)]
mod tests;
mod text;
mod wait;

pub(crate) mod discord;
pub(crate) mod google_chat;
pub(crate) mod mattermost;
pub(crate) mod nats;
pub(crate) mod ntfy;
pub(crate) mod signed;
pub(crate) mod slack;
pub(crate) mod teams;

use std::time::Duration;

pub use nats::{REMARK, STREAM, remarks, stream_looked_at};

use crate::endpoint::{EndpointKind, SecretUrl};

/// The headers that [`judge`] reads; a client need not keep any other.
pub const JUDGED_HEADERS: [&str; 8] = [
    "content-type",
    "date",
    "retry-after",
    "x-ratelimit-global",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset-after",
    "x-ratelimit-scope",
];

/// An HTTP answer, bounded: `headers` holds just those that [`judge`] reads (names in lower case), `body` its
/// first part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(Box<str>, Box<str>)>,
    pub body: Vec<u8>,
}

/// Why there is no answer. The texts are for people and hold no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No answer in time, with the time that was allowed.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The name could not be resolved, so that nothing was sent.
    #[error("the host's name could not be resolved: {0}")]
    Resolve(String),
    /// The address, the proxy or the URL may not be used.
    #[error("not allowed: {0}")]
    Forbidden(String),
    /// The connection broke.
    #[error("connection failed: {0}")]
    Connection(String),
    /// No connection came about, so that nothing was sent.
    #[error("connection failed: {0}")]
    NoConnection(String),
    /// The same, with the time that was allowed.
    #[error("no answer within {0:?}")]
    ConnectTimeout(Duration),
    /// TLS, before anything was sent: an expired, unknown or misnamed certificate, a version too old.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// What came back is not HTTP or not within bounds.
    #[error("invalid answer: {0}")]
    Protocol(String),
}

/// What is to be done with the deliveries of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Sent,
    /// The message will never be taken as it is. `culprit` is the index, within the message, of the event that is
    /// to blame, where the answer says so.
    Rejected {
        culprit: Option<usize>,
    },
    /// Not these credentials or not this content, whatever the event: all of them fail, and it counts towards
    /// switching the integration off.
    Forbidden,
    /// Too fast. Not an attempt.
    RateLimited {
        wait: Duration,
        scope: RateScope,
    },
    /// The endpoint failed. That passes, unless it is this message that makes it fail; `wait` is what the answer asks for.
    Retry {
        wait: Option<Duration>,
    },
    /// No answer of the endpoint: the network, a timeout, something in between, or a reason of its own that has nothing to
    /// do with this message. It passes; `wait` is what the answer asks for.
    Unavailable {
        wait: Option<Duration>,
    },
    /// No connection came about, so the endpoint has heard nothing. Another way out may lead there; where there is none, it is as
    /// [`Verdict::Unavailable`].
    Unreached,
    /// The vendor's edge turns this address away, so none of its webhooks can be reached, and none is to blame. It
    /// passes, and is no attempt.
    Blocked,
    /// The channel, the thread or the URL takes no message of ours until somebody changes it: one request tells for all. They
    /// are kept, and it counts towards switching the integration off.
    Misdirected,
    /// The webhook does not exist any more: never call it again.
    Gone,
}

/// Who has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateScope {
    /// This webhook.
    Webhook,
    /// All of Discord.
    Discord,
}

/// An answer (or its absence), judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub verdict: Verdict,
    /// Announced by the answer's headers: no request to this webhook before this has passed.
    pub pause: Option<Duration>,
    pub status_code: Option<u16>,
    /// The first 1000 characters of the body as Postgres can store them (valid UTF-8, no NUL), secrets redacted.
    pub body: Option<String>,
    /// For a person: what went wrong and, where it can be said, what to do. None when sent.
    pub error: Option<String>,
}

/// Who says what an answer means.
#[derive(Clone, Copy)]
pub(crate) enum Judge {
    /// Of a service that never sends a page for a browser: it is not asked what one means.
    Service(fn(&Answer) -> (Verdict, Option<String>)),
    /// Pages as well.
    Everything(fn(&Answer) -> (Verdict, Option<String>)),
}

/// Says what an answer, or its absence, means for the deliveries of the message that was posted to `url`.
///
/// `url` is only there to keep its secret out of what is stored. No answer, however hostile, makes this panic, wait
/// longer than a day or store more than a little.
pub fn judge(kind: EndpointKind, url: &SecretUrl, result: Result<&Answer, &TransportError>) -> Judgement {
    match result {
        Ok(answer) => judge_answer(kind, url, answer),
        Err(error) => judge_absence(error),
    }
}

fn judge_answer(kind: EndpointKind, url: &SecretUrl, answer: &Answer) -> Judgement {
    let (verdict, error) = match kind.judge() {
        Judge::Service(_) if answer.is_html() => page_verdict(answer),
        Judge::Service(verdict) | Judge::Everything(verdict) => verdict(answer),
    };
    Judgement {
        verdict,
        pause: (kind == EndpointKind::Discord)
            .then(|| wait::announced_pause(answer))
            .flatten(),
        status_code: Some(answer.status),
        body: text::stored_body(&answer.body, url),
        error: error.map(|error| text::stored_error(&error, url)),
    }
}

/// A page for a browser, which no service sends: it says nothing of the webhook.
fn page_verdict(answer: &Answer) -> (Verdict, Option<String>) {
    let wait = wait::retry_after(answer);
    (
        Verdict::Unavailable { wait },
        Some(text::page_in_between(answer.status)),
    )
}

/// Says what it means that a request got no answer, or was not made: it is tried again. That holds for what is not allowed,
/// too: a setting is mended sooner or later, and the deliveries must not be lost until then.
pub fn judge_absence(error: &TransportError) -> Judgement {
    Judgement {
        verdict: match error {
            TransportError::Resolve(_)
            | TransportError::Tls(_)
            | TransportError::NoConnection(_)
            | TransportError::ConnectTimeout(_) => Verdict::Unreached,
            _ => Verdict::Unavailable { wait: None },
        },
        pause: None,
        status_code: None,
        body: None,
        error: Some(text::bounded(&error.to_string())),
    }
}
