//! What an answer, or its absence, means for the deliveries of a message.

mod answer;
mod status;
#[cfg(test)]
mod tests;
mod text;
mod transport_error;
mod verdict;
mod wait;

mod discord;
mod google_chat;
mod mattermost;
mod nats;
mod ntfy;
mod signed;
mod slack;
mod teams;

use std::time::Duration;

pub use answer::{Answer, JUDGED_HEADERS};
pub use nats::{REMARK, STREAM, remarks, stream_looked_at};
pub use transport_error::TransportError;
pub use verdict::{RateScope, Verdict};

use crate::endpoint::SecretUrl;
use crate::kinds::EndpointKind;
use verdict::Judge;

/// What an answer, or its absence, means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub verdict: Verdict,
    /// The time before which the answer's headers permit no other request to this webhook.
    pub pause: Option<Duration>,
    pub status_code: Option<u16>,
    /// The first 1000 characters of the body as PostgreSQL can store them (valid UTF-8, no NUL), without secrets.
    pub body: Option<String>,
    /// What went wrong, in words, and what to do if that is known; `None` if it was sent.
    pub error: Option<String>,
}

/// Returns what an answer, or its absence, means for the deliveries of the message that was posted to `url`.
///
/// `url` is needed only to mask its secret in what is stored. No answer, however hostile, makes this panic, or return
/// a wait of more than a day or texts of more than 1000 characters.
pub fn judge(kind: EndpointKind, url: &SecretUrl, result: Result<&Answer, &TransportError>) -> Judgement {
    match result {
        Ok(answer) => judge_answer(kind, url, answer),
        Err(error) => judge_absence(error),
    }
}

fn judge_answer(kind: EndpointKind, url: &SecretUrl, answer: &Answer) -> Judgement {
    let (verdict, error) = match judge_of(kind) {
        Judge::Service(_) if answer.is_html() => status::page_verdict(answer),
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

/// Returns what it means that a request got no answer, or was not made: it is tried again, also if it was not allowed,
/// because settings can be corrected, and deliveries must not be lost until then.
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

/// Returns the file that interprets the answers of such an endpoint.
const fn judge_of(kind: EndpointKind) -> Judge {
    match kind {
        EndpointKind::Discord => discord::JUDGE,
        EndpointKind::TeamsWorkflow => teams::WORKFLOW,
        EndpointKind::TeamsConnector => teams::CONNECTOR,
        EndpointKind::Slack => slack::JUDGE,
        EndpointKind::GoogleChat => google_chat::JUDGE,
        EndpointKind::Mattermost => mattermost::JUDGE,
        EndpointKind::Ntfy => ntfy::JUDGE,
        EndpointKind::Signed => signed::JUDGE,
        EndpointKind::Nats => nats::JUDGE,
    }
}
