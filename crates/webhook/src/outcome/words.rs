//! What answers of Slack, Mattermost and Google Chat mean.
//!
//! Sources: Slack's "Sending messages using incoming webhooks" (errors), Mattermost's documentation of incoming webhooks, Google's of the Chat API.

use super::{Answer, RateScope, Verdict, text, wait};

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
        (status, _) => failed(
            answer,
            status,
            word,
            Some("404: the webhook does not exist any more"),
        ),
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
        400 if reason.to_lowercase().contains("invalid webhook") && known => (
            Verdict::Gone,
            Some(text::with_reason(
                "400: the webhook does not exist any more",
                &reason,
            )),
        ),
        404 if !known => unexpected(answer, &reason),
        404 => (
            Verdict::Gone,
            Some(text::with_reason(
                "404: the webhook or its channel does not exist any more",
                &reason,
            )),
        ),
        status => failed(answer, status, &reason, None),
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
        (404, Some("NOT_FOUND")) => (
            Verdict::Gone,
            Some(text::with_reason(
                "404: the space or the webhook does not exist any more",
                &reason,
            )),
        ),
        (404, _) => unexpected(answer, &answer.text()),
        (status, _) => failed(answer, status, &reason, None),
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

/// The statuses that mean the same for all of them.
fn failed(answer: &Answer, status: u16, reason: &str, gone: Option<&str>) -> (Verdict, Option<String>) {
    let (verdict, what) = match status {
        300..400 => (Verdict::Forbidden, text::redirect(status)),
        401 => (Verdict::Forbidden, "401: the URL or its key is wrong".into()),
        403 => (Verdict::Forbidden, "403 forbidden".into()),
        404 | 410 if gone.is_some() => (Verdict::Gone, gone.unwrap_or_default().to_owned()),
        410 => (Verdict::Gone, "410: the webhook does not exist any more".into()),
        407 => (Verdict::Unavailable { wait: None }, text::proxy(status)),
        429 => {
            let wait = wait::rate_limit(answer, None);
            return (
                Verdict::RateLimited {
                    wait,
                    scope: RateScope::Webhook,
                },
                Some(text::rate_limited(wait)),
            );
        }
        408 | 425 | 500.. => (
            Verdict::Retry {
                wait: wait::retry_after(answer),
            },
            text::passing(status),
        ),
        400 => (Verdict::Rejected { culprit: None }, "400 bad request".into()),
        413 => (
            Verdict::Rejected { culprit: None },
            "413: the message is too large".into(),
        ),
        _ => (
            Verdict::Rejected { culprit: None },
            format!("{status}: the message was refused"),
        ),
    };
    (verdict, Some(text::with_reason(&what, reason)))
}
