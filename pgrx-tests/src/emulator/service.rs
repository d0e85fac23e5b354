//! What a service is like: where its webhooks are found, what it answers, how its messages are read.

use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;

use super::address::Address;
use super::event::{Event, Outline};
use super::hook::Hook;
use super::markup::Span;
use super::pace::{Limits, RateLimit};
use super::reply::{Call, Judged, Reply};

/// What a service is like.
pub(crate) struct Service {
    pub(crate) announced: Option<RateLimit>,
    /// Where a new webhook is found.
    pub(crate) address: fn(&mut Rng) -> Address,
    /// Of one that is found by its path alone.
    pub(crate) by_path: Option<ByPath>,
    /// Its answer to who is too fast.
    pub(crate) rate_limited: fn(Duration) -> Reply,
    /// Its body with a status.
    pub(crate) plain: fn(u16) -> Reply,
    /// Its answer to a good message, without its content.
    pub(crate) success: fn() -> Reply,
    pub(crate) events: fn(&Value) -> Vec<Event>,
    /// How many events there are.
    pub(crate) count: fn(&Outline<'_>) -> usize,
    /// Its markup, as a reader sees it.
    pub(crate) spans: fn(&str) -> Vec<Span>,
    /// Whether its readers see what a footer has for markup.
    pub(crate) plain_footer: bool,
}

impl Service {
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            announced: self.announced,
            unannounced: None,
        }
    }

    /// How many events a body holds, without building any of it: the receiver of benchmarks has no time for that.
    pub(crate) fn event_count(&self, body: &[u8]) -> usize {
        serde_json::from_slice::<Outline<'_>>(body).map_or(0, |outline| (self.count)(&outline))
    }
}

/// Which paths are its, and what it does with a request.
pub(crate) struct ByPath {
    pub(crate) owns: fn(&str) -> bool,
    /// The path of the webhook, where the body says which of all that post to the same one it is.
    pub(crate) key: Option<fn(&Value) -> Option<String>>,
    /// What of the path is no secret.
    pub(crate) shown: fn(&str) -> String,
    pub(crate) judge: fn(Call<'_>, Option<&Hook>) -> Judged,
}

impl ByPath {
    /// All of it is secret but for its first part.
    pub(crate) fn first_part(path: &str) -> String {
        format!("/{}/…", path.split('/').nth(1).unwrap_or_default())
    }
}
