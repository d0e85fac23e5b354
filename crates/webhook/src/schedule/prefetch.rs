//! The prefetch buffer: how many rows are in memory, and how many more to ask for.

use std::time::Duration;

use super::clock::Tick;
use super::endpoint_queue::EndpointQueue;

/// Rows are asked for as if so many more queues needed some: the last free ones are never given out at once, so that the next queue finds
/// some.
const RESERVE: usize = 8;
/// The most rows in one claim. A claim costs the database about as much as some tens of rows; beyond some hundreds nothing is gained.
const LARGEST_CLAIM: usize = 500;
/// A page that was used up within this time was too small.
const SOON: Duration = Duration::from_millis(500);
/// A page that lasted longer than this was too large.
const LATE: Duration = Duration::from_secs(2);

/// The room for rows of all queues, and how much of it is taken.
#[derive(Debug)]
pub(super) struct PrefetchBuffer {
    limit: usize,
    held: usize,
    promised: usize,
}

impl PrefetchBuffer {
    pub(super) fn new(limit: usize) -> Self {
        PrefetchBuffer {
            limit: limit.max(1),
            held: 0,
            promised: 0,
        }
    }

    pub(super) fn set(&mut self, limit: usize) {
        self.limit = limit.max(1);
    }

    pub(super) fn held(&self) -> usize {
        self.held
    }

    pub(super) fn free(&self) -> usize {
        self.limit.saturating_sub(self.held + self.promised)
    }

    /// Returns whether rows are scarce: then queues that wait should not hold rows that queues which could send are waiting for.
    pub(super) fn scarce(&self) -> bool {
        self.free() <= self.limit / 16
    }

    /// Returns how many rows one of `hungry` queues may have, in whole messages if there is room for one. 0: nothing is left.
    pub(super) fn portion(&self, hungry: usize, message: usize) -> usize {
        let fair = (self.free() / (hungry + RESERVE))
            .clamp(1, LARGEST_CLAIM)
            .min(self.free());
        if fair > message {
            fair - fair % message
        } else {
            fair
        }
    }

    pub(super) fn promise(&mut self, rows: usize) {
        self.promised += rows;
    }

    pub(super) fn withdraw(&mut self, promised: usize) {
        self.promised = self.promised.saturating_sub(promised);
    }

    /// Counts the rows of a queue again. Those of a request that is set aside do not count.
    pub(super) fn count(&mut self, queue: &mut EndpointQueue) {
        let aside = queue.in_flight.is_some_and(|in_flight| in_flight.aside);
        let weight = if aside { 0 } else { queue.weight(queue.rows.len()) };
        self.held = self.held.saturating_sub(queue.counted) + weight;
        queue.counted = weight;
    }
}

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
