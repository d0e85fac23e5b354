//! The webhooks that exist.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use fastrand::Rng;
use serde_json::Value;
use tokio::sync::Notify;

use super::counts::Counts;
use super::kind::Kind;
use super::lock::lock;
use super::pace::{Limits, Pace};
use super::script::Script;

/// Where a webhook is found, and its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Discord {
        id: String,
        token: String,
    },
    Connector {
        path: String,
    },
    Workflow {
        id: String,
        query: String,
    },
    /// Of the others: found by the path alone.
    Path {
        path: String,
        query: Option<String>,
    },
}

impl Address {
    /// Path and query as the vendor shows them to the user who copies the URL.
    pub(crate) fn target(&self) -> String {
        match self {
            Address::Discord { id, token } => format!("/api/webhooks/{id}/{token}"),
            Address::Connector { path } => path.clone(),
            Address::Workflow { id, query } => {
                format!("/workflows/{id}/triggers/manual/paths/invoke?{query}")
            }
            Address::Path { path, query: None } => path.clone(),
            Address::Path {
                path,
                query: Some(query),
            } => format!("{path}?{query}"),
        }
    }

    /// What the registry finds it by.
    fn key(&self) -> &str {
        match self {
            Address::Discord { id, .. } | Address::Workflow { id, .. } => id,
            Address::Connector { path } | Address::Path { path, .. } => path,
        }
    }
}

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

#[derive(Debug)]
pub(crate) struct Registry {
    hooks: RwLock<Hooks>,
    rng: Mutex<Rng>,
    rate_limits: bool,
}

#[derive(Debug, Default)]
struct Hooks {
    all: Vec<Arc<Hook>>,
    by_key: HashMap<String, Arc<Hook>>,
}

impl Registry {
    /// The same `seed` gives the same webhooks in the same order, so that an emulator that is started again knows
    /// the URLs of the one before.
    pub(crate) fn new(seed: Option<u64>, rate_limits: bool) -> Self {
        let rng = Mutex::new(seed.map_or_else(Rng::new, Rng::with_seed));
        Registry {
            hooks: RwLock::default(),
            rng,
            rate_limits,
        }
    }

    pub(crate) fn register(&self, kind: Kind) -> Arc<Hook> {
        let address = (kind.service().address)(&mut lock(&self.rng));
        let limits = if self.rate_limits {
            kind.limits()
        } else {
            Limits::default()
        };
        let mut hooks = self.hooks.write().unwrap_or_else(PoisonError::into_inner);
        let hook = Arc::new(Hook {
            number: u32::try_from(hooks.all.len()).unwrap_or(u32::MAX) + 1,
            kind,
            life: Mutex::new(Life::Live),
            channel: Mutex::new(Channel::Text),
            script: Mutex::default(),
            released: Notify::new(),
            pace: Mutex::new(Pace::new(limits)),
            counts: Counts::default(),
            taken: Mutex::default(),
            address,
        });
        hooks.by_key.insert(hook.address.key().to_owned(), hook.clone());
        hooks.all.push(hook.clone());
        hook
    }

    /// By Discord's or the workflow's id, or the connector's path.
    pub(crate) fn find(&self, key: &str) -> Option<Arc<Hook>> {
        self.hooks
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .by_key
            .get(key)
            .cloned()
    }

    pub(crate) fn by_number(&self, number: u32) -> Option<Arc<Hook>> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.hooks
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .all
            .get(index)
            .cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Hook>> {
        self.hooks
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .all
            .clone()
    }
}

pub(crate) const CAPITALS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
pub(crate) const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

pub(crate) fn letters(rng: &mut Rng, count: usize, alphabet: &[u8]) -> String {
    (0..count)
        .map(|_| char::from(alphabet[rng.usize(..alphabet.len())]))
        .collect()
}

pub(crate) fn hex(rng: &mut Rng, count: usize) -> String {
    letters(rng, count, b"0123456789abcdef")
}

pub(crate) fn guid(rng: &mut Rng) -> String {
    [8, 4, 4, 4, 12].map(|count| hex(rng, count)).join("-")
}
