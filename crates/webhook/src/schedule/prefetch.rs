//! The prefetch buffer: how many rows are in memory, and how many more to ask for.

use super::endpoint_queue::EndpointQueue;
use super::page::LARGEST_CLAIM;

/// Rows are asked for as if so many more queues needed some: the last free ones are never given out at once, so that the next queue finds
/// some.
const RESERVE: usize = 8;
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
