//! What Google Chat's answers mean: the message that was created, or `{"error": {"code", "message", "status"}}`.
//!
//! Source: Google's documentation of the Chat API.

use super::answer::Answer;
use super::status::{gone, refused, unexpected};
use super::text;
use super::verdict::{Judge, Verdict};

pub(super) const JUDGE: Judge = Judge::Service(verdict);

fn verdict(answer: &Answer) -> (Verdict, Option<String>) {
    let body = answer.json();
    if (200..300).contains(&answer.status) {
        // The resource that was created: a message of the space.
        let is_message = body
            .as_ref()
            .and_then(|body| body.get("name")?.as_str())
            .is_some_and(|name| name.starts_with("spaces/"));
        return if is_message {
            (Verdict::Sent, None)
        } else {
            unexpected(answer, &answer.text())
        };
    }
    let error = body.as_ref().and_then(|body| body.get("error"));
    let member = |name: &str| error?.get(name)?.as_str();
    let reason = text::with_reason(
        member("status").unwrap_or_default(),
        member("message").unwrap_or_default(),
    );
    match (answer.status, member("status")) {
        (404, Some("NOT_FOUND")) => gone("404: the space or the webhook does not exist any more", &reason),
        (404, _) => unexpected(answer, &answer.text()),
        _ => refused(answer, &reason),
    }
}
