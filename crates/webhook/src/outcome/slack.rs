//! What Slack's answers mean: each is a word with a certain status.
//!
//! Source: Slack's "Sending messages using incoming webhooks" (errors).

use super::answer::Answer;
use super::status::{gone, refused, unexpected};
use super::verdict::{Judge, Verdict};
use super::wait;

pub(super) const JUDGE: Judge = Judge::Service(verdict);

fn verdict(answer: &Answer) -> (Verdict, Option<String>) {
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
        _ => refused(answer, word),
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
