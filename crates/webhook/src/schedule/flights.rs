//! Requests that are out.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use super::clock::Tick;
use super::lane::Flight;
use super::slots::SLOW;
use super::{LaneId, RequestId, Scheduler};

#[derive(Debug, Default)]
pub(super) struct Flights {
    made: u64,
    /// In the order in which they left.
    out: BTreeMap<RequestId, LaneId>,
    /// This one and all before it are slow.
    slow_up_to: RequestId,
    /// The slow ones that are not set aside.
    in_the_way: BTreeMap<RequestId, LaneId>,
}

impl Flights {
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    pub(super) fn leave(&mut self, lane: LaneId) -> RequestId {
        self.made += 1;
        let request = RequestId(self.made);
        self.out.insert(request, lane);
        request
    }

    pub(super) fn return_of(&mut self, request: RequestId) -> Option<LaneId> {
        self.in_the_way.remove(&request);
        self.out.remove(&request)
    }

    /// Of those that are young, the one that is out for the longest time.
    fn oldest_young(&self) -> Option<(RequestId, LaneId)> {
        let young = self.out.range((Excluded(self.slow_up_to), Unbounded));
        young.map(|(request, lane)| (*request, *lane)).next()
    }
}

impl Scheduler {
    fn flight(&mut self, lane: LaneId) -> Option<&mut Flight> {
        self.lanes.get_mut(&lane)?.flight.as_mut()
    }

    /// When the next request becomes slow.
    pub(super) fn next_slow(&self) -> Option<Tick> {
        let (_, lane) = self.flights.oldest_young()?;
        let flight = self.lanes.get(&lane)?.flight?;
        Some(flight.left.after(SLOW))
    }

    /// Sets aside the requests that have become slow, as far as there is room; those first that were longest out.
    pub(super) fn set_slow_aside(&mut self) {
        while self.next_slow().is_some_and(|at| at <= self.clock.now())
            && let Some((request, lane)) = self.flights.oldest_young()
        {
            self.flights.slow_up_to = request;
            self.flights.in_the_way.insert(request, lane);
            let now = self.clock.now();
            if let Some(flight) = self.flight(lane) {
                flight.slow = true;
                let pool = flight.pool;
                self.gates.arrive(pool, now);
            }
        }
        let mut in_the_way = std::mem::take(&mut self.flights.in_the_way);
        in_the_way.retain(|_, lane| !self.set_aside(*lane));
        self.flights.in_the_way = in_the_way;
    }

    fn set_aside(&mut self, id: LaneId) -> bool {
        let Some(flight) = self.flight(id).copied() else {
            return true;
        };
        if !self.slots.set_aside(flight.standing) {
            return false;
        }
        self.give_rows_back(id);
        self.stock.release(flight.taken);
        if let Some(flight) = self.flight(id) {
            flight.aside = true;
        }
        true
    }
}
