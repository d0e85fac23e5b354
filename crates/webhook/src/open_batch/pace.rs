//! How fast deliveries are finished.

use std::time::{Duration, Instant};

/// The pace is measured over so long.
const WINDOW: Duration = Duration::from_millis(100);
/// When it was not measured for so long, nothing moves.
pub(super) const STALE: Duration = Duration::from_millis(500);

/// A pace, measured window by window.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the window began that is not over.
    pub(super) began: Option<Instant>,
    /// In it.
    finished: usize,
    /// A second, in the window before.
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

    /// Whether anything was finished a short while ago.
    pub(super) fn is_known(&self, now: Instant) -> bool {
        let is_recent = |began: Instant| now.saturating_duration_since(began) < STALE;
        self.rate > 0 && self.began.is_some_and(is_recent)
    }

    /// Whether so many will be finished within that time.
    pub(super) fn takes(&self, deliveries: usize, time: Duration, now: Instant) -> bool {
        let taken = self.rate * time.as_millis() as usize / 1000;
        self.is_known(now) && deliveries <= taken
    }
}
