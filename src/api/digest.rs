//! Digests: their check when they are written, and when they are due.

use std::time::Duration;

use jiff::Timestamp;
use pgrx::prelude::*;
use webhook::digest::Digest;
use webhook::quiet_hours::QuietHours;
use webhook::schedule::Age;

use crate::report;
use crate::timestamp::{from_timestamptz, to_timestamptz};

const HINT: &str = "For example '1 hour', or as cron has it '0 9 * * 1-5' or '0 9 * * MON-FRI Europe/Berlin': minute, hour, day, month, weekday, time zone.";

/// Raises an error unless `digest` is valid. Its time zone is that of the quiet hours unless it names one.
#[pg_extern(sql = false)]
fn check_digest(digest: Option<&str>, quiet_hours: Option<&str>) {
    let Some(digest) = digest else { return };
    let quiet_hours: Option<QuietHours> = quiet_hours.and_then(|hours| hours.parse().ok());
    if let Err(error) = Digest::parse(digest, quiet_hours.as_ref()) {
        report::refuse("digest", &format!("digest: {error}"), HINT);
    }
}

/// Whether a delivery has waited for `seconds`, without the time in quiet hours and before its digest. A digest or quiet hours that are not valid any
/// more are ignored.
#[pg_extern(sql = false)]
fn over_age(
    event_at: Option<TimestampWithTimeZone>,
    seconds: Option<f64>,
    digest: Option<&str>,
    quiet_hours: Option<&str>,
) -> Option<bool> {
    let created_at = from_timestamptz(event_at?.into_inner());
    let quiet_hours: Option<QuietHours> = quiet_hours.and_then(|hours| hours.parse().ok());
    let digest = digest.and_then(|text| Digest::read(text, quiet_hours.as_ref()).ok());
    let age = Age {
        max_age: Duration::try_from_secs_f64(seconds?).unwrap_or(Duration::MAX),
        quiet_hours: quiet_hours.as_ref(),
        digest: digest.as_ref(),
    };
    Some(age.is_over(created_at, Timestamp::now()))
}

/// Returns when the digest leaves whose first event was at that moment. None for a digest that is not valid any more, since views must not fail for
/// one.
#[pg_extern(sql = false)]
fn digest_due(
    digest: Option<&str>,
    quiet_hours: Option<&str>,
    first_event: Option<TimestampWithTimeZone>,
) -> Option<TimestampWithTimeZone> {
    let digest = Digest::read(digest?, quiet_hours.and_then(|hours| hours.parse().ok()).as_ref()).ok()?;
    let first = from_timestamptz(first_event?.into_inner());
    Some(to_timestamptz(digest.due(first)))
}
