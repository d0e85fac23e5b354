//! What the database has refused to write: single deliveries, or a whole queue.

use std::collections::{BTreeMap, BTreeSet};

use super::event::OpenDelivery;
use crate::schedule::{DeliveryId, QueueId};

/// The refusals by queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Refused(BTreeMap<QueueId, OfQueue>);

#[derive(Clone, Debug, Default)]
struct OfQueue {
    deliveries: BTreeSet<DeliveryId>,
    /// Whether the database refuses every delivery of the queue, so that the others are not tried.
    whole: bool,
}

impl Refused {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn add(&mut self, queue: QueueId, delivery: DeliveryId) {
        self.0.entry(queue).or_default().deliveries.insert(delivery);
    }

    pub(super) fn add_queue(&mut self, queue: QueueId) {
        self.0.entry(queue).or_default().whole = true;
    }

    pub(super) fn has_queue(&self, queue: QueueId) -> bool {
        self.0.get(&queue).is_some_and(|refused| refused.whole)
    }

    /// Returns the queues that are refused as a whole.
    pub(super) fn queues(&self) -> impl Iterator<Item = QueueId> + '_ {
        let whole = self.0.iter().filter(|(_, refused)| refused.whole);
        whole.map(|(queue, _)| *queue)
    }

    pub(super) fn has(&self, queue: QueueId, delivery: DeliveryId) -> bool {
        self.0
            .get(&queue)
            .is_some_and(|refused| refused.deliveries.contains(&delivery))
    }

    /// Returns whether a delivery must not be written: it was refused, or comes after a refused one that still `waits`.
    pub(super) fn holds(&self, delivery: &OpenDelivery, waits: impl Fn(&DeliveryId) -> bool) -> bool {
        let Some(refused) = self.0.get(&delivery.queue) else {
            return false;
        };
        refused.whole
            || refused.deliveries.contains(&delivery.id)
            || !delivery.is_finished() && refused.deliveries.range(..delivery.id).any(waits)
    }
}
