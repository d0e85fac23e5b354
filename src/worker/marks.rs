//! From where on each lane has to be read. Finished deliveries leave the index of waiting ones only when vacuum comes by, and it
//! passes over them as long as any session holds an older snapshot: without marks, each claim would read them all again.

use std::collections::HashMap;

use webhook::schedule::LaneId;

use crate::wake::LaneSet;

/// Below every id.
const UNKNOWN: i64 = i64::MIN;

/// No delivery of a lane waits below its mark. Ids are not commit order, so whoever commits a delivery says of which lane it is, and
/// the mark of that one is forgotten; the others' hold.
#[derive(Debug, Default)]
pub struct Marks(HashMap<LaneId, i64>);

impl Marks {
    /// The id to read from.
    pub fn of(&self, lane: LaneId) -> i64 {
        self.0.get(&lane).copied().unwrap_or(UNKNOWN)
    }

    /// The lane was read, and its first delivery that waits is `first`.
    pub fn set(&mut self, lane: LaneId, first: i64) {
        self.0.insert(lane, first);
    }

    /// A delivery of the lane waits from now on.
    pub fn lower_lane(&mut self, lane: LaneId, id: i64) {
        if let Some(mark) = self.0.get_mut(&lane) {
            *mark = id.min(*mark);
        }
    }

    /// Deliveries of these lanes were committed, whatever their ids.
    pub fn forget(&mut self, lanes: &LaneSet) {
        if !lanes.is_empty() {
            self.0.retain(|lane, _| !lanes.may_contain(lane.0));
        }
    }

    /// Deliveries of any lane may be there, whatever their ids.
    pub fn forget_all(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_of_one_lane_leaves_the_marks_of_the_others() {
        let mut marks = Marks::default();
        marks.set(LaneId(1), 100);
        marks.set(LaneId(2), 200);
        let mut written = LaneSet::NONE;
        marks.forget(&written);
        written.insert(2);
        marks.forget(&written);
        assert_eq!((marks.of(LaneId(1)), marks.of(LaneId(2))), (100, UNKNOWN));
        marks.lower_lane(LaneId(1), 150);
        marks.lower_lane(LaneId(2), 150);
        assert_eq!((marks.of(LaneId(1)), marks.of(LaneId(2))), (100, UNKNOWN));
        marks.lower_lane(LaneId(1), 50);
        assert_eq!(marks.of(LaneId(1)), 50);
        marks.forget(&LaneSet::ALL);
        assert_eq!(marks.of(LaneId(1)), UNKNOWN);
    }
}
