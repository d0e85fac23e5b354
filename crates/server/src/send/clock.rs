//! Clocks: monotonic time that includes suspension, and the database's time of day.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use nix::time::{ClockId, clock_gettime};

/// A difference between two clocks that drift cannot explain: one of them was set.
const SET: SignedDuration = SignedDuration::from_secs(1);

/// Returns the time since the machine was started, including suspension.
pub fn now() -> Duration {
    // It only fails for unknown clocks.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

/// The database's time of day: its last known value, plus the monotonic time since then. All times that are recorded, or compared with recorded ones,
/// are of this clock, so that a wrong clock on the sender's machine neither expires nor delays deliveries.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseClock {
    said: Timestamp,
    at: Duration,
}

impl DatabaseClock {
    /// Returns a clock with this machine's time, until the database's is known.
    pub fn of_this_machine() -> Self {
        Self::said(Timestamp::now())
    }

    /// Returns a clock with the time that the database has just reported.
    pub fn said(said: Timestamp) -> Self {
        DatabaseClock { said, at: now() }
    }

    /// Compares with the time `said` that the database reported in a call that was made at `sent` (as of [`now`]), which is between the two. If that
    /// contradicts this clock, the database's clock was set, and this one follows. Returns whether it was set.
    pub fn hear(&mut self, said: Timestamp, sent: Duration) -> bool {
        let latest = self.now();
        let waited = now().saturating_sub(sent);
        let ahead = said.duration_since(latest);
        let is_set =
            ahead > SET || ahead + SignedDuration::try_from(waited).unwrap_or(SignedDuration::MAX) < -SET;
        if is_set {
            *self = Self::said(said);
        }
        is_set
    }

    pub fn now(&self) -> Timestamp {
        let since = now().saturating_sub(self.at);
        // It only fails at the end of the calendar.
        self.said.checked_add(since).unwrap_or(self.said)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_database_whose_clock_is_set_is_followed() {
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        let mut clock = DatabaseClock::said(start);
        for said in [
            start + Duration::from_secs(3600),
            start - Duration::from_secs(3600),
        ] {
            assert!(clock.hear(said, now()));
            let shown = clock.now();
            assert!(
                shown >= said && shown < said + Duration::from_secs(1800),
                "{shown}"
            );
        }
    }

    #[test]
    fn an_answer_that_was_long_on_its_way_says_nothing_of_the_clock() {
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        let mut clock = DatabaseClock::said(start);
        // It was reported within the last hundred seconds.
        let sent = now().saturating_sub(Duration::from_secs(100));
        assert!(!clock.hear(start - Duration::from_secs(50), sent));
        assert!(clock.now() >= start);
    }
}
