//! What the scheduler is given, and the requests that it returns.

use jiff::Timestamp;

use crate::event::Event;
use crate::ids::{DeliveryId, QueueId, RequestId};
use crate::nats::Publication;
use crate::traceparent::Traceparent;
use crate::way::WayId;

/// A delivery that is not finished: a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    /// The event's id. A delivery that failed and is sent again is an event of its own.
    pub event_id: i64,
    pub event: Event,
    /// The failed attempts so far.
    pub attempts: u32,
    pub created_at: Timestamp,
    pub next_attempt_at: Option<Timestamp>,
}

impl Delivery {
    /// Returns the delivery's own span, if its event was written within a trace.
    pub fn traceparent(&self) -> Option<Traceparent> {
        let parent = self.event.traceparent?;
        Some(parent.of_delivery(self.id, self.event.occurred_at))
    }
}

/// Asks for a queue's first `limit` unfinished deliveries, in order of id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub queue: QueueId,
    /// The most deliveries, at least 1.
    pub limit: usize,
    /// The number of deliveries, the last ones, whose events' data are asked for. None: all.
    pub shown: Option<usize>,
}

/// A message that may leave now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub id: RequestId,
    pub queue: QueueId,
    /// The way out.
    pub way: WayId,
    pub body: Vec<u8>,
    /// The id for receivers that take a message once: see [`Composed`].
    pub message_id: Option<Box<str>>,
    /// The name in a stream: see [`Composed`].
    pub publication: Option<Publication>,
    /// The span: see [`Composed`].
    pub traceparent: Option<Traceparent>,
    /// The deliveries that the message holds, in its order. Never empty.
    pub deliveries: Vec<DeliveryId>,
}

/// Makes messages.
pub trait Compose {
    /// Makes one message of the first of `deliveries` (never empty, at most the queue's `max_events_per_message`), as many as the format
    /// has room for; for a queue with a digest, of all of them.
    fn compose(&mut self, queue: QueueId, deliveries: &[Delivery]) -> Composed;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composed {
    pub body: Vec<u8>,
    /// The message's id, which is the same for each attempt to send the same, for receivers that take an id once.
    pub message_id: Option<Box<str>>,
    /// The subject and id in a stream.
    pub publication: Option<Publication>,
    /// The delivery's own span, for a receiver that continues the trace.
    pub traceparent: Option<Traceparent>,
    /// How many of the deliveries the message holds, at least 1.
    pub taken: usize,
}
