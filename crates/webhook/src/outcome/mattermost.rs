//! What Mattermost's answers mean: `ok`, or JSON: `{"id", "message", "status_code"}`.
//!
//! Source: Mattermost's documentation of incoming webhooks.

use super::answer::Answer;
use super::status::{gone, refused, unexpected};
use super::verdict::{Judge, Verdict};

pub(super) const JUDGE: Judge = Judge::Service(verdict);

fn verdict(answer: &Answer) -> (Verdict, Option<String>) {
    let text = answer.text();
    if (200..300).contains(&answer.status) {
        return if text.trim() == "ok" {
            (Verdict::Sent, None)
        } else {
            unexpected(answer, text.trim())
        };
    }
    let body = answer.json();
    let member = |name: &str| body.as_ref()?.get(name)?.as_str().map(ToOwned::to_owned);
    // Only Mattermost's own errors have an id. Its 404 may be about the channel.
    let known = member("id").is_some();
    let reason = member("message").unwrap_or_else(|| text.into_owned());
    match answer.status {
        400 if reason.to_lowercase().contains("invalid webhook") && known => {
            gone("400: the webhook does not exist any more", &reason)
        }
        404 if !known => unexpected(answer, &reason),
        404 => gone("404: the webhook or its channel does not exist any more", &reason),
        _ => refused(answer, &reason),
    }
}
