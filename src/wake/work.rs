//! What a worker has to look at.

use super::LaneSet;

/// No id.
pub(super) const NOTHING: i64 = i64::MAX;

#[derive(Clone, Copy, Debug)]
pub struct Work {
    pub lanes: LaneSet,
    /// The lowest id that was written to the log, if any; it may be of any lane.
    pub lowest: i64,
    /// Integrations of which somebody has made deliveries due now, whatever they were waiting for.
    pub overdue: LaneSet,
    /// Events were written, which have to be routed.
    pub events: bool,
    /// Integrations or sources have changed.
    pub configuration: bool,
}

impl Work {
    pub(super) const NONE: Work = Work {
        lanes: LaneSet::NONE,
        lowest: NOTHING,
        overdue: LaneSet::NONE,
        events: false,
        configuration: false,
    };

    /// A `lowest` below every id.
    pub const UNKNOWN: i64 = i64::MIN;

    pub const ALL: Work = Work {
        lanes: LaneSet::ALL,
        lowest: Work::UNKNOWN,
        overdue: LaneSet::NONE,
        events: true,
        configuration: true,
    };

    pub fn merge(&mut self, other: Work) {
        self.lanes.merge(other.lanes);
        self.lowest = self.lowest.min(other.lowest);
        self.overdue.merge(other.overdue);
        self.events |= other.events;
        self.configuration |= other.configuration;
    }

    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty() && self.overdue.is_empty() && !self.events && !self.configuration
    }
}

impl Default for Work {
    fn default() -> Self {
        Work::NONE
    }
}
