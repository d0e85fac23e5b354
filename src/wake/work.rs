//! What a worker has to look at.

use super::LaneSet;

#[derive(Clone, Copy, Debug, Default)]
pub struct Work {
    pub lanes: LaneSet,
    /// Integrations of which somebody has made deliveries due now, whatever they were waiting for.
    pub overdue: LaneSet,
    /// Projects whose progress has to be counted.
    pub progress: bool,
    /// Integrations or sources have changed.
    pub configuration: bool,
}

impl Work {
    pub(super) const NONE: Work = Work {
        lanes: LaneSet::NONE,
        overdue: LaneSet::NONE,
        progress: false,
        configuration: false,
    };

    pub const ALL: Work = Work {
        lanes: LaneSet::ALL,
        overdue: LaneSet::NONE,
        progress: true,
        configuration: true,
    };

    pub fn merge(&mut self, other: Work) {
        self.lanes.merge(other.lanes);
        self.overdue.merge(other.overdue);
        self.progress |= other.progress;
        self.configuration |= other.configuration;
    }

    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty() && self.overdue.is_empty() && !self.progress && !self.configuration
    }
}
