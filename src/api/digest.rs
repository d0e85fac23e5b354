//! Digests: checked when they are written.

use pgrx::prelude::*;
use webhook::digest::Digest;
use webhook::quiet_hours::QuietHours;

use crate::report;

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
