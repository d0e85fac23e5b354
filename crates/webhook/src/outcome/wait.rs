//! The waits that answers ask for.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::Value;

use super::answer::Answer;

/// The longest wait that is accepted; longer ones are cut to it.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(24 * 3600);
/// The shortest wait after a rate limit. Without it, an answer that asks for none would make a busy loop, since a rate limit does not count as an attempt.
const MIN_WAIT: Duration = Duration::from_millis(100);
/// The wait after a rate limit without a time. Teams has windows of 1 s and 30 s.
const UNANNOUNCED_WAIT: Duration = Duration::from_secs(10);

/// Returns the wait of a 429, by its most exact source: `retry_after` of Discord's body and `X-RateLimit-Reset-After` have
/// fractions of a second, `Retry-After` is rounded up.
pub(super) fn rate_limit(answer: &Answer, body: Option<&Value>) -> Duration {
    body.and_then(|body| body.get("retry_after")?.as_f64())
        .and_then(seconds)
        .or_else(|| reset_after(answer))
        .or_else(|| retry_after(answer))
        .unwrap_or(UNANNOUNCED_WAIT)
        .max(MIN_WAIT)
}

/// Returns the wait that an answer other than a 429 names.
pub(super) fn named(answer: &Answer, body: Option<&Value>) -> Option<Duration> {
    let exact = body.and_then(|body| body.get("retry_after")?.as_f64());
    exact.and_then(seconds).or_else(|| retry_after(answer))
}

/// Returns the wait of `Retry-After`, which has seconds, or a date, which counts from the answer's own `Date` (RFC 9110, 10.2.3).
pub(super) fn retry_after(answer: &Answer) -> Option<Duration> {
    let value = answer.header("retry-after")?;
    match value.parse() {
        Ok(number) => seconds(number),
        Err(_) => {
            let wait = date(value)?.duration_since(date(answer.header("date")?)?);
            Some(Duration::try_from(wait).unwrap_or_default().min(MAX_WAIT))
        }
    }
}

/// Returns how long Discord's bucket is empty: `X-RateLimit-Reset-After`, if `X-RateLimit-Remaining` is 0.
pub(super) fn announced_pause(answer: &Answer) -> Option<Duration> {
    match answer.header("x-ratelimit-remaining")?.parse::<f64>() {
        Ok(remaining) if remaining <= 0.0 => reset_after(answer),
        _ => None,
    }
}

fn reset_after(answer: &Answer) -> Option<Duration> {
    seconds(answer.header("x-ratelimit-reset-after")?.parse().ok()?)
}

/// Converts seconds, at most [`MAX_WAIT`]; `None` for negative ones and NaN.
fn seconds(number: f64) -> Option<Duration> {
    if number.is_nan() || number < 0.0 {
        return None;
    }
    Duration::try_from_secs_f64(number.min(MAX_WAIT.as_secs_f64())).ok()
}

fn date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}
