//! How many rows a queue reads at a time.

use std::time::Duration;

use super::clock::Tick;

/// The most rows in one claim. A claim costs the database about as much as some tens of rows; beyond some hundreds nothing is gained.
pub(super) const LARGEST_CLAIM: usize = 500;
/// A page that was used up within this time was too small.
const SOON: Duration = Duration::from_millis(500);
/// A page that lasted longer than this was too large.
const LATE: Duration = Duration::from_secs(2);

/// The page size of a queue, in messages: what it sends in a second or two. A fast queue soon reads large pages, and a slow one, of which
/// there may be thousands, holds little.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    messages: usize,
    /// When the last page came, if it was full.
    filled_at: Option<Tick>,
}

impl Page {
    const FIRST: usize = 2;

    pub(super) fn new() -> Self {
        Page {
            messages: Page::FIRST,
            filled_at: None,
        }
    }

    /// Returns the number of rows to ask for, now that the last page is used up.
    pub(super) fn next(&mut self, message: usize, now: Tick) -> usize {
        if let Some(filled_at) = self.filled_at.take() {
            let lasted = now.since(filled_at);
            if lasted <= SOON {
                self.messages = (self.messages * 2).min((LARGEST_CLAIM / message).max(1));
            } else if lasted > LATE {
                self.messages = (self.messages / 2).max(1);
            }
        }
        (self.messages * message).min(LARGEST_CLAIM)
    }

    pub(super) fn filled(&mut self, now: Tick) {
        self.filled_at = Some(now);
    }

    pub(super) fn after_failure(&mut self) {
        *self = Page {
            messages: 1,
            filled_at: None,
        };
    }

    pub(super) fn after_success(&mut self) {
        self.messages = self.messages.max(Page::FIRST);
    }
}
