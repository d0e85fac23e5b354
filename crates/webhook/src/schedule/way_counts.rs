//! What requests came to, counted by way out.

use jiff::Timestamp;

use crate::way::WayId;

/// To be added to counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WayCounts {
    /// Requests that left.
    pub requests: u64,
    /// Answers, whatever they said.
    pub reached: u64,
    /// Answers of Discord's for too many of which it bans an address: 401, 403 and 429.
    pub refused: u64,
    /// Requests for which no connection came about.
    pub unreached: u64,
}

/// How a way out is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayReport {
    pub way: WayId,
    pub counts: WayCounts,
    /// It leads nowhere, and is tried again then.
    pub down_until: Option<Timestamp>,
}
