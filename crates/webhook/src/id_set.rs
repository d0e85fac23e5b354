//! Sets of ids, as PostgreSQL's `int8multirange` has them.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Ids from `low` up to, and without, `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdRange {
    pub low: i64,
    pub high: i64,
}

/// A set of ids, kept as ranges that neither overlap nor touch. `i64::MIN` stands for no lower bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdSet {
    /// Low end -> high end.
    ranges: BTreeMap<i64, i64>,
}

impl IdSet {
    /// Returns the set that a multirange's text form names; None for what is none, and for one without an upper bound.
    pub fn parse(text: &str) -> Option<IdSet> {
        let mut set = IdSet::default();
        let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
        for range in inner.split_inclusive([')', ']']) {
            let range = range.trim_start_matches(',');
            let (low, high) = range.get(1..range.len().checked_sub(1)?)?.split_once(',')?;
            let low = match (low.trim(), range.starts_with('[')) {
                ("", _) => i64::MIN,
                (low, true) => low.parse().ok()?,
                (low, false) => low.parse::<i64>().ok()?.checked_add(1)?,
            };
            let high: i64 = high.trim().parse().ok()?;
            let high = if range.ends_with(']') {
                high.checked_add(1)?
            } else {
                high
            };
            set.insert(IdRange { low, high });
        }
        Some(set)
    }

    /// Returns the multirange's text form.
    pub fn to_text(&self) -> String {
        let mut text = String::from("{");
        for (number, range) in self.ranges().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            // Writing to a String does not fail.
            let _ = match range.low {
                i64::MIN => write!(text, "{comma}(,{})", range.high),
                low => write!(text, "{comma}[{low},{})", range.high),
            };
        }
        text.push('}');
        text
    }

    pub fn insert(&mut self, range: IdRange) {
        let IdRange { mut low, mut high } = range;
        if low >= high {
            return;
        }
        if let Some((before, end)) = self.ranges.range(..=low).next_back().map(|(l, h)| (*l, *h))
            && end >= low
        {
            low = before;
            high = high.max(end);
            self.ranges.remove(&before);
        }
        while let Some((next, end)) = self.ranges.range(low..=high).next().map(|(l, h)| (*l, *h)) {
            high = high.max(end);
            self.ranges.remove(&next);
        }
        self.ranges.insert(low, high);
    }

    pub fn insert_id(&mut self, id: i64) {
        self.insert(IdRange {
            low: id,
            high: id.saturating_add(1),
        });
    }

    pub fn contains(&self, id: i64) -> bool {
        let before = self.ranges.range(..=id).next_back();
        before.is_some_and(|(_, high)| *high > id)
    }

    pub fn ranges(&self) -> impl Iterator<Item = IdRange> + '_ {
        self.ranges.iter().map(|(low, high)| IdRange {
            low: *low,
            high: *high,
        })
    }

    /// Returns the end of the last range; None: the set is empty.
    pub fn end(&self) -> Option<i64> {
        self.ranges.last_key_value().map(|(_, high)| *high)
    }

    /// Returns what lies between the ranges.
    pub fn holes(&self) -> impl Iterator<Item = IdRange> + '_ {
        let lows = self.ranges.keys().skip(1);
        self.ranges.values().zip(lows).map(|(high, low)| IdRange {
            low: *high,
            high: *low,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn range() -> impl Strategy<Value = IdRange> {
        (0i64..60, 0i64..9).prop_map(|(low, length)| IdRange {
            low,
            high: low + length,
        })
    }

    proptest! {
        #[test]
        fn a_set_of_ranges_is_the_set_of_their_ids(ranges in prop::collection::vec(range(), 0..20)) {
            let mut set = IdSet::default();
            let mut ids = BTreeSet::new();
            for range in &ranges {
                set.insert(*range);
                ids.extend(range.low..range.high);
            }
            prop_assert!((-1..80).all(|id| set.contains(id) == ids.contains(&id)));
            prop_assert_eq!(set.end(), ids.last().map(|last| last + 1));
            let ends: Vec<i64> = set.ranges().flat_map(|range| [range.low, range.high]).collect();
            prop_assert!(ends.is_sorted_by(|a, b| a < b), "{ends:?}");
            let holes: Vec<i64> = set.holes().flat_map(|hole| hole.low..hole.high).collect();
            let inside = ids.first().copied().unwrap_or(0)..set.end().unwrap_or(0);
            let missing: Vec<i64> = inside.filter(|id| !ids.contains(id)).collect();
            prop_assert_eq!(holes, missing);
        }

        #[test]
        fn a_text_form_reads_back(ranges in prop::collection::vec(range(), 0..20), open: bool) {
            let mut set = IdSet::default();
            ranges.into_iter().for_each(|range| set.insert(range));
            if open {
                set.insert(IdRange { low: i64::MIN, high: 5 });
            }
            prop_assert_eq!(IdSet::parse(&set.to_text()), Some(set));
        }
    }

    #[test]
    fn an_id_alone_is_a_range() {
        let mut set = IdSet::default();
        for id in [7, 5, 6, 9] {
            set.insert_id(id);
        }
        assert_eq!(set.to_text(), "{[5,8),[9,10)}");
    }

    #[test]
    fn what_postgresql_writes_is_read() {
        assert_eq!(IdSet::parse("{}"), Some(IdSet::default()));
        let set = IdSet::parse("{(,5),[7,8),[10,12]}").unwrap();
        assert_eq!(set.to_text(), "{(,5),[7,8),[10,13)}");
        for wrong in ["", "{", "{[1,)}", "{[a,2)}", "(,5)"] {
            assert_eq!(IdSet::parse(wrong), None, "{wrong}");
        }
    }
}
