//! Monotonic clocks that go on while the machine is suspended.

use std::time::Duration;

use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};

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

    pub fn now(&self) -> Timestamp {
        let since = now().saturating_sub(self.at);
        // It fails at the end of the calendar.
        self.said.checked_add(since).unwrap_or(self.said)
    }
}
