//! The age of deliveries, by which they expire.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::digest::Digest;
use crate::quiet_hours::QuietHours;

/// The longest life of a delivery, however much of it was quiet: quiet hours are not counted over many years.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(3 * 366 * 24);

/// What decides when a webhook's deliveries expire.
#[derive(Clone, Copy, Debug)]
pub struct Age<'a> {
    pub max_age: Duration,
    /// In these hours no delivery grows older.
    pub quiet_hours: Option<&'a QuietHours>,
    /// No delivery grows older before its digest is due.
    pub digest: Option<&'a Digest>,
}

impl Age<'_> {
    /// Returns whether a delivery of that moment has expired.
    pub fn is_over(&self, created_at: Timestamp, now: Timestamp) -> bool {
        let max_age = SignedDuration::try_from(self.max_age).unwrap_or(SignedDuration::MAX);
        let age = now.duration_since(created_at);
        if age <= max_age || age > LONGEST_LIFE {
            return age > max_age;
        }
        let since = match self.digest {
            Some(digest) => digest.due(created_at).min(now),
            None => created_at,
        };
        match self.quiet_hours {
            Some(hours) => hours.awake(since, now) > max_age,
            None => now.duration_since(since) > max_age,
        }
    }
}
