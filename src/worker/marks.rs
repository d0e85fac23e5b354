//! From where on each lane has to be read. Finished deliveries leave the index of waiting ones only when vacuum comes by, and it
//! passes over them as long as any session holds an older snapshot: without marks, each claim would read them all again.

use std::collections::{BTreeSet, HashMap};

use webhook::schedule::LaneId;

use crate::wake::Work;

/// No delivery of a lane waits below its mark. Ids are not commit order, so whoever commits a lower one says so
/// ([`Work::lowest`]), and the marks are lowered.
#[derive(Debug, Default)]
pub struct Marks {
    of_lane: HashMap<LaneId, i64>,
    by_mark: BTreeSet<(i64, LaneId)>,
}

impl Marks {
    /// The id to read from.
    pub fn of(&self, lane: LaneId) -> i64 {
        self.of_lane.get(&lane).copied().unwrap_or(Work::UNKNOWN)
    }

    /// The lane was read, and its first delivery that waits is `first`.
    pub fn set(&mut self, lane: LaneId, first: i64) {
        if let Some(before) = self.of_lane.insert(lane, first) {
            self.by_mark.remove(&(before, lane));
        }
        self.by_mark.insert((first, lane));
    }

    /// A delivery of the lane waits from now on.
    pub fn lower_lane(&mut self, lane: LaneId, id: i64) {
        if self.of_lane.get(&lane).is_some_and(|mark| *mark > id) {
            self.set(lane, id);
        }
    }

    /// Something that may be of any lane was committed, `lowest` and above.
    pub fn lower(&mut self, lowest: i64) {
        while let Some((mark, lane)) = self.by_mark.last().copied()
            && mark > lowest
        {
            self.set(lane, lowest);
        }
    }
}
