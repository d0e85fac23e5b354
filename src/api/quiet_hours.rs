//! Quiet hours: checked when they are written, and shown.

use jiff::Timestamp;
use pgrx::prelude::*;
use webhook::quiet_hours::QuietHours;

use crate::report;
use crate::timestamp::to_timestamptz;

const HINT: &str =
    "For example 22:00-07:00 Europe/Berlin, or Mon-Fri 20:00-08:00, Sat-Sun 00:00-24:00 America/New_York.";

/// Raises an error for what is no quiet hours.
#[pg_extern(sql = false)]
fn check_quiet_hours(quiet_hours: &str) {
    if let Err(error) = quiet_hours.parse::<QuietHours>() {
        report::refuse("quiet_hours", &format!("quiet_hours: {error}"), HINT);
    }
}

/// When the quiet that there is now is over. What is no quiet hours, as of a time zone that the system does not know any
/// more, is none: the view of all webhooks must not fail for one.
#[pg_extern(sql = false)]
fn quiet_until(quiet_hours: &str) -> Option<TimestampWithTimeZone> {
    let hours: QuietHours = quiet_hours.parse().ok()?;
    hours.end(Timestamp::now()).map(to_timestamptz)
}
