//! Requests that take long, and are set aside so that they hold up nobody.

use super::clock::Tick;
use super::concurrency::SLOW;
use super::in_flight::InFlight;
use super::{QueueId, Scheduler};

impl Scheduler {
    fn in_flight_of(&mut self, queue: QueueId) -> Option<&mut InFlight> {
        self.queues.get_mut(&queue)?.in_flight.as_mut()
    }

    /// Returns when the next request becomes slow.
    pub(super) fn next_slow(&self) -> Option<Tick> {
        let (_, queue) = self.in_flight.oldest_young()?;
        let in_flight = self.queues.get(&queue)?.in_flight?;
        Some(in_flight.left.after(SLOW))
    }

    /// Sets the requests aside that have become slow, as far as there is room, the oldest first.
    pub(super) fn set_slow_aside(&mut self) {
        while self.next_slow().is_some_and(|at| at <= self.clock.now())
            && let Some((request, queue)) = self.in_flight.oldest_young()
        {
            self.in_flight.slow_up_to = request;
            self.in_flight.in_the_way.insert(request, queue);
            let now = self.clock.now();
            if let Some(in_flight) = self.in_flight_of(queue) {
                in_flight.slow = true;
                let (way, pool) = (in_flight.way, in_flight.pool);
                if let Some(way) = way {
                    self.gates.arrive(way, pool, now);
                }
            }
        }
        let mut in_the_way = std::mem::take(&mut self.in_flight.in_the_way);
        in_the_way.retain(|_, queue| !self.set_aside(*queue));
        self.in_flight.in_the_way = in_the_way;
    }

    fn set_aside(&mut self, id: QueueId) -> bool {
        let Some(in_flight) = self.in_flight_of(id).copied() else {
            return true;
        };
        if !self.concurrency.set_aside(in_flight.standing) {
            return false;
        }
        self.give_rows_back(id);
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.in_flight = queue.in_flight.map(|in_flight| InFlight {
                aside: true,
                ..in_flight
            });
            self.prefetch.count(queue);
        }
        true
    }
}
