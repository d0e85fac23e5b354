//! Histograms of durations: small enough to be stored for every minute, and two can be added.

use std::time::Duration;

/// The number of buckets with an upper bound; one more has what took longer than the last one.
const BOUNDED: usize = 54;

/// The upper bounds in microseconds, from 1 ms to 26 hours. Each is the square root of two times the one before, so the error of a
/// quantile is no more than that factor.
const BOUNDS: [u64; BOUNDED] = {
    let mut bounds = [0; BOUNDED];
    let mut i = 0;
    while i < BOUNDED {
        bounds[i] = (if i % 2 == 0 { 1_000 } else { 1_414 }) << (i / 2);
        i += 1;
    }
    bounds
};

/// The number of durations in each bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram([u64; BOUNDED + 1]);

impl Default for Histogram {
    fn default() -> Self {
        Histogram([0; BOUNDED + 1])
    }
}

impl Histogram {
    /// Returns the upper bounds of all buckets but the last, which has none.
    pub fn bounds() -> impl Iterator<Item = Duration> {
        BOUNDS.into_iter().map(Duration::from_micros)
    }

    /// Makes a histogram of what [`counts`](Self::counts) returned; counts beyond the last bucket are added to it.
    pub fn from_counts(counts: impl IntoIterator<Item = u64>) -> Self {
        let mut histogram = Histogram::default();
        for (bucket, count) in counts.into_iter().enumerate() {
            let sum = &mut histogram.0[bucket.min(BOUNDED)];
            *sum = sum.saturating_add(count);
        }
        histogram
    }

    pub fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.0[BOUNDS.partition_point(|bound| *bound < micros)] += 1;
    }

    pub fn merge(&mut self, other: &Histogram) {
        for (sum, count) in self.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(count);
        }
    }

    /// Returns the counts by bucket, without empty ones at the end.
    pub fn counts(&self) -> &[u64] {
        let filled = self.0.iter().rposition(|count| *count > 0);
        &self.0[..filled.map_or(0, |last| last + 1)]
    }

    /// Returns the quantile `q` (0 to 1), as exactly as the buckets allow: within a bucket, durations are taken to be
    /// spread evenly, and those beyond the last bound as that bound. `None`: the histogram is empty.
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let total: f64 = self.0.iter().map(|count| *count as f64).sum();
        if total == 0.0 {
            return None;
        }
        let rank = q.clamp(0.0, 1.0) * total;
        let mut below = 0.0;
        let (bucket, count) = self.0.iter().enumerate().find(|(_, count)| {
            below += **count as f64;
            **count > 0 && below >= rank
        })?;
        let lower = bucket.checked_sub(1).map_or(0, |previous| BOUNDS[previous]) as f64;
        let upper = BOUNDS[bucket.min(BOUNDED - 1)] as f64;
        let share = (rank - (below - *count as f64)) / *count as f64;
        let micros = lower + (upper - lower).max(0.0) * share;
        Some(Duration::from_micros(micros.round() as u64))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn of(micros: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        micros
            .iter()
            .for_each(|us| histogram.add(Duration::from_micros(*us)));
        histogram
    }

    #[test]
    fn a_duration_on_a_bound_belongs_below_it() {
        assert_eq!(of(&[1_000]).counts(), [1]);
        assert_eq!(of(&[1_001]).counts(), [0, 1]);
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(Histogram::default().quantile(0.5), None);
        assert_eq!(Histogram::default().counts(), [0; 0]);
    }

    /// The least is in the first bucket that has one.
    #[test]
    fn empty_buckets_have_no_quantile() {
        let least = of(&[5_000_000, 9_000_000]).quantile(0.0).unwrap();
        assert!(
            least > Duration::from_secs(2) && least <= Duration::from_secs(5),
            "{least:?}"
        );
    }

    #[test]
    fn what_is_beyond_all_bounds_is_counted() {
        let histogram = of(&[u64::MAX]);
        assert_eq!(histogram.counts().len(), BOUNDED + 1);
        assert_eq!(histogram.quantile(1.0), Histogram::bounds().last());
    }

    proptest! {
        #[test]
        fn a_quantile_is_right_within_its_bucket(mut micros in prop::collection::vec(1u64..90_000_000_000, 1..200), q in 0.0f64..=1.0) {
            let found = of(&micros).quantile(q).unwrap().as_micros() as f64;
            micros.sort_unstable();
            let rank = (q * micros.len() as f64).ceil().max(1.0) as usize;
            let exact = micros[rank - 1] as f64;
            prop_assert!(found <= exact * 1.4150 + 1_000.0, "{found} for {exact}");
            prop_assert!(found >= exact / 1.4150 - 1_000.0, "{found} for {exact}");
        }

        #[test]
        fn two_that_are_merged_are_those_of_all(a in prop::collection::vec(any::<u64>(), 0..50), b in prop::collection::vec(any::<u64>(), 0..50)) {
            let mut merged = of(&a);
            merged.merge(&of(&b));
            prop_assert_eq!(&merged, &of(&[a, b].concat()));
            prop_assert_eq!(Histogram::from_counts(merged.counts().iter().copied()), merged);
        }
    }
}
