//! What JetStream's acknowledgements and refusals mean. To other errors the client gives the HTTP status that corresponds to them.

use serde::Deserialize;

use super::answer::Answer;
use super::text;
use super::verdict::{Judge, Verdict};

/// No stream has the subject, or the server does not know: temporary.
const NO_STREAM: u16 = 404;

/// The message is larger than the stream or the account permits.
const TOO_LARGE: [u32; 2] = [10054, 10097];
/// The stream or the account is full, for now.
const FULL: [u32; 5] = [10002, 10023, 10047, 10077, 10122];
/// The stream has no leader at present.
const LEADERLESS: [u32; 3] = [10008, 10009, 10202];
/// The message is being stored by a previous attempt; its status is 409.
const IN_PROCESS: u32 = 10158;
/// The stream is sealed and accepts nothing any more; its status is 400.
const SEALED: u32 = 10109;

#[derive(Deserialize)]
struct Said {
    error: Option<Refusal>,
    stream: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    err_code: u32,
    #[serde(default)]
    description: String,
}

pub(super) const JUDGE: Judge = Judge::Everything(verdict);

/// The header in which the client names the stream whose configuration it read before it sent the message; empty: it may not read it.
pub const STREAM: &str = "stream";
/// The header in which the client says what is wrong with that stream's configuration.
pub const REMARK: &str = "remark";

/// Returns what is wrong with the configuration of the stream that accepted the message.
pub fn remarks(answer: &Answer) -> impl Iterator<Item = &str> {
    of_header(answer, REMARK)
}

/// Returns the stream whose configuration was read for this message, if it was.
pub fn stream_looked_at(answer: &Answer) -> Option<&str> {
    of_header(answer, STREAM).next()
}

fn of_header<'a>(answer: &'a Answer, wanted: &'static str) -> impl Iterator<Item = &'a str> {
    let found = answer.headers.iter().filter(move |(name, _)| &**name == wanted);
    found.map(|(_, value)| &**value)
}

fn verdict(answer: &Answer) -> (Verdict, Option<String>) {
    let said: Option<Said> = serde_json::from_slice(&answer.body).ok();
    let refusal = said.as_ref().and_then(|said| said.error.as_ref());
    let (code, description) = match refusal {
        Some(refusal) => (refusal.err_code, refusal.description.clone()),
        None => (0, answer.text().into_owned()),
    };
    let status = answer.status;
    let unavailable = Verdict::Unavailable { wait: None };
    let (verdict, what) = match status {
        200 if refusal.is_none() && said.is_some_and(|said| said.stream.is_some()) => {
            return (Verdict::Sent, None);
        }
        // Not an answer of JetStream's: another subscriber of the subject has answered.
        200 => (unavailable, "what answered is no stream".to_owned()),
        // Credentials or permissions have to be changed; the deliveries are kept until then.
        401 => (
            Verdict::Misdirected,
            "401: the server does not accept the credentials".to_owned(),
        ),
        403 => (Verdict::Misdirected, "403: the user may not do this".to_owned()),
        _ if code == IN_PROCESS => (
            unavailable,
            format!("{status}: the stream is still storing it ({code})"),
        ),
        _ if status == 409 || code == SEALED => (
            Verdict::Misdirected,
            format!("{status}: the stream is not fit for events"),
        ),
        413 => (
            Verdict::Rejected { culprit: None },
            "413: the message is too large".to_owned(),
        ),
        _ if TOO_LARGE.contains(&code) => (
            Verdict::Rejected { culprit: None },
            format!("{status}: the message is too large ({code})"),
        ),
        _ if FULL.contains(&code) => (unavailable, format!("{status}: the stream is full ({code})")),
        _ if LEADERLESS.contains(&code) => (
            unavailable,
            format!("{status}: the stream has no leader now ({code})"),
        ),
        503 if code == 0 => (
            unavailable,
            "503: no stream takes the subject, or it is not there now".to_owned(),
        ),
        NO_STREAM => (
            unavailable,
            format!("{status}: the stream is not there now ({code})"),
        ),
        500.. => (
            unavailable,
            format!("{status}: JetStream can't take the message now ({code})"),
        ),
        // Only its size can be a fault of a message alone. For any other error no message is given up: the following ones would fail in the same way, or
        // be stored in a stream that lacks an event without any sign of it.
        _ => (
            unavailable,
            format!("{status}: the stream did not take the message ({code})"),
        ),
    };
    (verdict, Some(text::with_reason(&what, &description)))
}
