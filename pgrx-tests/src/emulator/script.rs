//! What a webhook can be told to do instead of behaving.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::seconds;

/// How one request is answered. In JSON durations are seconds: `{"slow": 0.5}`, `{"status": {"status": 500}}`, `"hang"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// As the vendor would.
    Normal,
    /// As the vendor would, but the answer waits this long.
    Slow(#[serde(with = "seconds")] Duration),
    /// As the vendor would, but the answer waits for `Webhook::release`.
    Held,
    /// No answer, ever; the connection stays open.
    Hang,
    /// The connection is closed when the head of the request has been read, the body unread.
    DropBeforeBody,
    /// The connection is closed when the whole request has been read; the message is lost.
    DropBeforeAnswer,
    /// As `DropBeforeAnswer`, by a TCP reset.
    Reset,
    /// The message is taken as usual, but the connection is closed without an answer: what a sender cannot tell
    /// from a loss.
    LoseAnswer,
    /// The message is taken as usual, but the connection is closed in the middle of the answer.
    CutAnswer,
    /// 429 of the vendor: Discord's with `retry_after` as a fraction, the connector's as a 200 with an error text.
    RateLimited {
        #[serde(with = "seconds")]
        retry_after: Duration,
        #[serde(default)]
        global: bool,
    },
    /// 429 of the network edge in front of Discord: no `X-RateLimit-*` header, and a body that is no JSON.
    EdgeBan,
    /// This status with the body that the vendor sends with it.
    Status(u16),
    /// Exactly this answer.
    Answer {
        status: u16,
        #[serde(default)]
        headers: Vec<(String, String)>,
        #[serde(default)]
        body: String,
    },
    /// 200 with the text by which a connector reports that Teams itself answered this status.
    InnerError(u16),
    /// 307 to this address.
    Redirect(String),
    /// 200 and a body without an end.
    EndlessBody,
    /// A proper answer, one byte at a time, this far apart.
    Trickle(#[serde(with = "seconds")] Duration),
    /// Bytes that are not HTTP.
    Garbage,
    /// 200 and headers without an end.
    HeaderBomb,
    /// The one behaviour for a body that has this text in it, as usual for any other.
    When { contains: String, then: Box<Behaviour> },
}

impl Behaviour {
    /// A failure that passes, with the wish to be left alone for an hour.
    pub fn in_an_hour() -> Self {
        Behaviour::Answer {
            status: 503,
            headers: vec![("retry-after".to_owned(), "3600".to_owned())],
            body: String::new(),
        }
    }

    /// What it comes to for this body.
    pub(crate) fn on(self, body: &[u8]) -> Self {
        match self {
            Behaviour::When { contains, then } => {
                let mut windows = body.windows(contains.len().max(1));
                match windows.any(|window| window == contains.as_bytes()) {
                    true => then.on(body),
                    false => Behaviour::Normal,
                }
            }
            other => other,
        }
    }
}

/// A queue of behaviours, and what applies when it is empty.
#[derive(Debug, Default)]
pub(crate) struct Script {
    queue: VecDeque<Behaviour>,
    always: Option<Behaviour>,
}

impl Script {
    pub(crate) fn push(&mut self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.queue.extend(behaviours);
    }

    pub(crate) fn always(&mut self, behaviour: Behaviour) {
        self.always = Some(behaviour);
    }

    pub(crate) fn clear(&mut self) {
        *self = Script::default();
    }

    /// What the next request meets.
    pub(crate) fn next(&mut self) -> Behaviour {
        self.queue
            .pop_front()
            .or_else(|| self.always.clone())
            .unwrap_or(Behaviour::Normal)
    }

    pub(crate) fn left(&self) -> usize {
        self.queue.len()
    }
}
