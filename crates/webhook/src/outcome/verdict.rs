//! What is to be done with deliveries.

use std::time::Duration;

use super::answer::Answer;

/// What is to be done with the deliveries of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Sent,
    /// The message as it is will never be accepted. `culprit` is the index, within the message, of the event at
    /// fault, if the answer names one.
    Rejected {
        culprit: Option<usize>,
    },
    /// The endpoint does not accept these credentials or this kind of content, whatever the event: deliveries fail, and
    /// ten such answers in a row switch the webhook off.
    Forbidden,
    /// Requests come too fast. It does not count as an attempt.
    RateLimited {
        wait: Duration,
        scope: RateScope,
    },
    /// The endpoint failed. That is temporary, unless it is this message that makes it fail. `wait` is what the answer asks for.
    Retry {
        wait: Option<Duration>,
    },
    /// There is no answer of the endpoint (the network, a timeout, something in between), or its reason has nothing to
    /// do with this message. That is temporary. `wait` is what the answer asks for.
    Unavailable {
        wait: Option<Duration>,
    },
    /// No connection could be made, so the endpoint has received nothing. It can be tried by another way out; if there is none, it is
    /// treated as [`Verdict::Unavailable`].
    Unreached,
    /// The vendor's edge turns this address away, so none of its webhooks can be reached, and none is at fault. That is
    /// temporary, and does not count as an attempt.
    Blocked,
    /// The channel, the thread or the URL accepts no message until somebody changes something. The deliveries are kept, one
    /// request tries for all, and ten such answers in a row switch the webhook off.
    Misdirected,
    /// The webhook no longer exists, and must not be called again.
    Gone,
}

/// The endpoints that a rate limit holds for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateScope {
    /// This webhook.
    Webhook,
    /// All webhooks of Discord.
    Discord,
}

/// The function that interprets an endpoint's answers.
#[derive(Clone, Copy)]
pub(crate) enum Judge {
    /// Of a service that never answers with an HTML page; [`page_verdict`](super::status::page_verdict) interprets one.
    Service(fn(&Answer) -> (Verdict, Option<String>)),
    /// Of a service whose function interprets pages as well.
    Everything(fn(&Answer) -> (Verdict, Option<String>)),
}
