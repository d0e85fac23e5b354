//! Errors of the database: each is logged once, and what failed is tried again after a growing pause.

use std::time::{Duration, Instant};

/// Pause before what the database refused is tried again; doubled as long as it does.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Errors of the database: each is logged once, and what failed is tried again after a growing pause.
#[derive(Clone, Default)]
pub struct Trouble {
    message: String,
    pause: Duration,
    pub until: Option<Instant>,
    /// Nothing goes on meanwhile.
    wide: bool,
}

impl Trouble {
    /// One trouble has one pause, however many things fail of it.
    pub fn met(&mut self, what: &str, error: String) {
        self.wide = true;
        self.pause(what, error);
    }

    /// What failed is one webhook's, or a count: the rest goes on.
    pub fn met_aside(&mut self, what: &str, error: String) {
        self.wide &= self.is_on();
        self.pause(what, error);
    }

    fn pause(&mut self, what: &str, error: String) {
        if !self.is_on() {
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

    pub fn over(&mut self) {
        *self = Trouble::default();
    }

    /// Whether nothing is to be read and written meanwhile.
    pub fn blocks(&self) -> bool {
        self.wide && self.is_on()
    }

    pub fn is_on(&self) -> bool {
        self.until.is_some_and(|until| until > Instant::now())
    }
}
