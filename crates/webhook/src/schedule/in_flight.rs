//! The requests in flight.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use super::clock::Tick;
use super::concurrency::{SLOW, Standing};
use super::pool::Pool;
use super::{QueueId, RequestId, Scheduler};
use crate::way::WayId;

/// The request of a queue that is in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct InFlight {
    pub(super) taken: usize,
    pub(super) left: Tick,
    /// None: to a stream, which knows no ways out.
    pub(super) way: Option<WayId>,
    /// The queue's pool when the request left.
    pub(super) pool: Pool,
    pub(super) standing: Standing,
    pub(super) revision: u64,
    /// Whether it has taken so long that it has certainly arrived.
    pub(super) slow: bool,
    /// Whether it is set aside: it takes no young connection, and its rows do not count.
    pub(super) aside: bool,
}

#[derive(Debug, Default)]
pub(super) struct InFlightRequests {
    made: u64,
    /// The requests in the order in which they left.
    out: BTreeMap<RequestId, QueueId>,
    /// The last request, in that order, that is slow. All before it are too.
    slow_up_to: RequestId,
    /// The slow requests that are not set aside.
    in_the_way: BTreeMap<RequestId, QueueId>,
}

impl InFlightRequests {
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    pub(super) fn leave(&mut self, queue: QueueId) -> RequestId {
        self.made += 1;
        let request = RequestId(self.made);
        self.out.insert(request, queue);
        request
    }

    pub(super) fn return_of(&mut self, request: RequestId) -> Option<QueueId> {
        self.in_the_way.remove(&request);
        self.out.remove(&request)
    }

    /// Returns the young request that has been in flight for the longest time.
    fn oldest_young(&self) -> Option<(RequestId, QueueId)> {
        let young = self.out.range((Excluded(self.slow_up_to), Unbounded));
        young.map(|(request, queue)| (*request, *queue)).next()
    }
}

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
