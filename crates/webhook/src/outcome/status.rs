//! The statuses that mean the same for most services.

use super::{Answer, RateScope, Verdict, text, wait};

/// Returns what an answer means by its status alone. `unauthorized`: what is said of 401, where the services have different keys.
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
