//! An event that is routed and not yet written, and its deliveries.

use std::sync::Arc;
use std::time::Instant;

use crate::delivery_columns::next_attempt;
use crate::event::Event;
use crate::schedule::{Delivery, DeliveryChange, DeliveryId, QueueId};

/// An event and its deliveries.
#[derive(Clone, Debug)]
pub struct OpenEvent {
    pub id: i64,
    pub event: Event,
    /// The detail, as JSON. None: nothing was looked up.
    pub detail: Option<Arc<str>>,
    /// The deliveries that are not written.
    pub deliveries: Vec<OpenDelivery>,
    /// Whether some of its deliveries were written, or a write of them was tried.
    pub split: bool,
    /// Whether all its deliveries are held, so that there is nothing to write until refused deliveries are tried again.
    pub(super) parked: bool,
    pub(super) routed_at: Instant,
    /// The time of the first outcome.
    pub(super) answered_at: Option<Instant>,
    /// The number of unfinished deliveries.
    pub(super) unfinished: usize,
}

impl OpenEvent {
    /// Returns an event with these deliveries, which must be in order of their ids.
    pub(super) fn new(
        id: i64,
        event: Event,
        detail: Option<Arc<str>>,
        deliveries: impl IntoIterator<Item = (DeliveryId, QueueId)>,
        routed_at: Instant,
    ) -> Self {
        let deliveries = deliveries.into_iter().map(|(id, queue)| OpenDelivery {
            id,
            queue,
            last: None,
            misses: Vec::new(),
            held: false,
        });
        let deliveries: Vec<OpenDelivery> = deliveries.collect();
        Self {
            id,
            event,
            detail,
            unfinished: deliveries.len(),
            deliveries,
            split: false,
            parked: false,
            routed_at,
            answered_at: None,
        }
    }

    /// Returns the index of a delivery.
    pub(super) fn place(&self, delivery: DeliveryId) -> Option<usize> {
        self.deliveries
            .binary_search_by_key(&delivery, |known| known.id)
            .ok()
    }
}

/// A delivery of an open event.
#[derive(Clone, Debug)]
pub struct OpenDelivery {
    pub id: DeliveryId,
    pub queue: QueueId,
    /// The last outcome. None: it has not been tried.
    pub last: Option<DeliveryChange>,
    /// The failed requests for it, in order.
    pub misses: Vec<DeliveryChange>,
    /// Whether it must not be written now: see [`super::OpenBatch::take`].
    pub held: bool,
}

impl OpenDelivery {
    pub fn is_finished(&self) -> bool {
        self.last.as_ref().is_some_and(DeliveryChange::is_final)
    }

    /// Returns the delivery as the scheduler needs it.
    pub(super) fn row(&self, event_id: i64, event: &Event) -> Delivery {
        Delivery {
            id: self.id,
            event_id,
            event: event.clone(),
            attempts: self.last.as_ref().map_or(0, |change| change.attempts),
            created_at: event.occurred_at,
            next_attempt_at: self.last.as_ref().and_then(|change| next_attempt(change.outcome)),
        }
    }
}
