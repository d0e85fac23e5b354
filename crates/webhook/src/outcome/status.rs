//! The meaning of HTTP statuses that is the same for most services.

use super::answer::Answer;
use super::verdict::{RateScope, Verdict};
use super::{text, wait};

/// Returns what an answer means by its status alone. `unauthorized` is the error for 401, in the terms of the service.
pub(super) fn failed(answer: &Answer, reason: &str, unauthorized: &str) -> (Verdict, Option<String>) {
    let status = answer.status;
    let (verdict, what) = match status {
        300..400 => (Verdict::Forbidden, text::redirect(status)),
        401 => (Verdict::Forbidden, unauthorized.to_owned()),
        403 => (Verdict::Forbidden, "403 forbidden".into()),
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

/// Returns the verdict on an answer that is not the service's own, so that something in between has answered.
pub(super) fn unexpected(answer: &Answer, body: &str) -> (Verdict, Option<String>) {
    let what = format!("{} with an answer that is not the service's", answer.status);
    (
        Verdict::Unavailable {
            wait: wait::retry_after(answer),
        },
        Some(text::with_reason(&what, body)),
    )
}

/// Returns what a status means for services whose 410 says that the webhook is gone.
pub(super) fn refused(answer: &Answer, reason: &str) -> (Verdict, Option<String>) {
    match answer.status {
        410 => gone("410: the webhook does not exist any more", reason),
        _ => failed(answer, reason, "401: the URL or its key is wrong"),
    }
}

pub(super) fn gone(what: &str, reason: &str) -> (Verdict, Option<String>) {
    (Verdict::Gone, Some(text::with_reason(what, reason)))
}

/// Returns the verdict on an HTML page, which comes from something in between and says nothing about the webhook.
pub(super) fn page_verdict(answer: &Answer) -> (Verdict, Option<String>) {
    let wait = wait::retry_after(answer);
    (
        Verdict::Unavailable { wait },
        Some(text::page_in_between(answer.status)),
    )
}
