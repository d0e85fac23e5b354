//! What JetStream's acknowledgements and refusals mean. The client gives those that are none of JetStream's words the status that they would have.

use serde::Deserialize;

use super::{Answer, Judge, Verdict, text};

/// No stream has it, or the server cannot say: it comes again.
const NO_STREAM: u16 = 404;

/// The message is larger than the stream or the account takes.
const TOO_LARGE: [u32; 2] = [10054, 10097];
/// The stream or the account is full, for now.
const FULL: [u32; 5] = [10002, 10023, 10047, 10077, 10122];
/// A leader is being found.
const LEADERLESS: [u32; 3] = [10008, 10009, 10202];
/// The message is being stored, by an attempt before this one; of status 409.
const IN_PROCESS: u32 = 10158;
/// It takes nothing, and never will; of status 400.
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

pub(crate) const JUDGE: Judge = Judge::Everything(verdict);

/// The header under which the client says which stream it has looked at before it sent the message; empty: it may not look.
pub const STREAM: &str = "stream";
/// The header under which the client says what people should know of that stream.
pub const REMARK: &str = "remark";

/// What people should know of the stream that took the message.
pub fn remarks(answer: &Answer) -> impl Iterator<Item = &str> {
    of_header(answer, REMARK)
}

/// The stream that was looked at, if one was, for this message.
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
        // It is no answer of JetStream's: somebody else answers on that subject.
        200 => (unavailable, "what answered is no stream".to_owned()),
        // Whom it takes us for, what that user may: somebody has to change something, and nothing is lost meanwhile.
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
        // What is wrong with a message alone is its size. Of whatever else, that one gives up nothing: those behind it would fail in the same way, one
        // after the other, or pass, and be in a stream that lacks an event and says nothing of it.
        _ => (
            unavailable,
            format!("{status}: the stream did not take the message ({code})"),
        ),
    };
    (verdict, Some(text::with_reason(&what, &description)))
}
