//! Quiet hours: their check when they are written, and when they end.

use jiff::Timestamp;
use pgrx::prelude::*;
use webhook::quiet_hours::QuietHours;

use crate::report;
use crate::timestamp::to_timestamptz;

const HINT: &str =
    "For example 22:00-07:00 Europe/Berlin, or Mon-Fri 20:00-08:00, Sat-Sun 00:00-24:00 America/New_York.";

/// Raises an error unless `quiet_hours` is valid.
#[pg_extern(sql = false)]
fn check_quiet_hours(quiet_hours: &str) {
    if let Err(error) = quiet_hours.parse::<QuietHours>() {
        report::refuse("quiet_hours", &format!("quiet_hours: {error}"), HINT);
    }
}

/// Returns when the present quiet hours end; None outside of quiet hours, and for a value that is not valid any more (the system may not know its time
/// zone any more), since the view of all webhooks must not fail for one.
#[pg_extern(sql = false)]
fn quiet_until(quiet_hours: &str) -> Option<TimestampWithTimeZone> {
    let hours: QuietHours = quiet_hours.parse().ok()?;
    hours.end(Timestamp::now()).map(to_timestamptz)
}
