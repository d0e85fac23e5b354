//! The texts that are stored of answers and errors.

use std::fmt::Write as _;
use std::time::Duration;

use crate::endpoint::SecretUrl;

const MAX_BODY_CHARACTERS: usize = 1000;
/// Errors are shorter than answers, because they are read in a column of a table or a line of a log, beside the whole answer.
const MAX_ERROR_CHARACTERS: usize = 500;

/// Returns the first characters of a body, without secrets and NUL; `None` if the body is empty.
pub(super) fn stored_body(body: &[u8], url: &SecretUrl) -> Option<String> {
    if body.is_empty() {
        return None;
    }
    let text = String::from_utf8_lossy(body);
    Some(first_characters(&url.redact(&text), MAX_BODY_CHARACTERS).replace('\0', "\u{fffd}"))
}

/// Returns an error as one line, without secrets.
pub(super) fn stored_error(error: &str, url: &SecretUrl) -> String {
    bounded(&url.redact(error))
}

/// Returns an error as one line of at most [`MAX_ERROR_CHARACTERS`].
pub(super) fn bounded(error: &str) -> String {
    first_characters(error, MAX_ERROR_CHARACTERS).replace(|c: char| c.is_control(), " ")
}

fn first_characters(text: &str, count: usize) -> &str {
    match text.char_indices().nth(count) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// Returns `what`, followed by the answer's reason if there is one. The text is shortened only when it is stored, after masking: half a secret would
/// not be recognised.
pub(super) fn with_reason(what: &str, reason: &str) -> String {
    match reason.trim() {
        "" => what.to_owned(),
        reason => format!("{what}: {reason}"),
    }
}

/// Writes a time as `1.3 s`, with milliseconds as far as they are not zero.
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

/// The error for a temporary failure of the server.
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

/// The error for an HTML page in the place of an API's answer.
pub(super) fn page_in_between(status: u16) -> String {
    format!("{status} with a web page: something between here and the webhook answered in its place")
}

/// The error for a status that only proxies answer with.
pub(super) fn proxy(status: u16) -> String {
    format!("{status}: a proxy between here and the webhook asks for a login")
}
