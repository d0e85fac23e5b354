//! What an answer means.

use std::time::Duration;

/// An HTTP answer, bounded: `headers` holds just those that [`judge`] reads (names in lower case), `body` its
/// first part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(Box<str>, Box<str>)>,
    pub body: Vec<u8>,
}

/// Why there is no answer. The texts are for people and hold no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportError {
    /// No answer in time, with the time that was allowed.
    Timeout(Duration),
    /// The name could not be resolved.
    Resolve(String),
    /// The address, the proxy or the URL may not be used.
    Forbidden(String),
    /// The connection could not be made or broke.
    Connection(String),
    /// TLS: an expired, unknown or misnamed certificate, a version too old.
    Tls(String),
    /// What came back is not HTTP or not within bounds.
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
    /// A passing failure; `wait` is what the answer asks for.
    Retry {
        wait: Option<Duration>,
    },
    /// The webhook does not exist any more: never call it again.
    Gone,
}

/// Who has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateScope {
    /// This webhook.
    Lane,
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
