//! The changes of rows that the scheduler wants recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{CircuitState, DeliveryId, InARow, QueueId};
use crate::way::WayId;

/// Everything that has changed since changes were last taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The changes of deliveries, in the order in which they were made. A delivery may occur more than once.
    pub deliveries: Vec<DeliveryChange>,
    /// The changes of queues, in the order in which they were made. They have to be recorded in the same transaction as the deliveries.
    pub queues: Vec<QueueChange>,
    /// The counts of these queues that have changed.
    pub in_a_row: BTreeMap<QueueId, InARow>,
    /// The ways out on which all Discord queues are parked, and until when. After a restart, each goes to
    /// [`Scheduler::park_discord`](super::Scheduler::park_discord).
    pub discord_parked: BTreeMap<WayId, Timestamp>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
            && self.queues.is_empty()
            && self.in_a_row.is_empty()
            && self.discord_parked.is_empty()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryChange {
    pub id: DeliveryId,
    pub queue: QueueId,
    pub outcome: Outcome,
    /// When the answer was judged. For [`Outcome::Sent`] it is the time of sending.
    pub at: Timestamp,
    /// The failed attempts so far. A request that succeeds is not counted.
    pub attempts: u32,
    /// The answer's status. None: there was no answer, or no request.
    pub status_code: Option<u16>,
    /// The answer's body, shared by the deliveries of one message.
    pub body: Option<Arc<str>>,
    /// The error, for people. None: it was sent.
    pub error: Option<Arc<str>>,
}

impl DeliveryChange {
    /// Returns whether the delivery failed without a request because it was too old.
    pub fn expired(&self) -> bool {
        self.outcome == Outcome::Failed
            && self
                .error
                .as_deref()
                .is_some_and(|error| error.starts_with(EXPIRED))
    }

    /// Returns whether this is the delivery's last change.
    pub fn is_final(&self) -> bool {
        matches!(self.outcome, Outcome::Sent | Outcome::Failed)
    }

    /// Returns whether a request failed or met a rate limit.
    pub fn is_miss(&self) -> bool {
        self.outcome != Outcome::Sent && !self.expired()
    }
}

/// The prefix of the error of an expired delivery.
pub(super) const EXPIRED: &str = "expired: ";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Sent,
    /// It failed for now.
    Retry {
        next_attempt_at: Timestamp,
    },
    /// It was rate limited, which is no attempt.
    Waiting {
        next_attempt_at: Timestamp,
    },
    /// It failed for good.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueChange {
    /// The webhook is switched off, and not called again until a person changes something. What else waits for the queue is to be failed
    /// with this reason; the scheduler has forgotten it.
    SwitchedOff {
        queue: QueueId,
        reason: Arc<str>,
        at: Timestamp,
    },
    CircuitOpened {
        queue: QueueId,
        state: CircuitState,
    },
    /// It was tried again, and failed again.
    CircuitMoved {
        queue: QueueId,
        state: CircuitState,
    },
    CircuitClosed {
        queue: QueueId,
    },
}

impl QueueChange {
    /// Returns the queue that has changed.
    pub fn queue(&self) -> QueueId {
        match self {
            QueueChange::SwitchedOff { queue, .. }
            | QueueChange::CircuitOpened { queue, .. }
            | QueueChange::CircuitMoved { queue, .. }
            | QueueChange::CircuitClosed { queue } => *queue,
        }
    }
}
