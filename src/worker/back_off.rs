//! The back-off after errors of the database.

use std::time::{Duration, Instant};

/// The first pause before what the database refused is tried again. It is doubled each time.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The back-off after errors of the database: each error is logged once, and what failed is tried again after a growing pause.
#[derive(Clone, Default)]
pub struct BackOff {
    message: String,
    pause: Duration,
    until: Option<Instant>,
}

impl BackOff {
    /// Notes a failure. A back-off has one pause, however many things of one kind fail.
    pub fn failed(&mut self, what: &str, error: String) {
        if !self.is_waiting() {
            self.pause = (self.pause * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
            self.until = Some(Instant::now() + self.pause);
        } else if self.message == error {
            return;
        }
        if self.message != error {
            pgrx::warning!(
                "zentry_notify: {what} failed, trying again in {} s: {error}",
                self.pause.as_secs()
            );
            self.message = error;
        }
    }

    pub fn succeeded(&mut self) {
        *self = BackOff::default();
    }

    /// Returns whether something has failed and not worked again since, whether it waits or may be tried again.
    pub fn is_failing(&self) -> bool {
        self.until.is_some()
    }

    /// Returns whether what failed has to wait.
    pub fn is_waiting(&self) -> bool {
        self.until.is_some_and(|until| until > Instant::now())
    }

    /// Returns how long what failed has to wait. None: nothing has failed.
    pub fn wait(&self) -> Option<Duration> {
        self.until
            .map(|until| until.saturating_duration_since(Instant::now()))
    }
}
