//! Memory that a backlog needed and that nobody needs any more.

use crate::pg::process;
use std::time::{Duration, Instant};

/// After so long without a request. It takes less than a millisecond, and work may come every few.
const QUIET: Duration = Duration::from_secs(1);

/// As many as are in flight when no webhook is slow.
const MAX_BUFFERS: usize = 256;

#[derive(Default)]
pub struct Slack {
    /// Of the last request, if nothing was given back since.
    used_at: Option<Instant>,
}

impl Slack {
    pub fn used(&mut self) {
        self.used_at = Some(Instant::now());
    }

    /// How long until there is something to give back; None: nothing is.
    pub fn wait(&self) -> Option<Duration> {
        self.used_at.map(|used| QUIET.saturating_sub(used.elapsed()))
    }

    pub fn is_due(&self) -> bool {
        self.wait() == Some(Duration::ZERO)
    }

    /// Gives back to the system what the allocator keeps.
    pub fn give_back(&mut self) {
        self.used_at = None;
        process::trim_memory();
    }
}

/// Buffers of bodies that were sent, for those to come.
#[derive(Default)]
pub struct Buffers(Vec<Vec<u8>>);

impl Buffers {
    pub fn take(&mut self) -> Vec<u8> {
        self.0.pop().unwrap_or_default()
    }

    pub fn keep(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() > 0 && self.0.len() < MAX_BUFFERS {
            self.0.push(buffer);
        }
    }
}
