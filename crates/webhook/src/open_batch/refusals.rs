//! What the database has refused of an open batch, and what waits for it.

use super::OpenBatch;
use super::event::OpenDelivery;
use crate::ids::{DeliveryId, QueueId};

impl OpenBatch {
    /// Forgets all refusals, after everything was tried again.
    pub fn forgive(&mut self) {
        self.refused.clear();
    }

    /// Returns whether the delivery has to wait for a refused one.
    pub(super) fn is_held(&self, delivery: &OpenDelivery) -> bool {
        self.refused
            .holds(delivery, |id| self.known.is_unfinished(delivery.queue, *id))
    }

    /// Notes that the database has refused a delivery, before its event is put back.
    pub fn refuse(&mut self, queue: QueueId, delivery: DeliveryId) {
        self.refused.add(queue, delivery);
    }

    /// Notes that the database refuses every delivery of a queue.
    pub fn refuse_queue(&mut self, queue: QueueId) {
        self.refused.add_queue(queue);
    }

    /// Returns whether the database has refused anything.
    pub fn has_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// Returns whether the database refuses every delivery of a queue.
    pub fn refuses(&self, queue: QueueId) -> bool {
        self.refused.has_queue(queue)
    }

    /// Returns the queues of which the database refuses every delivery.
    pub fn refused_queues(&self) -> Vec<QueueId> {
        self.refused.queues().collect()
    }
}
