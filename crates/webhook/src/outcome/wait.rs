//! How long an answer asks to wait.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::Value;

use super::Answer;

/// The longest wait that is believed.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(24 * 3600);
/// The shortest: "at once" after being too fast would make a loop that spins, as a rate limit costs no attempt.
const MIN_WAIT: Duration = Duration::from_millis(100);
/// When a rate limit comes without a time: Teams' shortest window is a second, its next one 30.
const UNANNOUNCED_WAIT: Duration = Duration::from_secs(10);

/// The wait of a 429, the most exact source first: `retry_after` of Discord's body and `X-RateLimit-Reset-After` have
/// fractions of a second, `Retry-After` is rounded up.
pub(super) fn rate_limit(answer: &Answer, body: Option<&Value>) -> Duration {
    body.and_then(|body| body.get("retry_after")?.as_f64())
        .and_then(seconds)
        .or_else(|| reset_after(answer))
        .or_else(|| retry_after(answer))
        .unwrap_or(UNANNOUNCED_WAIT)
        .max(MIN_WAIT)
}

/// The wait that an answer names, other than of a 429.
pub(super) fn named(answer: &Answer, body: Option<&Value>) -> Option<Duration> {
    let exact = body.and_then(|body| body.get("retry_after")?.as_f64());
    exact.and_then(seconds).or_else(|| retry_after(answer))
}

/// `Retry-After`: seconds, or a date, which counts from the answer's own `Date` (RFC 9110, 10.2.3).
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

/// `X-RateLimit-Remaining: 0` with `X-RateLimit-Reset-After`: the bucket is empty, and for how long.
pub(super) fn announced_pause(answer: &Answer) -> Option<Duration> {
    match answer.header("x-ratelimit-remaining")?.parse::<f64>() {
        Ok(remaining) if remaining <= 0.0 => reset_after(answer),
        _ => None,
    }
}

fn reset_after(answer: &Answer) -> Option<Duration> {
    seconds(answer.header("x-ratelimit-reset-after")?.parse().ok()?)
}

/// Seconds as a time that can be believed: negative ones and NaN say nothing, huge ones are cut.
fn seconds(number: f64) -> Option<Duration> {
    if number.is_nan() || number < 0.0 {
        return None;
    }
    Duration::try_from_secs_f64(number.min(MAX_WAIT.as_secs_f64())).ok()
}

fn date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}
