//! What answers of a program of the user's own mean, by Standard Webhooks 1.0.0: only the status counts.

use super::answer::Answer;
use super::verdict::{Judge, Verdict};
use super::{status, text, wait};

pub(super) const JUDGE: Judge = Judge::Everything(verdict);

fn verdict(answer: &Answer) -> (Verdict, Option<String>) {
    let reason = if answer.is_html() {
        String::new()
    } else {
        answer.text().into_owned()
    };
    let (verdict, what) = match answer.status {
        200..300 => return (Verdict::Sent, None),
        300..=399 => (Verdict::Misdirected, text::redirect(answer.status)),
        // The secret or the headers have to be changed; the deliveries are kept until then.
        401 | 403 => (
            Verdict::Misdirected,
            format!(
                "{}: the receiver does not accept the signature or the headers",
                answer.status
            ),
        ),
        407 | 429 => return status::failed(answer, &reason, ""),
        410 => (Verdict::Gone, "410: the receiver wants no more of it".into()),
        code @ (408 | 500..) => (
            Verdict::Retry {
                wait: wait::retry_after(answer),
            },
            text::passing(code),
        ),
        code => (
            Verdict::Retry {
                wait: wait::retry_after(answer),
            },
            format!("{code}: the receiver did not take the event"),
        ),
    };
    (verdict, Some(text::with_reason(&what, &reason)))
}
