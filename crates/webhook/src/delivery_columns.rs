//! The columns of a delivery that hold its outcome.

use crate::event::Event;
use crate::schedule::{DeliveryChange, Outcome};
use jiff::Timestamp;

pub fn status(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Sent => "s",
        Outcome::Retry { .. } | Outcome::Waiting { .. } => "r",
        Outcome::Failed => "f",
    }
}

/// The scheduler counts what failed; the log shows how often it was posted.
pub fn attempts(change: &DeliveryChange) -> i16 {
    let attempts = change.attempts + u32::from(change.outcome == Outcome::Sent);
    i16::try_from(attempts).unwrap_or(i16::MAX)
}

/// Which failed attempt it was, from 1; None: a rate limit, or a way out that led nowhere while there was another, which is none.
pub fn attempt(change: &DeliveryChange) -> Option<i16> {
    let is_attempt = !matches!(change.outcome, Outcome::Waiting { .. });
    is_attempt.then(|| attempts(change))
}

pub fn code(change: &DeliveryChange) -> Option<i16> {
    change.status_code.and_then(|code| i16::try_from(code).ok())
}

/// Discord's answer has the message in it.
pub fn body(change: &DeliveryChange, log_payloads: bool) -> Option<&str> {
    let kept = log_payloads || change.outcome != Outcome::Sent;
    change.body.as_deref().filter(|body| kept && !body.is_empty())
}

pub fn finished_at(change: &DeliveryChange) -> Option<Timestamp> {
    change.is_final().then_some(change.at)
}

/// With its place in a trace stands when the event happened, which the event's own row may not outlive.
pub fn captured_at(event: &Event) -> Option<Timestamp> {
    event.traceparent.map(|_| event.occurred_at)
}

pub fn next_attempt(outcome: Outcome) -> Option<Timestamp> {
    match outcome {
        Outcome::Retry { next_attempt_at } | Outcome::Waiting { next_attempt_at } => Some(next_attempt_at),
        Outcome::Sent | Outcome::Failed => None,
    }
}
