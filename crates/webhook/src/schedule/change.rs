//! The changes of rows that the scheduler wants recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{CircuitState, DeliveryId, InARow, QueueId};
use crate::way::WayId;

/// Everything that has changed since changes were last taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// In the order in which they came about; a delivery may occur more than once.
    pub deliveries: Vec<DeliveryChange>,
    /// Likewise. To be recorded in the same transaction as the deliveries.
    pub queues: Vec<QueueChange>,
    /// What is counted of these queues now.
    pub in_a_row: BTreeMap<QueueId, InARow>,
    /// All of Discord is parked until then on these ways out. Give it to
    /// [`Scheduler::park_discord`](super::Scheduler::park_discord) after a restart.
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
    /// When it was judged; the time of sending, for [`Outcome::Sent`].
    pub at: Timestamp,
    /// Failed attempts so far. A request that succeeds is not counted.
    pub attempts: u32,
    /// None where there was no answer, or no request at all.
    pub status_code: Option<u16>,
    /// Shared by the deliveries of one message.
    pub body: Option<Arc<str>>,
    /// For a person; None when sent.
    pub error: Option<Arc<str>>,
}

impl DeliveryChange {
    /// Given up without a request, because it was too old.
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

/// The beginning of the error of an expired delivery.
pub(super) const EXPIRED: &str = "expired: ";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Sent,
    /// Failed for now.
    Retry {
        next_attempt_at: Timestamp,
    },
    /// Rate limited, which is no attempt.
    Waiting {
        next_attempt_at: Timestamp,
    },
    /// Failed for good.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueChange {
    /// Never to be called again by itself. Whatever else waits for the queue fails with this reason; the scheduler has
    /// forgotten about it.
    SwitchedOff {
        queue: QueueId,
        reason: Arc<str>,
        at: Timestamp,
    },
    CircuitOpened {
        queue: QueueId,
        state: CircuitState,
    },
    /// Tried again, and failed again.
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
