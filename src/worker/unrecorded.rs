//! Outcomes that the database has refused, until they are tried again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use webhook::schedule::{DeliveryChange, InARow, QueueChange, QueueId};

/// What the database has refused.
#[derive(Default)]
pub struct Unrecorded {
    pub deliveries: Vec<DeliveryChange>,
    /// The queues of the deliveries. They are not read meanwhile: what is in them would be sent again.
    pub queues: HashSet<QueueId>,
    /// The last state of each webhook.
    pub states: HashMap<QueueId, State>,
    /// The last counts of each webhook, with the time when it was activated.
    pub in_a_row: BTreeMap<QueueId, (Timestamp, InARow)>,
}

impl Unrecorded {
    pub fn is_empty(&self) -> bool {
        self.deliveries.is_empty() && self.states.is_empty() && self.in_a_row.is_empty()
    }
}

/// A new state of a webhook, with the time when it was activated as the requests knew it, and the last failure.
pub struct State {
    pub change: QueueChange,
    pub since: Timestamp,
    pub error: Option<Arc<str>>,
}
