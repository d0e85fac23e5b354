//! Deliveries that were recently written as waiting, and are sent from the table.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use crate::schedule::DeliveryId;

/// The deliveries, with the time when their events were routed.
#[derive(Debug, Default)]
pub(super) struct Spilled {
    routed_at: HashMap<DeliveryId, Instant>,
    /// The deliveries by that time.
    by_time: BTreeSet<(Instant, DeliveryId)>,
}

impl Spilled {
    pub(super) fn add(&mut self, id: DeliveryId, routed_at: Instant) {
        self.remove(id);
        self.routed_at.insert(id, routed_at);
        self.by_time.insert((routed_at, id));
    }

    pub(super) fn remove(&mut self, id: DeliveryId) {
        if let Some(routed_at) = self.routed_at.remove(&id) {
            self.by_time.remove(&(routed_at, id));
        }
    }

    /// Forgets deliveries whose events were routed at this moment or before.
    pub(super) fn forget_until(&mut self, moment: Instant) {
        while let Some((routed_at, id)) = self.by_time.first().copied()
            && routed_at <= moment
        {
            self.remove(id);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.routed_at.len()
    }

    pub(super) fn first(&self) -> Option<Instant> {
        self.by_time.first().map(|(routed_at, _)| *routed_at)
    }
}
