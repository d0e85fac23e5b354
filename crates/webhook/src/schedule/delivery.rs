//! What goes in and what leaves.

use jiff::Timestamp;

use crate::event::Event;
use crate::nats::Publication;
use crate::traceparent::Traceparent;
use crate::way::WayId;

/// The webhook's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub i64);

/// The log row's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub i64);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// An unfinished row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    /// The event's id. What was given up and is sent again is an event of its own.
    pub event_id: i64,
    pub event: Event,
    /// Failed attempts so far.
    pub attempts: u32,
    pub created_at: Timestamp,
    pub next_attempt_at: Option<Timestamp>,
}

impl Delivery {
    /// Its own span, if its event was written within a trace.
    pub fn traceparent(&self) -> Option<Traceparent> {
        let parent = self.event.traceparent?;
        Some(parent.of_delivery(self.id, self.event.occurred_at))
    }
}

/// A queue's rows are wanted: its first `limit` unfinished ones in order of id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub queue: QueueId,
    /// At least 1.
    pub limit: usize,
    /// Of no more than so many of them, the last ones, the data of their events are asked for; None: of all.
    pub shown: Option<usize>,
}

/// A message that may leave now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub id: RequestId,
    pub queue: QueueId,
    /// By which way it is to leave.
    pub way: WayId,
    pub body: Vec<u8>,
    /// See [`Composed`].
    pub message_id: Option<Box<str>>,
    /// The same.
    pub publication: Option<Publication>,
    /// The same.
    pub traceparent: Option<Traceparent>,
    /// What the message holds, in its order; never empty.
    pub deliveries: Vec<DeliveryId>,
}

/// Makes messages.
pub trait Compose {
    /// Makes one message of the first of `deliveries` (never empty; no more than the queue's
    /// `max_events_per_message`), as many as the format has room for; of a queue with a digest, of all of them.
    fn compose(&mut self, queue: QueueId, deliveries: &[Delivery]) -> Composed;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composed {
    pub body: Vec<u8>,
    /// The same for each attempt to tell the same, for receivers that take it once.
    pub message_id: Option<Box<str>>,
    /// What it is called in a stream.
    pub publication: Option<Publication>,
    /// The delivery's own span, for a receiver that goes on with the trace.
    pub traceparent: Option<Traceparent>,
    /// How many of the deliveries the message holds, at least 1.
    pub taken: usize,
}
