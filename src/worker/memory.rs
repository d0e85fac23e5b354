//! Memory that a backlog needed and that nobody needs any more.

use std::time::{Duration, Instant};

/// After so long without a request. It takes less than a millisecond, and work may come every few.
const QUIET: Duration = Duration::from_secs(1);

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

    /// Gives back to the system what the allocator keeps, if it is time to.
    pub fn give_back(&mut self) {
        if self.wait() == Some(Duration::ZERO) {
            self.used_at = None;
            // glibc keeps what was freed in the middle of its heaps; others give it back by themselves.
            // SAFETY: made to be called at any time, by any thread.
            #[cfg(target_env = "gnu")]
            unsafe {
                nix::libc::malloc_trim(0)
            };
        }
    }
}
