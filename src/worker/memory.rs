//! Giving memory back that a backlog needed.

use crate::pg::process;
use std::time::{Duration, Instant};

/// The time without a request after which memory is given back. That takes less than a millisecond, but there may be work every few.
const QUIET: Duration = Duration::from_secs(1);

/// The most buffers that are kept: as many as requests are in flight when no webhook is slow.
const MAX_BUFFERS: usize = 256;

#[derive(Default)]
pub struct Slack {
    /// The time of the last request, if memory has not been given back since.
    used_at: Option<Instant>,
}

impl Slack {
    pub fn used(&mut self) {
        self.used_at = Some(Instant::now());
    }

    /// Returns how long until memory can be given back. None: there is none to give back.
    pub fn wait(&self) -> Option<Duration> {
        self.used_at.map(|used| QUIET.saturating_sub(used.elapsed()))
    }

    pub fn is_due(&self) -> bool {
        self.wait() == Some(Duration::ZERO)
    }

    /// Returns memory that the allocator keeps to the system.
    pub fn give_back(&mut self) {
        self.used_at = None;
        process::trim_memory();
    }
}

/// Buffers of sent bodies, kept for the next ones.
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
