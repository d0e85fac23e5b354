//! Offers queues to senders on other machines, and notifies these.

use std::collections::BTreeSet;

use webhook::schedule::QueueId;

use super::state::Worker;

impl Worker {
    /// Offers the queues of which nothing is in flight here and nothing in memory any more.
    pub fn offer_what_is_quiet(&mut self) {
        if self.back_off.is_waiting() || !self.senders.are_unsettled() {
            return;
        }
        let busy: BTreeSet<QueueId> = self.in_flight.values().map(|(queue, ..)| *queue).collect();
        let is_quiet = |queue: &QueueId| {
            !busy.contains(queue)
                && !self.unrecorded.queues.contains(queue)
                && self.batch.waiting(*queue) == 0
                && !self.batch.refuses(*queue)
        };
        match self
            .senders
            .offer_quiet(is_quiet, &mut self.drained, &mut self.claim_cursors)
        {
            // Queues that have come back are the worker's to send for.
            Ok(came_back) => self.postponed.configuration |= came_back,
            Err(error) => self.failed("offering queues to senders", error),
        }
    }

    /// Notifies senders, if there is something new.
    pub fn tell_senders(&mut self) {
        if let Err(error) = self.senders.tell(!self.back_off.is_waiting()) {
            self.failed("telling senders", error);
        }
    }
}
