//! What answers of Slack, Mattermost and Google Chat mean.
//!
//! Sources: Slack's "Sending messages using incoming webhooks" (errors), Mattermost's documentation of incoming webhooks, Google's of the Chat API.

use super::{Answer, Verdict, status, text, wait};

/// Slack answers in words, with a status of its own for each.
pub(super) fn slack(answer: &Answer) -> (Verdict, Option<String>) {
    let word = answer.text();
    let word = word.trim();
    match (answer.status, word) {
        (200, "ok") => (Verdict::Sent, None),
        (200..300, _) => unexpected(answer, word),
        (
            _,
            "no_service"
            | "no_service_id"
            | "no_team"
            | "team_disabled"
            | "no_active_hooks"
            | "invalid_token"
            | "channel_not_found"
            | "channel_is_archived",
        ) => (
            Verdict::Gone,
            Some(format!("{}: {}", answer.status, gone_in_words(word))),
        ),
        (_, "action_prohibited" | "posting_to_general_channel_denied") => (
            Verdict::Misdirected,
            Some(format!(
                "{}: an administrator of Slack does not let the webhook post there: {word}",
                answer.status
            )),
        ),
        (_, "rollup_error") => (
            Verdict::Retry {
                wait: wait::retry_after(answer),
            },
            Some(format!("{}: Slack failed: rollup_error", answer.status)),
        ),
        (404, _) => gone("404: the webhook does not exist any more", word),
        _ => failed(answer, word),
    }
}

fn gone_in_words(word: &str) -> String {
    let what = match word {
        "channel_not_found" => "the channel does not exist any more",
        "channel_is_archived" => "the channel is archived",
        "no_team" | "team_disabled" => "the workspace is closed",
        _ => "the webhook does not exist any more",
    };
    format!("{what}: {word}")
}

/// Mattermost answers `ok`, or with JSON: `{"id", "message", "status_code"}`.
pub(super) fn mattermost(answer: &Answer) -> (Verdict, Option<String>) {
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
    // A page of something else has no such id, and the server's own 404 may be about the channel.
    let known = member("id").is_some();
    let reason = member("message").unwrap_or_else(|| text.into_owned());
    match answer.status {
        400 if reason.to_lowercase().contains("invalid webhook") && known => {
            gone("400: the webhook does not exist any more", &reason)
        }
        404 if !known => unexpected(answer, &reason),
        404 => gone("404: the webhook or its channel does not exist any more", &reason),
        _ => failed(answer, &reason),
    }
}

/// Google answers `{"error": {"code", "message", "status"}}`.
pub(super) fn google_chat(answer: &Answer) -> (Verdict, Option<String>) {
    let body = answer.json();
    if (200..300).contains(&answer.status) {
        // What was made of it: a message of the space.
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
        _ => failed(answer, &reason),
    }
}

/// A success, or an absence, that is not the service's own: something in between has answered.
fn unexpected(answer: &Answer, body: &str) -> (Verdict, Option<String>) {
    let what = format!("{} with an answer that is not the service's", answer.status);
    (
        Verdict::Unavailable {
            wait: wait::retry_after(answer),
        },
        Some(text::with_reason(&what, body)),
    )
}

/// What the statuses mean that the service says nothing of its own with.
fn failed(answer: &Answer, reason: &str) -> (Verdict, Option<String>) {
    match answer.status {
        410 => gone("410: the webhook does not exist any more", reason),
        _ => status::failed(answer, reason, "401: the URL or its key is wrong"),
    }
}

fn gone(what: &str, reason: &str) -> (Verdict, Option<String>) {
    (Verdict::Gone, Some(text::with_reason(what, reason)))
}
