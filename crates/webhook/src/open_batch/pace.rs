//! The pace at which deliveries are finished.

use std::time::{Duration, Instant};

/// The time over which the pace is measured.
const WINDOW: Duration = Duration::from_millis(100);
/// After this time without a measurement, the pace counts as zero.
pub(super) const STALE: Duration = Duration::from_millis(500);

/// A pace, measured window by window.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The beginning of the current window.
    pub(super) began: Option<Instant>,
    /// The deliveries that were finished in it.
    finished: usize,
    /// The deliveries per second in the previous window.
    rate: usize,
}

impl Pace {
    pub(super) fn finished(&mut self, now: Instant) {
        let began = *self.began.get_or_insert(now);
        let lasted = now.saturating_duration_since(began);
        if lasted >= WINDOW {
            self.rate = self.finished * 1000 / lasted.as_millis() as usize;
            self.finished = 0;
            self.began = Some(now);
        }
        self.finished += 1;
    }

    /// Returns whether anything was finished lately.
    pub(super) fn is_known(&self, now: Instant) -> bool {
        let is_recent = |began: Instant| now.saturating_duration_since(began) < STALE;
        self.rate > 0 && self.began.is_some_and(is_recent)
    }

    /// Returns whether so many deliveries will be finished within that time.
    pub(super) fn takes(&self, deliveries: usize, time: Duration, now: Instant) -> bool {
        let taken = self.rate * time.as_millis() as usize / 1000;
        self.is_known(now) && deliveries <= taken
    }
}
