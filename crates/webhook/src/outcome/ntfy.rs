//! What ntfy's answers mean: the message that was created, or `{"code", "http", "error", "link"}`.
//!
//! Source: binwiederhier/ntfy, server/errors.go. The first three digits of a code are the status.

use std::time::Duration;

use super::answer::Answer;
use super::status::{refused, unexpected};
use super::verdict::{Judge, RateScope, Verdict};
use super::{text, wait};

pub(super) const JUDGE: Judge = Judge::Service(verdict);

/// The time after which another request is permitted (`DefaultVisitorRequestLimitReplenish`); no header has it.
const REPLENISHED: Duration = Duration::from_secs(5);
/// The time after which another sign-in is permitted (`DefaultVisitorAuthFailureLimitReplenish`).
const ANOTHER_SIGN_IN: Duration = Duration::from_secs(60);
/// The wait for daily quotas, which end at midnight, or when somebody buys more.
const QUOTA: Duration = Duration::from_secs(3600);

/// JSON error codes.
mod code {
    pub(super) const TOPIC_INVALID: i64 = 40009;
    pub(super) const TOPIC_DISALLOWED: i64 = 40010;
    pub(super) const REQUESTS: i64 = 42901;
    pub(super) const SIGN_INS: i64 = 42909;
    pub(super) const NO_SUBSCRIBER: i64 = 50701;
}

fn verdict(answer: &Answer) -> (Verdict, Option<String>) {
    let body = answer.json();
    if (200..300).contains(&answer.status) {
        let is_message = body
            .as_ref()
            .is_some_and(|body| body["event"] == "message" && body["id"].is_string());
        return if is_message {
            (Verdict::Sent, None)
        } else {
            unexpected(answer, &answer.text())
        };
    }
    let status = answer.status;
    let code = body.as_ref().and_then(|body| body["code"].as_i64());
    // A code that does not match the status is not ntfy's, so something in between has answered.
    let code = code.filter(|code| code / 100 == i64::from(status));
    let said = body.as_ref().and_then(|body| body["error"].as_str());
    let reason = said.map_or_else(|| answer.text().into_owned(), ToOwned::to_owned);
    let (verdict, what) = match (status, code) {
        (401, Some(_)) => (Verdict::Misdirected, "401: the access token is wrong".to_owned()),
        (403, Some(_)) => (
            Verdict::Misdirected,
            "403: the topic is closed to this token, or to all who have none".to_owned(),
        ),
        (400, Some(code::TOPIC_INVALID | code::TOPIC_DISALLOWED)) => (
            Verdict::Misdirected,
            "400: the server has no such topic".to_owned(),
        ),
        (404, _) => (
            Verdict::Misdirected,
            "404: there is no ntfy at this address".to_owned(),
        ),
        (429, Some(code)) => {
            let usual = match code {
                code::REQUESTS => REPLENISHED,
                code::SIGN_INS => ANOTHER_SIGN_IN,
                _ => QUOTA,
            };
            let wait = wait::named(answer, None).unwrap_or(usual);
            let scope = RateScope::Webhook;
            (Verdict::RateLimited { wait, scope }, text::rate_limited(wait))
        }
        (507, Some(code::NO_SUBSCRIBER)) => (
            Verdict::Unavailable {
                wait: wait::retry_after(answer),
            },
            "507: the topic has no subscriber yet".to_owned(),
        ),
        _ => return refused(answer, &reason),
    };
    (verdict, Some(text::with_reason(&what, &reason)))
}
