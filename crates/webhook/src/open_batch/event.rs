//! An event that is routed and not written down, and its deliveries.

use std::time::Instant;

use crate::delivery_columns::next_attempt;
use crate::event::Event;
use crate::schedule::{Delivery, DeliveryChange, DeliveryId, QueueId};

/// An event and its deliveries.
#[derive(Clone, Debug)]
pub struct OpenEvent {
    pub id: i64,
    pub event: Event,
    /// What the worker found out about it, as JSON; None: nothing.
    pub detail: Option<String>,
    /// Those that are not written down.
    pub deliveries: Vec<OpenDelivery>,
    /// Some of it is written down, or was tried.
    pub split: bool,
    /// There is nothing to write of it before what was refused is tried again.
    pub(super) parked: bool,
    pub(super) routed_at: Instant,
    /// When the first outcome came.
    pub(super) answered_at: Option<Instant>,
    pub(super) unfinished: usize,
}

impl OpenEvent {
    /// `deliveries`: in order of their ids.
    pub(super) fn new(
        id: i64,
        event: Event,
        detail: Option<String>,
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

    /// Ids are drawn in order.
    pub(super) fn place(&self, delivery: DeliveryId) -> Option<usize> {
        self.deliveries
            .binary_search_by_key(&delivery, |known| known.id)
            .ok()
    }
}

#[derive(Clone, Debug)]
pub struct OpenDelivery {
    pub id: DeliveryId,
    pub queue: QueueId,
    /// The last that became of it; None: it has not been tried.
    pub last: Option<DeliveryChange>,
    /// The requests for it that came to nothing, in order.
    pub misses: Vec<DeliveryChange>,
    /// It is not to be written now: see [`super::OpenBatch::take`].
    pub held: bool,
}

impl OpenDelivery {
    pub fn is_finished(&self) -> bool {
        self.last.as_ref().is_some_and(DeliveryChange::is_final)
    }

    /// As the scheduler wants it.
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
