//! The requests in flight.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use super::clock::Tick;
use super::concurrency::Standing;
use super::pool::Pool;
use super::{QueueId, RequestId};
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
    pub(super) slow_up_to: RequestId,
    /// The slow requests that are not set aside.
    pub(super) in_the_way: BTreeMap<RequestId, QueueId>,
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
    pub(super) fn oldest_young(&self) -> Option<(RequestId, QueueId)> {
        let young = self.out.range((Excluded(self.slow_up_to), Unbounded));
        young.map(|(request, queue)| (*request, *queue)).next()
    }
}
