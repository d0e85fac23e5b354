//! Digests: checked when they are written.

use pgrx::prelude::*;
use webhook::digest::Digest;
use webhook::quiet_hours::QuietHours;

use crate::report;
use crate::timestamp::{from_timestamptz, to_timestamptz};

const HINT: &str = "For example '1 hour', or as cron has it '0 9 * * 1-5' or '0 9 * * MON-FRI Europe/Berlin': minute, hour, day, month, weekday, time zone.";

/// Raises an error for what is no time of a digest. The time zone is that of the quiet hours unless it names one.
#[pg_extern(sql = false)]
fn check_digest(digest: Option<&str>, quiet_hours: Option<&str>) {
    let Some(digest) = digest else { return };
    let quiet_hours: Option<QuietHours> = quiet_hours.and_then(|hours| hours.parse().ok());
    if let Err(error) = Digest::parse(digest, quiet_hours.as_ref()) {
        report::refuse("digest", &format!("digest: {error}"), HINT);
    }
}

/// When the digest leaves that begins with an event of that moment. What is no digest any more is none: views must not fail for one.
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
