//! A clock that all processes of the machine share.

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds of the monotonic clock.
pub fn monotonic() -> i64 {
    // Linux has had this clock for ever.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |now| now.tv_sec() * 1_000_000_000 + now.tv_nsec())
}
