//! How old deliveries become.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::digest::Digest;
use crate::quiet_hours::QuietHours;

/// Nothing lives longer, however much of it was quiet: nobody counts the nights of many years.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(3 * 366 * 24);

/// How old a webhook's deliveries become.
#[derive(Clone, Copy, Debug)]
pub struct Age<'a> {
    pub max_age: Duration,
    /// In these nothing grows older.
    pub quiet_hours: Option<&'a QuietHours>,
    /// What is gathered for it grows no older.
    pub digest: Option<&'a Digest>,
}

impl Age<'_> {
    /// Whether a delivery of that moment is too old.
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
