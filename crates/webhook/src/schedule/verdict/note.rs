//! Recording a verdict as changes of the queue and of its deliveries.

use std::sync::Arc;

use super::Ruling;
use crate::schedule::endpoint_queue::Life;
use crate::schedule::{CircuitState, Delivery, DeliveryChange, Outcome, QueueChange};

impl Ruling<'_> {
    pub(super) fn switch_off(&mut self, reason: Arc<str>) {
        self.announce(QueueChange::SwitchedOff {
            queue: self.queue.config.id,
            reason,
            at: self.wall,
        });
        if self.queue.life == Life::Active {
            self.queue.life = Life::Off;
        }
    }

    pub(super) fn announce_circuit(&mut self, was_open: bool, circuit: Option<CircuitState>) {
        let Some(state) = circuit else { return };
        let queue = self.queue.config.id;
        self.announce(match was_open {
            false => QueueChange::CircuitOpened { queue, state },
            true => QueueChange::CircuitMoved { queue, state },
        });
    }

    /// Records the change. A queue that has been deactivated keeps the state in which a person has left it.
    pub(super) fn announce(&mut self, change: QueueChange) {
        if self.queue.life == Life::Active {
            self.changes.queues.push(change);
        }
    }

    pub(super) fn fail_all(&mut self) {
        for delivery in self.queue.rows.drain(..self.taken).collect::<Vec<_>>() {
            self.fail(delivery);
        }
    }

    pub(super) fn fail(&mut self, mut delivery: Delivery) {
        delivery.attempts = delivery.attempts.saturating_add(1);
        self.failed(&delivery);
    }

    pub(super) fn note(&mut self, index: usize, outcome: Outcome) {
        if let Some(delivery) = self.queue.rows.get(index) {
            self.changes.deliveries.push(self.change(delivery, outcome));
        }
    }

    pub(super) fn failed(&mut self, delivery: &Delivery) {
        self.tally
            .failed(self.queue.config.id, &delivery.event.event_type);
        let change = self.change(delivery, Outcome::Failed);
        self.changes.deliveries.push(change);
    }

    pub(super) fn change(&self, delivery: &Delivery, outcome: Outcome) -> DeliveryChange {
        DeliveryChange {
            id: delivery.id,
            queue: self.queue.config.id,
            outcome,
            at: self.wall,
            attempts: delivery.attempts,
            status_code: self.judgement.status_code,
            body: self.body.clone(),
            error: self.error.clone(),
        }
    }
}
