//! What of an answer is kept for people.

use std::fmt::Write as _;
use std::time::Duration;

use crate::endpoint::SecretUrl;

const MAX_BODY_CHARACTERS: usize = 1000;
/// An error is read in a column of a table or a line of a log; the whole answer is beside it.
const MAX_ERROR_CHARACTERS: usize = 500;

/// The first characters of a body, without secrets and NUL; None when there is no body.
pub(super) fn stored_body(body: &[u8], url: &SecretUrl) -> Option<String> {
    if body.is_empty() {
        return None;
    }
    let text = String::from_utf8_lossy(body);
    Some(first_characters(&url.redact(&text), MAX_BODY_CHARACTERS).replace('\0', "\u{fffd}"))
}

/// An error in one line, without secrets.
pub(super) fn stored_error(error: &str, url: &SecretUrl) -> String {
    bounded(&url.redact(error))
}

/// An error in one line, as long as errors are at most.
pub(super) fn bounded(error: &str) -> String {
    first_characters(error, MAX_ERROR_CHARACTERS).replace(|c: char| c.is_control(), " ")
}

fn first_characters(text: &str, count: usize) -> &str {
    match text.char_indices().nth(count) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// `what`, and what the answer said about it where it said something. It is cut when it is stored and not before: half a secret is
/// not recognised any more.
pub(super) fn with_reason(what: &str, reason: &str) -> String {
    match reason.trim() {
        "" => what.to_owned(),
        reason => format!("{what}: {reason}"),
    }
}

/// `1.3 s`: with the fraction that there is, to the millisecond.
pub(super) fn seconds(wait: Duration) -> String {
    let mut text = wait.as_secs().to_string();
    let millis = wait.subsec_millis();
    if millis > 0 {
        let _ = write!(text, ".{millis:03}");
        text.truncate(text.trim_end_matches('0').len());
    }
    text + " s"
}

pub(super) fn redirect(status: u16) -> String {
    format!(
        "{status}: the server redirects elsewhere, which is never followed; register where it redirects to"
    )
}

pub(super) fn rate_limited(wait: Duration) -> String {
    format!("429: rate limited, next try in {}", seconds(wait))
}

/// A failure that is not the message's fault.
pub(super) fn passing(status: u16) -> String {
    let what = match status {
        408 | 504 => "the server did not answer in time",
        500 => "the server failed",
        502 => "the server behind the gateway failed",
        503 => "the server is unavailable",
        _ => "the server can't take the message now",
    };
    format!("{status}: {what}")
}

/// A page for a browser where an API should have answered.
pub(super) fn page_in_between(status: u16) -> String {
    format!("{status} with a web page: something between here and the webhook answered in its place")
}

/// The status of a proxy, which is no webhook's.
pub(super) fn proxy(status: u16) -> String {
    format!("{status}: a proxy between here and the webhook asks for a login")
}
