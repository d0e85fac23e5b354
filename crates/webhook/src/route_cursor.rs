//! Which events are routed, when ids are given in another order than transactions commit in.
//!
//! An id that is missing may belong to a transaction that has not committed yet, or never come because its transaction was rolled
//! back. A gap is read again each time, until every transaction that ran when it was first seen is over: then nothing can come of
//! it any more.
//!
//! A statement may have drawn its id before its transaction has a number (xid), and no snapshot tells of such a transaction. So the
//! sessions that write events without a number are waited for first: those that wrote when the gap was seen, until each has a
//! number or is done. From then on it is the numbers that count.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id_set::{IdRange, IdSet};

/// Identities begin here.
const FIRST_ID: i64 = 1;

/// What is routed, what is in hand, and where something may still turn up.
#[derive(Clone, Debug)]
pub struct RouteCursor {
    /// Routed and written down, or never to come.
    written: IdSet,
    /// The same, and what was read but is not written down yet.
    known: IdSet,
    /// The holes of `known`, by their low ends.
    gaps: BTreeMap<i64, Gap>,
}

#[derive(Clone, Debug)]
struct Gap {
    high: i64,
    of: Writers,
}

/// Whose the ids of a gap may be.
#[derive(Clone, Debug)]
enum Writers {
    /// It was not read since it is known.
    Unasked,
    /// Also of these sessions, which had no number when they were last looked at.
    Unnumbered(Arc<[u64]>),
    /// Only of transactions with lower numbers.
    Below(u64),
}

impl Writers {
    /// What is known after a look; `unnumbered` are all that it has found.
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
    /// The events that were found, ascending.
    pub ids: &'a [i64],
    /// Whether there was no more; else nothing was read above the last id.
    pub complete: bool,
    /// The oldest transaction that ran when the snapshot was taken which the events were read with.
    pub oldest_running: u64,
    /// Sessions that write events and have no transaction number, each as of its transaction; looked for after the events were read.
    pub unnumbered: &'a [u64],
    /// The number of the next transaction, asked for after that.
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

    /// Returns where events may be that are not known yet, ascending: the gaps, and what lies above all that is known.
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

    /// Returns whether there are gaps, or there will be when these events are taken: then it has to be known who writes.
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

    /// Takes the events of a look into hand, and closes the gaps of which nothing can come any more.
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

    /// What is left of an expired gap, without the events that were found in it, never comes.
    fn close(&mut self, range: IdRange, found: &[i64]) {
        let from = found.partition_point(|id| *id < range.low);
        let mut low = range.low;
        for id in found[from..].iter().take_while(|id| **id < range.high) {
            self.written.insert(IdRange { low, high: *id });
            low = id.saturating_add(1);
        }
        self.written.insert(IdRange {
            low,
            high: range.high,
        });
        self.known.insert(range);
    }

    /// `new` is of whom a gap is that was not known.
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
            && id < gap.high
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

    /// Returns what has to be written down when `ids`, which are in hand, are routed.
    #[must_use]
    pub fn with(&self, ids: impl IntoIterator<Item = i64>) -> IdSet {
        let mut set = self.written.clone();
        ids.into_iter().for_each(|id| set.insert_id(id));
        set
    }

    /// What [`with`](Self::with) returned is written down.
    pub fn wrote(&mut self, set: IdSet) {
        self.written = set;
    }

    /// Returns what is written down, and the gaps that were closed since.
    pub fn written(&self) -> &IdSet {
        &self.written
    }
}
