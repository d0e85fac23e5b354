//! What a worker has to look at.

use super::LaneSet;

#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Integrations of which deliveries were written, or finished by others.
    pub lanes: LaneSet,
    /// Integrations of which somebody has made deliveries due now, whatever they were waiting for.
    pub overdue: LaneSet,
    /// Those of `overdue` are to be tried whatever their endpoints have asked for.
    pub resumed: bool,
    /// Events were written, which have to be routed.
    pub events: bool,
    /// Integrations or sources have changed.
    pub configuration: bool,
}

impl Work {
    pub(super) const NONE: Work = Work {
        lanes: LaneSet::NONE,
        overdue: LaneSet::NONE,
        resumed: false,
        events: false,
        configuration: false,
    };

    pub const ALL: Work = Work {
        lanes: LaneSet::ALL,
        overdue: LaneSet::NONE,
        resumed: false,
        events: true,
        configuration: true,
    };

    pub fn merge(&mut self, other: Work) {
        self.lanes.merge(other.lanes);
        self.overdue.merge(other.overdue);
        self.resumed |= other.resumed;
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
