//! The handle by which a test uses one webhook.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::event::Event;
use super::hook::{Channel, Hook, Life};
use super::kind::Kind;
use super::lock::lock;
use super::pace::{Limits, Pace};
use super::script::Behaviour;
use super::shared::Shared;
use super::store::Received;
use super::verdict::Verdict;

/// How many requests a failed wait shows.
const SHOWN: usize = 40;

/// A webhook of the emulator.
#[derive(Clone, Debug)]
pub struct Webhook {
    hook: Arc<Hook>,
    shared: Arc<Shared>,
}

impl Webhook {
    pub(crate) fn new(hook: Arc<Hook>, shared: Arc<Shared>) -> Self {
        Webhook { hook, shared }
    }

    /// From 1, over all kinds, in the order of registration: [`Received::webhook`].
    pub fn number(&self) -> u32 {
        self.hook.number
    }

    /// `discord-1`: what the page and listings show.
    pub fn name(&self) -> String {
        self.hook.name()
    }

    pub fn kind(&self) -> Kind {
        self.hook.kind
    }

    /// The URL over plain HTTP, as the vendor would show it for copying: Discord's names no version of the API.
    pub fn url(&self) -> String {
        self.url_at(self.shared.http_base())
    }

    pub fn https_url(&self) -> String {
        self.url_at(self.shared.https_base())
    }

    /// The URL below another `base` (scheme, host and port, no slash at the end).
    pub fn url_at(&self, base: &str) -> String {
        format!("{base}{}", self.hook.address.target())
    }

    /// The requests that are kept, whatever became of them, in order.
    pub fn received(&self) -> Vec<Arc<Received>> {
        self.shared.store.of(self.hook.number)
    }

    /// What the accepted messages say, in order, as it was sent.
    pub fn events(&self) -> Vec<Event> {
        self.received()
            .iter()
            .filter(|received| received.accepted())
            .flat_map(|received| received.events())
            .collect()
    }

    /// What the accepted messages say, in order, as a person reads it.
    pub fn shown(&self) -> Vec<Event> {
        self.events()
            .iter()
            .map(|event| event.shown(self.kind()))
            .collect()
    }

    /// Requests so far, whatever became of them.
    pub fn requests(&self) -> u64 {
        self.hook.counts.requests.load(Ordering::SeqCst)
    }

    /// Accepted messages so far.
    pub fn accepted(&self) -> u64 {
        self.hook.counts.accepted.load(Ordering::SeqCst)
    }

    /// Events in the accepted messages so far.
    pub fn event_count(&self) -> u64 {
        self.hook.counts.events.load(Ordering::SeqCst)
    }

    /// Requests that are being answered now.
    pub fn in_flight(&self) -> usize {
        self.hook.counts.in_flight.load(Ordering::SeqCst)
    }

    /// The most that were ever being answered at once.
    pub fn max_in_flight(&self) -> usize {
        self.hook.counts.most_in_flight.load(Ordering::SeqCst)
    }

    /// Waits for that many requests, whatever became of them, and returns all that are kept.
    ///
    /// # Panics
    /// When `timeout` passes before.
    pub fn wait_for(&self, requests: u64, timeout: Duration) -> Vec<Arc<Received>> {
        self.wait(timeout, &format!("{requests} requests"), || {
            (self.requests() >= requests).then_some(())
        });
        self.received()
    }

    /// Waits until that many events have been accepted, in however many messages, and returns all that are kept.
    ///
    /// # Panics
    /// When `timeout` passes before.
    pub fn wait_for_events(&self, events: u64, timeout: Duration) -> Vec<Event> {
        self.wait(timeout, &format!("{events} events"), || {
            (self.event_count() >= events).then_some(())
        });
        self.events()
    }

    fn wait(&self, timeout: Duration, what: &str, enough: impl FnMut() -> Option<()>) {
        if self.shared.store.wait(Instant::now() + timeout, enough).is_none() {
            panic!(
                "{} has not got {what} after {timeout:?}\n{}",
                self.name(),
                dump(&self.shared.store.all())
            );
        }
    }

    /// Appends to the queue of behaviours: each request takes one.
    pub fn script(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        lock(&self.hook.script).push(behaviours);
    }

    /// Lets go of the answer to one request that met [`Behaviour::Held`], or to the next one that does.
    pub fn release(&self) {
        self.hook.released.notify_one();
    }

    /// What every request meets from now on while the queue is empty.
    pub fn always(&self, behaviour: Behaviour) {
        lock(&self.hook.script).always(behaviour);
    }

    /// Behaves again: forgets queue and `always`. What is under way stays as it is.
    pub fn recover(&self) {
        lock(&self.hook.script).clear();
    }

    /// How many behaviours are left in the queue.
    pub fn script_left(&self) -> usize {
        lock(&self.hook.script).left()
    }

    /// Other limits, with fresh windows; `Limits::default()` has none.
    pub fn limit(&self, limits: Limits) {
        *lock(&self.hook.pace) = Pace::new(limits);
    }

    /// Whether its channel is a forum, of Discord; else it is one of texts.
    pub fn forum(&self, is_forum: bool) {
        *lock(&self.hook.channel) = if is_forum { Channel::Forum } else { Channel::Text };
    }

    /// Removes it: 404 or 410 from now on. Requests that still come are recorded.
    pub fn remove(&self) {
        *lock(&self.hook.life) = Life::Removed;
    }

    /// Switches a Workflows flow off; the others know no such state and are as if removed.
    pub fn disable(&self) {
        *lock(&self.hook.life) = Life::Disabled;
    }

    /// Undoes [`Webhook::remove`] and [`Webhook::disable`].
    pub fn restore(&self) {
        *lock(&self.hook.life) = Life::Live;
    }

    /// Number, name, kind and both URLs, for another process.
    pub fn introduced(&self) -> Value {
        json!({
            "number": self.number(),
            "name": self.name(),
            "kind": self.kind(),
            "url": self.url(),
            "https_url": self.https_url(),
        })
    }

    pub(crate) fn is_live(&self) -> bool {
        self.hook.life() == Life::Live
    }
}

pub(crate) fn all(shared: &Arc<Shared>) -> Vec<Webhook> {
    shared
        .registry
        .all()
        .into_iter()
        .map(|hook| Webhook::new(hook, shared.clone()))
        .collect()
}

/// Forgets all requests and counts.
pub(crate) fn forget(shared: &Shared) {
    shared.store.clear();
    for hook in shared.registry.all() {
        hook.counts.reset();
    }
}

/// `discord-1`, or where a request without a webhook went.
pub(crate) fn whose(received: &Received) -> String {
    match (received.kind, received.webhook) {
        (Some(kind), Some(number)) => format!("{}-{number}", kind.name()),
        _ => format!("{} {}", received.method, received.path),
    }
}

/// One line for each of the last requests.
pub(crate) fn dump(received: &[Arc<Received>]) -> String {
    let skipped = received.len().saturating_sub(SHOWN);
    let mut lines = format!("{} requests", received.len());
    for received in &received[skipped..] {
        let titles: Vec<String> = received.events().into_iter().map(|event| event.title).collect();
        let status = received
            .answer
            .status
            .map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        // Writing to a String cannot fail.
        let _ = write!(
            lines,
            "\n  {:>4} {} {} -> {status}, {:?} {titles:?}",
            received.number,
            received.at,
            whose(received),
            received.verdict
        );
        for warning in &received.warnings {
            let _ = write!(lines, "\n       warning: {warning}");
        }
    }
    lines
}

pub(crate) fn complaints(received: &Received) -> Vec<String> {
    let from = format!("request {} to {}", received.number, whose(received));
    let refusal = match &received.verdict {
        Verdict::Refused(why) => Some(format!("{from}: refused: {why}")),
        Verdict::Unsaved => Some(format!("{from}: sent without wait=true")),
        Verdict::Accepted | Verdict::Repeated | Verdict::RateLimited | Verdict::Scripted(_) => None,
    };
    let warnings = received
        .warnings
        .iter()
        .map(|warning| format!("{from}: {warning}"));
    refusal.into_iter().chain(warnings).collect()
}
