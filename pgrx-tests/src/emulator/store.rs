//! What arrived, in order.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::counts::Counts;
use super::discord;
use super::event::Event;
use super::kind::Kind;
use super::lock::lock;
use super::services::service;
use super::verdict::{Given, Verdict};

/// How often who waits looks, where nobody rings.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// How much is kept of what arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Everything.
    #[default]
    All,
    /// The last so many requests, over all webhooks.
    Last(usize),
    /// Counts only. Bodies are not judged, every message is taken: the receiver of benchmarks.
    Count,
}

/// A request, and how it was answered.
#[derive(Clone, Debug, Serialize)]
pub struct Received {
    /// Its place among all requests, from 1, in the order in which they had been read.
    pub number: u64,
    /// The number of the webhook; none when there is no such webhook.
    pub webhook: Option<u32>,
    /// None for a path that is no webhook's.
    pub kind: Option<Kind>,
    /// When its head had been read.
    pub at: Timestamp,
    /// The address that it came from.
    pub from: IpAddr,
    pub method: String,
    /// Path and query, the secret parts replaced by `…`.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Null when it is not JSON.
    pub body: Value,
    /// The body as it came, for who checks its signature or compares bytes; of messages nothing where not everything is kept.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub raw: String,
    /// Bytes of the body.
    pub size: usize,
    pub answer: Given,
    pub verdict: Verdict,
    /// What the vendor would let pass but a test should not.
    pub warnings: Vec<String>,
}

impl Received {
    pub fn accepted(&self) -> bool {
        self.verdict == Verdict::Accepted
    }

    /// The value of the header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whom readers see as the sender: in Discord the webhook's own name, if the message has none; in Teams the app that posts.
    pub fn sender(&self) -> &str {
        match self.kind {
            Some(Kind::Discord) => discord::message::sender(&self.body),
            Some(Kind::Connector) => "Incoming Webhook",
            Some(Kind::Signed) => "zentry_notify",
            _ => "Workflows",
        }
    }

    /// What the message says, one entry for each embed, section or container.
    pub fn events(&self) -> Vec<Event> {
        self.kind
            .map(|kind| (service(kind).events)(&self.body))
            .unwrap_or_default()
    }
}

/// The log, and the condition on which tests wait.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) keep: Keep,
    log: Mutex<VecDeque<Arc<Received>>>,
    numbers: AtomicU64,
    changed: Signal,
    /// Over all webhooks.
    pub(crate) counts: Counts,
}

impl Store {
    pub(crate) fn new(keep: Keep) -> Self {
        Store {
            keep,
            log: Mutex::default(),
            numbers: AtomicU64::new(0),
            changed: Signal::default(),
            counts: Counts::default(),
        }
    }

    /// Appends; numbers are given under the lock, so that they rise along the log.
    pub(crate) fn add(&self, mut received: Received) {
        let mut log = lock(&self.log);
        received.number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        if let Keep::Last(most) = self.keep {
            while log.len() >= most.max(1) {
                log.pop_front();
            }
        }
        log.push_back(Arc::new(received));
    }

    pub(crate) fn all(&self) -> Vec<Arc<Received>> {
        lock(&self.log).iter().cloned().collect()
    }

    pub(crate) fn of(&self, webhook: u32) -> Vec<Arc<Received>> {
        lock(&self.log)
            .iter()
            .filter(|received| received.webhook == Some(webhook))
            .cloned()
            .collect()
    }

    pub(crate) fn clear(&self) {
        lock(&self.log).clear();
        self.counts.reset();
    }

    /// To be called after every change that somebody may wait for.
    pub(crate) fn ring(&self) {
        // A benchmark's waiter that is woken by each request would cost as much as the receiver: it looks by itself.
        if self.keep != Keep::Count {
            self.changed.ring();
        }
    }

    /// Waits until `look` gives something or `deadline` is there.
    pub(crate) fn wait<T>(&self, deadline: Instant, look: impl FnMut() -> Option<T>) -> Option<T> {
        let at_least = if self.keep == Keep::Count {
            LOOK_EVERY
        } else {
            Duration::MAX
        };
        self.changed.wait(deadline, at_least, look)
    }
}

/// A condition variable that costs one atomic load to ring while nobody waits.
#[derive(Debug, Default)]
struct Signal {
    waiting: AtomicUsize,
    mutex: Mutex<()>,
    condvar: Condvar,
}

impl Signal {
    fn ring(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            // Taken so that the bell cannot fall between a waiter's look and its sleep.
            drop(lock(&self.mutex));
            self.condvar.notify_all();
        }
    }

    /// Looks after each ring, and at least that often.
    fn wait<T>(
        &self,
        deadline: Instant,
        at_least: Duration,
        mut look: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut guard = lock(&self.mutex);
        let found = loop {
            if let Some(found) = look() {
                break Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break None;
            }
            guard = self
                .condvar
                .wait_timeout(guard, left.min(at_least))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        };
        drop(guard);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        found
    }
}
