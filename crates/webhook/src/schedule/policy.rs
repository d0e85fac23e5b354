//! The settings that the scheduler obeys.

use std::time::Duration;

use jiff::Timestamp;

use super::QueueId;
use super::rate::Rate;
use crate::digest::Digest;
use crate::endpoint::{EndpointKind, Vendor};
use crate::quiet_hours::QuietHours;

/// What holds for all queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How often a message has to fail by itself, with an answer of the endpoint, before it is found out whether it is the
    /// message that makes the endpoint fail; then it is given up. What says nothing of the message is tried until it is too
    /// old. 0 counts as 1.
    pub max_attempts: u32,
    /// Deliveries older than this fail without a request, when it is their turn: behind an open circuit, when the queue is
    /// tried next.
    pub max_age: Duration,
    /// Requests per second to Discord's own hosts, all queues together, by each way out; 0: no cap.
    pub discord_per_second: u32,
    /// Answers of 401, 403 and 429 from there in ten minutes, likewise: for 10,000 of them Discord bans an address. 0: no cap.
    pub discord_refusals: u32,
    /// Requests to each webhook on Microsoft's own hosts, or to those together that share a group.
    pub teams_rate: Rate,
    /// Requests in flight, over all queues; 0 counts as 1. Those that have been out for longer than half a second do not
    /// count...
    pub max_in_flight: usize,
    /// ...unless there are more of them than this.
    pub max_slow: usize,
    /// Deliveries in memory, over all queues; 0 counts as 1. Below `8 * max_in_flight`, queues wait for each other. Those in
    /// slow requests come on top: `max_slow` messages. So does a digest, which is read as a whole where there is room for any; few
    /// of its events' data are, and sixteen of its deliveries count for one.
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

/// A webhook, as far as the scheduler needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueConfig {
    pub id: QueueId,
    /// With the vendor: whose limits it shares.
    pub kind: EndpointKind,
    pub vendor: Vendor,
    /// Changes when a person sets another URL or activates the webhook again: whatever went wrong before is
    /// forgotten then. It must not change by what the scheduler itself had recorded.
    pub revision: u64,
    /// 1 turns coalescing off; 0 counts as 1.
    pub max_events_per_message: usize,
    /// No request sooner than this after the answer to the one before.
    pub min_interval: Duration,
    /// In place of [`Policy::teams_rate`], on any host.
    pub rate: Option<Rate>,
    /// Webhooks of the same group share their rate: the lowest of theirs.
    pub rate_group: Option<Box<str>>,
    /// In place of [`Policy::max_age`].
    pub max_age: Option<Duration>,
    /// Nothing leaves in these hours, and no delivery grows older.
    pub quiet_hours: Option<QuietHours>,
    /// What has gathered leaves at its times, as one message; `max_events_per_message` does not count.
    pub digest: Option<Digest>,
    /// Its last delivery was sent, and not given up. Read when the queue, or its revision, is new.
    pub proven: bool,
    /// As recorded by the last [`QueueChange`](super::QueueChange); read likewise.
    pub circuit: Option<CircuitState>,
    /// As recorded by the last [`Changes::in_a_row`](super::Changes::in_a_row); read likewise.
    pub in_a_row: InARow,
}

/// What is counted of a webhook and outlives the worker: workers come and go with the events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InARow {
    pub failures: u32,
    /// Answers that take no message of ours: enough of them switch the webhook off.
    pub refusals: u32,
    /// Answers of "too fast".
    pub limits: u32,
    /// When the requests arrived that count for a rate whose period is long. These are not in a row.
    pub posts: Vec<Timestamp>,
}

/// An open circuit: the queue fails, and is tried with one delivery at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitState {
    /// In a row.
    pub failures: u32,
    pub since: Timestamp,
    pub next_try: Timestamp,
}
