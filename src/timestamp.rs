//! Postgres' time and ours.

use jiff::Timestamp;
use pgrx::prelude::TimestampWithTimeZone;

/// Microseconds from 1970 to 2000, where Postgres begins to count.
pub const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// Beyond what a Timestamp can hold (infinity, the year 10000), its last or first one.
pub fn from_timestamptz(since_2000: i64) -> Timestamp {
    let bound = if since_2000 < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    since_2000
        .checked_add(POSTGRES_EPOCH)
        .and_then(|us| Timestamp::from_microsecond(us).ok())
        .unwrap_or(bound)
}

/// In microseconds.
pub fn since_2000(at: Timestamp) -> i64 {
    at.as_microsecond().saturating_sub(POSTGRES_EPOCH)
}

pub fn to_timestamptz(at: Timestamp) -> TimestampWithTimeZone {
    // Beyond what Postgres can hold there is nothing that happened.
    TimestampWithTimeZone::try_from(since_2000(at)).unwrap_or(TimestampWithTimeZone::positive_infinity())
}
