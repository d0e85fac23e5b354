//! The webhooks that exist.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use fastrand::Rng;
use tokio::sync::Notify;

use super::counts::Counts;
use super::hook::{Channel, Hook, Life};
use super::kind::Kind;
use super::lock::lock;
use super::pace::{Limits, Pace};
use super::services::service;

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
        let service = service(kind);
        let address = (service.address)(&mut lock(&self.rng));
        let limits = if self.rate_limits {
            service.limits()
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
