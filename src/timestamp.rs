//! Conversions between PostgreSQL's timestamps and jiff's.

use jiff::Timestamp;
use pgrx::prelude::TimestampWithTimeZone;

/// Microseconds from 1970 to 2000, from which PostgreSQL counts.
pub const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// Converts microseconds since 2000. What is beyond the range of [`Timestamp`] (infinity, the year 10000) becomes its maximum or minimum.
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

/// Returns the microseconds since 2000.
pub fn since_2000(at: Timestamp) -> i64 {
    at.as_microsecond().saturating_sub(POSTGRES_EPOCH)
}

/// Converts a timestamp. What is beyond the range of PostgreSQL's type (before 4713 BC) becomes infinity.
pub fn to_timestamptz(at: Timestamp) -> TimestampWithTimeZone {
    TimestampWithTimeZone::try_from(since_2000(at)).unwrap_or(TimestampWithTimeZone::positive_infinity())
}
