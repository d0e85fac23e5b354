//! The event of each delivery, and the unfinished deliveries of each queue.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use super::event::OpenDelivery;
use crate::schedule::{DeliveryId, QueueId};

/// The deliveries of all events of the open batch.
#[derive(Debug, Default)]
pub(super) struct Known {
    event_of: HashMap<DeliveryId, i64>,
    /// The unfinished deliveries by queue, in order; queues without any are left out.
    unfinished: HashMap<QueueId, BTreeSet<DeliveryId>>,
}

impl Known {
    pub(super) fn len(&self) -> usize {
        self.event_of.len()
    }

    pub(super) fn add(&mut self, delivery: &OpenDelivery, event: i64) {
        self.event_of.insert(delivery.id, event);
        if !delivery.is_finished() {
            let queue = self.unfinished.entry(delivery.queue).or_default();
            queue.insert(delivery.id);
        }
    }

    pub(super) fn finish(&mut self, queue: QueueId, delivery: DeliveryId) {
        if let Some(unfinished) = self.unfinished.get_mut(&queue) {
            unfinished.remove(&delivery);
            if unfinished.is_empty() {
                self.unfinished.remove(&queue);
            }
        }
    }

    pub(super) fn forget(&mut self, queue: QueueId, delivery: DeliveryId) {
        self.event_of.remove(&delivery);
        self.finish(queue, delivery);
    }

    pub(super) fn event_of(&self, delivery: DeliveryId) -> Option<i64> {
        self.event_of.get(&delivery).copied()
    }

    /// Returns the unfinished deliveries of a queue, in order.
    pub(super) fn unfinished(&self, queue: QueueId) -> impl Iterator<Item = DeliveryId> + '_ {
        self.unfinished.get(&queue).into_iter().flatten().copied()
    }

    pub(super) fn count(&self, queue: QueueId) -> usize {
        self.unfinished.get(&queue).map_or(0, BTreeSet::len)
    }

    pub(super) fn is_unfinished(&self, queue: QueueId, delivery: DeliveryId) -> bool {
        self.unfinished
            .get(&queue)
            .is_some_and(|unfinished| unfinished.contains(&delivery))
    }

    /// Returns the events of the unfinished deliveries of a queue in this range.
    pub(super) fn events_of(
        &self,
        queue: QueueId,
        range: Range<DeliveryId>,
    ) -> impl Iterator<Item = i64> + '_ {
        let unfinished = self.unfinished.get(&queue);
        let unfinished = unfinished
            .into_iter()
            .flat_map(move |all| all.range(range.clone()));
        unfinished.filter_map(move |id| self.event_of(*id))
    }
}
