//! A webhook that exists, and what becomes of it.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::Notify;

use super::address::Address;
use super::counts::Counts;
use super::kind::Kind;
use super::lock::lock;
use super::pace::Pace;
use super::script::Script;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Live,
    /// Exists but is switched off: a Workflows flow that its owner has stopped.
    Disabled,
    Removed,
}

/// What Discord's webhook posts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Text,
    /// Takes posts: a message needs a name for a new one, or the thread of one.
    Forum,
}

/// A registered webhook.
#[derive(Debug)]
pub(crate) struct Hook {
    /// From 1, in the order of registration.
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) address: Address,
    pub(crate) life: Mutex<Life>,
    pub(crate) channel: Mutex<Channel>,
    pub(crate) script: Mutex<Script>,
    /// Ends the wait of one answer that is held.
    pub(crate) released: Notify,
    pub(crate) pace: Mutex<Pace>,
    pub(crate) counts: Counts,
    /// Messages that were taken, by the names that their senders gave them.
    pub(crate) taken: Mutex<HashMap<String, Value>>,
}

impl Hook {
    /// What people and listings call it: `discord-1`.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.kind.name(), self.number)
    }

    pub(crate) fn life(&self) -> Life {
        *lock(&self.life)
    }
}

/// Counts a request as in flight for as long as it lives.
#[derive(Debug)]
pub(crate) struct Flight(Arc<Hook>);

impl Flight {
    pub(crate) fn of(hook: Arc<Hook>) -> Self {
        let now = hook.counts.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        hook.counts.most_in_flight.fetch_max(now, Ordering::SeqCst);
        Flight(hook)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.counts.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}
