//! Monotonic clocks that go on while the machine is suspended.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use nix::time::{ClockId, clock_gettime};

/// Clocks that are this far apart have not just drifted since they were compared.
const SET: SignedDuration = SignedDuration::from_secs(1);

/// Since the machine was started.
pub fn now() -> Duration {
    // It fails for clocks that there are not.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

/// The database's time of day, as it was said and as long as it is since then. All that is written down or compared with what others have written is by this
/// one: a sender whose own clock is wrong, or is set, lets nothing expire and holds nothing back.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseClock {
    said: Timestamp,
    at: Duration,
}

impl DatabaseClock {
    /// This machine's, until the database has said.
    pub fn of_this_machine() -> Self {
        Self::said(Timestamp::now())
    }

    /// The database has said this just now.
    pub fn said(said: Timestamp) -> Self {
        DatabaseClock { said, at: now() }
    }

    /// Notes what the database has said in answer to a call that was made at `sent`: its time somewhere in between. Where that cannot be, its clock was
    /// set, and this one follows. Returns whether it was.
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
        // It fails at the end of the calendar.
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
        // It was said some time within the last hundred seconds.
        let sent = now().saturating_sub(Duration::from_secs(100));
        assert!(!clock.hear(start - Duration::from_secs(50), sent));
        assert!(clock.now() >= start);
    }
}
