//! The columns of a delivery that have its outcome.

use crate::event::Event;
use crate::schedule::{DeliveryChange, Outcome};
use jiff::Timestamp;

/// Returns the column `status`.
pub fn status(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Sent => "s",
        Outcome::Retry { .. } | Outcome::Waiting { .. } => "r",
        Outcome::Failed => "f",
    }
}

/// Returns the column `attempts`: how often it was posted. (The scheduler counts failed attempts only.)
pub fn attempts(change: &DeliveryChange) -> i16 {
    let attempts = change.attempts + u32::from(change.outcome == Outcome::Sent);
    i16::try_from(attempts).unwrap_or(i16::MAX)
}

/// Returns which failed attempt it was, from 1; `None`: it does not count as one (a rate limit, or a way out that failed while there was another).
pub fn attempt(change: &DeliveryChange) -> Option<i16> {
    let is_attempt = !matches!(change.outcome, Outcome::Waiting { .. });
    is_attempt.then(|| attempts(change))
}

/// Returns the column `response_status_code`.
pub fn code(change: &DeliveryChange) -> Option<i16> {
    change.status_code.and_then(|code| i16::try_from(code).ok())
}

/// Returns the column `response_body`. With `log_payloads` off, that of a sent delivery is not stored, since Discord's answer contains the message.
pub fn body(change: &DeliveryChange, log_payloads: bool) -> Option<&str> {
    let kept = log_payloads || change.outcome != Outcome::Sent;
    change.body.as_deref().filter(|body| kept && !body.is_empty())
}

/// Returns the column `finished_at`.
pub fn finished_at(change: &DeliveryChange) -> Option<Timestamp> {
    change.is_final().then_some(change.at)
}

/// Returns the column `captured_at`, which deliveries in a trace have because the event's row may be deleted before they are exported.
pub fn captured_at(event: &Event) -> Option<Timestamp> {
    event.traceparent.map(|_| event.occurred_at)
}

/// Returns the column `next_attempt_at`.
pub fn next_attempt(outcome: Outcome) -> Option<Timestamp> {
    match outcome {
        Outcome::Retry { next_attempt_at } | Outcome::Waiting { next_attempt_at } => Some(next_attempt_at),
        Outcome::Sent | Outcome::Failed => None,
    }
}
