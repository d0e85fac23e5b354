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
const LEADERLESS: [u32; 4] = [10008, 10009, 10158, 10202];

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

/// The header under which the client says what people should know of the stream.
pub const REMARK: &str = "remark";

/// What people should know of the stream that took the message.
pub fn remarks(answer: &Answer) -> impl Iterator<Item = &str> {
    let remarks = answer.headers.iter().filter(|(name, _)| &**name == REMARK);
    remarks.map(|(_, remark)| &**remark)
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
        409 => (
            Verdict::Misdirected,
            "409: the stream is not fit for events".to_owned(),
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
        // It may be this message: when it has failed often enough, the one behind it is tried.
        _ => (
            Verdict::Retry { wait: None },
            format!("{status}: the stream did not take the message ({code})"),
        ),
    };
    (verdict, Some(text::with_reason(&what, &description)))
}
