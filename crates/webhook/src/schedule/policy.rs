//! The settings of the scheduler.

use std::time::Duration;

use jiff::Timestamp;

use super::QueueId;
use crate::digest::Digest;
use crate::endpoint::Vendor;
use crate::kinds::{EndpointKind, WebhookType};
use crate::quiet_hours::QuietHours;
use crate::rate::Rate;

/// The settings that hold for all queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How often a message has to fail by itself, with an answer of the endpoint, before it is found out whether the message makes the
    /// endpoint fail; if so, it fails for good. Failures that say nothing of the message are tried again until it expires. 0 counts as 1.
    pub max_attempts: u32,
    /// The age at which deliveries expire: they fail without a request when their turn comes, behind an open circuit when the queue is
    /// tried next.
    pub max_age: Duration,
    /// The most requests per second to Discord's own hosts, over all queues, by each way out. 0: no cap.
    pub discord_per_second: u32,
    /// The most answers of 401, 403 and 429 from there in ten minutes, by each way out: for 10,000 of them Discord bans an address. 0: no
    /// cap.
    pub discord_refusals: u32,
    /// The rate of requests to each webhook on Microsoft's own hosts, or to those of a group together.
    pub teams_rate: Rate,
    /// The most requests in flight, over all queues; 0 counts as 1. Those that have been in flight for longer than half a second do not
    /// count...
    pub max_in_flight: usize,
    /// ...unless there are more of them than this.
    pub max_slow: usize,
    /// The most deliveries in memory, over all queues; 0 counts as 1. Below `8 * max_in_flight`, queues wait for each other. Those in slow
    /// requests come on top: `max_slow` messages. So does a digest, which is read as a whole if there is any room; only few of its events'
    /// data are read, and sixteen of its deliveries count as one.
    pub max_buffered: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            max_attempts: 8,
            max_age: Duration::from_secs(24 * 3600),
            discord_per_second: 50,
            discord_refusals: 9_000,
            teams_rate: Rate {
                count: 25,
                period: Duration::from_secs(300),
            },
            max_in_flight: 256,
            max_slow: 5_120,
            max_buffered: 10_000,
        }
    }
}

impl Policy {
    /// Returns the rate at which a vendor's servers accept requests; `None`: no limit is known.
    pub fn rate_of(&self, vendor: Vendor) -> Option<Rate> {
        match vendor {
            Vendor::Of(WebhookType::Teams) => Some(self.teams_rate),
            _ => vendor.rate(),
        }
    }
}

/// The configuration of a webhook, as far as the scheduler needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueConfig {
    pub id: QueueId,
    /// The type and the vendor, whose limits it shares.
    pub kind: EndpointKind,
    pub vendor: Vendor,
    /// Changes when a person sets another URL or activates the webhook again: then what went wrong before is forgotten. It must not change
    /// by what the scheduler itself has recorded.
    pub revision: u64,
    /// The most events in a message. 1 turns coalescing off; 0 counts as 1.
    pub max_events_per_message: usize,
    /// The shortest time from an answer to the next request.
    pub min_interval: Duration,
    /// Its rate, in place of [`Policy::teams_rate`], on any host.
    pub rate: Option<Rate>,
    /// The group of webhooks that share a rate: the lowest of theirs.
    pub rate_group: Option<Box<str>>,
    /// Its age of expiry, in place of [`Policy::max_age`].
    pub max_age: Option<Duration>,
    /// The hours in which nothing leaves, and no delivery grows older.
    pub quiet_hours: Option<QuietHours>,
    /// When what has gathered leaves as one message, whatever `max_events_per_message` is.
    pub digest: Option<Digest>,
    /// Whether its last finished delivery was sent. It is read when the queue, or its revision, is new.
    pub proven: bool,
    /// The circuit that the last [`QueueChange`](super::QueueChange) recorded. It is read at the same time.
    pub circuit: Option<CircuitState>,
    /// The counts that the last [`Changes::in_a_row`](super::Changes::in_a_row) recorded. They are read at the same time.
    pub in_a_row: InARow,
}

/// The counts of a webhook that outlive the worker: workers come and go with the events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InARow {
    pub failures: u32,
    /// Answers that take no message of ours: enough of them in a row switch the webhook off.
    pub refusals: u32,
    /// Answers of "too fast" in a row.
    pub limits: u32,
    /// When the requests arrived that count for a rate whose period is long. They are not in a row.
    pub posts: Vec<Timestamp>,
}

/// An open circuit: the queue fails, and is tried with one delivery at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitState {
    /// The failures in a row.
    pub failures: u32,
    pub since: Timestamp,
    pub next_try: Timestamp,
}
