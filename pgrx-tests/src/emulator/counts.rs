//! What is counted of a webhook, and of all together.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) requests: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) events: AtomicU64,
    pub(crate) in_flight: AtomicUsize,
    pub(crate) most_in_flight: AtomicUsize,
}

impl Counts {
    pub(crate) fn arrived(&self, accepted: bool, events: usize) {
        if accepted {
            self.events.fetch_add(events as u64, Ordering::SeqCst);
            self.accepted.fetch_add(1, Ordering::SeqCst);
        }
        self.requests.fetch_add(1, Ordering::SeqCst);
    }

    /// Forgets everything but what is in flight.
    pub(crate) fn reset(&self) {
        for count in [&self.requests, &self.accepted, &self.events] {
            count.store(0, Ordering::SeqCst);
        }
        self.most_in_flight.store(0, Ordering::SeqCst);
    }
}
