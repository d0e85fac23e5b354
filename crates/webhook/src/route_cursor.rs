//! The route cursor: which events are routed, when ids are given in another order than transactions commit in.
//!
//! A missing id may belong to a transaction that has not committed yet, or to one that was rolled back, so that it never comes. A gap is
//! read again each time, until every transaction that ran when it was first seen has ended: then nothing can come in it any more.
//!
//! A statement may have drawn its id before its transaction has a transaction id (xid), and no snapshot tells of such a transaction. So the
//! cursor first waits for the sessions that were writing events without an xid when the gap was seen, until each has one or is done. From
//! then on the xids count.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id_set::{IdRange, IdSet};

/// The first id of an identity column.
const FIRST_ID: i64 = 1;

/// What is routed, what was read, and where events may still appear.
#[derive(Clone, Debug)]
pub struct RouteCursor {
    /// Ids that are routed and written, or will never come.
    written: IdSet,
    /// The same, and ids that were read but are not written yet.
    known: IdSet,
    /// The holes of `known`, by their low ends.
    gaps: BTreeMap<i64, Gap>,
}

#[derive(Clone, Debug)]
struct Gap {
    high: i64,
    of: Writers,
}

/// The writers that the ids of a gap may belong to.
#[derive(Clone, Debug)]
enum Writers {
    /// The gap has not been read since it is known.
    Unasked,
    /// These sessions too, which had no xid when they were last looked at.
    Unnumbered(Arc<[u64]>),
    /// Only transactions with lower xids.
    Below(u64),
}

impl Writers {
    /// Returns what is known after a look, which has found the sessions `unnumbered`.
    fn look(&self, look: &Look, unnumbered: &Arc<[u64]>) -> Writers {
        let left = match self {
            Writers::Below(number) => return Writers::Below(*number),
            Writers::Unasked => !unnumbered.is_empty(),
            Writers::Unnumbered(before) => before.iter().any(|session| unnumbered.contains(session)),
        };
        match self {
            Writers::Unnumbered(before) if left => Writers::Unnumbered(before.clone()),
            _ if left => Writers::Unnumbered(unnumbered.clone()),
            _ => Writers::Below(look.next_transaction),
        }
    }
}

/// What was read, and when.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The events that were found, in ascending order.
    pub ids: &'a [i64],
    /// Whether there were no more. Otherwise nothing was read above the last id.
    pub complete: bool,
    /// The oldest transaction that ran when the snapshot was taken with which the events were read.
    pub oldest_running: u64,
    /// Sessions that write events and have no xid, each with its transaction. They were looked for after the events were read.
    pub unnumbered: &'a [u64],
    /// The next xid, which was read after that.
    pub next_transaction: u64,
}

impl Default for RouteCursor {
    fn default() -> Self {
        Self::new(IdSet::default())
    }
}

impl RouteCursor {
    /// Returns a cursor that goes on where another one has written `written`.
    pub fn new(mut written: IdSet) -> Self {
        written.insert(IdRange {
            low: i64::MIN,
            high: FIRST_ID,
        });
        let gap = |hole: IdRange| {
            (
                hole.low,
                Gap {
                    high: hole.high,
                    of: Writers::Unasked,
                },
            )
        };
        RouteCursor {
            known: written.clone(),
            gaps: written.holes().map(gap).collect(),
            written,
        }
    }

    /// Returns the ranges in which unknown events may be, in ascending order: the gaps, and everything above what is known.
    pub fn to_read(&self) -> Vec<IdRange> {
        let gaps = self.gaps.iter().map(|(low, gap)| IdRange {
            low: *low,
            high: gap.high,
        });
        let tail = IdRange {
            low: self.known.end().unwrap_or(FIRST_ID),
            high: i64::MAX,
        };
        gaps.chain([tail]).collect()
    }

    /// Returns whether there are gaps, or will be when these events are taken, so that the writers have to be known.
    pub fn leaves_gaps(&self, ids: &[i64]) -> bool {
        let mut next = self.known.end().unwrap_or(FIRST_ID);
        let is_next = |id: &i64| {
            let expected = *id == next;
            next = id.saturating_add(1);
            expected
        };
        !self.gaps.is_empty() || !ids.iter().all(is_next)
    }

    pub fn gaps(&self) -> usize {
        self.gaps.len()
    }

    /// Takes the events of a look, and closes the gaps in which nothing can come any more.
    pub fn read(&mut self, look: &Look) {
        let Some(read_to) = (match look.complete {
            true => Some(i64::MAX),
            false => look.ids.last().map(|last| last.saturating_add(1)),
        }) else {
            return;
        };
        let over = |gap: &Gap| {
            gap.high <= read_to && matches!(gap.of, Writers::Below(number) if number <= look.oldest_running)
        };
        let closed: Vec<i64> = self
            .gaps
            .iter()
            .filter(|(_, gap)| over(gap))
            .map(|(low, _)| *low)
            .collect();
        let mut expired = Vec::new();
        for low in closed {
            if let Some(gap) = self.gaps.remove(&low) {
                expired.push(IdRange { low, high: gap.high });
            }
        }
        let unnumbered: Arc<[u64]> = look.unnumbered.into();
        for gap in self.gaps.values_mut().filter(|gap| gap.high <= read_to) {
            gap.of = gap.of.look(look, &unnumbered);
        }
        let new = Writers::Unasked.look(look, &unnumbered);
        for id in look.ids {
            self.take(*id, &new);
        }
        for range in expired {
            self.close(range, look.ids);
        }
    }

    /// Closes an expired gap: ids in it that were not found will never come.
    fn close(&mut self, range: IdRange, found: &[i64]) {
        let from = found.partition_point(|id| *id < range.low);
        let mut low = range.low;
        for id in found[from..]
            .iter()
            .take_while(|id| (range.low..range.high).contains(*id))
        {
            self.written.insert(IdRange { low, high: *id });
            low = id.saturating_add(1);
        }
        self.written.insert(IdRange {
            low,
            high: range.high,
        });
        self.known.insert(range);
    }

    /// Takes an id. `new` are the writers of gaps that were not known.
    fn take(&mut self, id: i64, new: &Writers) {
        let tail = self.known.end().unwrap_or(FIRST_ID);
        if id >= tail {
            if id > tail {
                let gap = Gap {
                    high: id,
                    of: new.clone(),
                };
                self.gaps.insert(tail, gap);
            }
        } else if let Some((low, gap)) = self
            .gaps
            .range(..=id)
            .next_back()
            .map(|(low, gap)| (*low, gap.clone()))
            && (low..gap.high).contains(&id)
        {
            self.gaps.remove(&low);
            if low < id {
                let of = gap.of.clone();
                self.gaps.insert(low, Gap { high: id, of });
            }
            if id + 1 < gap.high {
                self.gaps.insert(id + 1, gap);
            }
        }
        self.known.insert_id(id);
    }

    /// Returns what has to be written when `ids`, which were read, are routed.
    #[must_use]
    pub fn with(&self, ids: impl IntoIterator<Item = i64>) -> IdSet {
        let mut set = self.written.clone();
        ids.into_iter().for_each(|id| set.insert_id(id));
        set
    }

    /// Notes that what [`with`](Self::with) returned has been written.
    pub fn wrote(&mut self, set: IdSet) {
        self.written = set;
    }

    /// Returns what is written, and the gaps that were closed since.
    pub fn written(&self) -> &IdSet {
        &self.written
    }
}

#[cfg(test)]
mod tests;
