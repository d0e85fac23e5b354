//! The counts of requests, by way out.

use jiff::Timestamp;

use crate::way::WayId;

/// Counts that are to be added to the counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WayCounts {
    /// Requests that left.
    pub requests: u64,
    /// Answers, whatever they said.
    pub reached: u64,
    /// Answers of 401, 403 and 429 from Discord, which bans an address for too many of them.
    pub refused: u64,
    /// Requests for which no connection was made.
    pub unreached: u64,
}

/// The state of a way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayReport {
    pub way: WayId,
    pub counts: WayCounts,
    /// Until when the way counts as down. It is tried again then.
    pub down_until: Option<Timestamp>,
}
