//! The counters of webhooks that are still to be added to the tables.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use webhook::schedule::{DeliveryChange, Outcome, QueueId, Tally};

/// The shortest time between two additions, so that under load they cost next to nothing: with each batch of outcomes they were a fifth of
/// what a delivery cost the worker's session. A queue that was idle is counted together with its outcome.
const INTERVAL: Duration = Duration::from_secs(1);
/// The most queues that are counted in an interval. Where more are busy, each is counted less often...
const QUEUES: usize = 100;
/// ...but at least once in so many intervals.
const MOST_INTERVALS: usize = 5;

pub type Ends = BTreeMap<QueueId, End>;

/// Final outcomes of a queue's deliveries.
#[derive(Clone, Debug, Default)]
pub struct End {
    pub sent: i64,
    pub failed: i64,
    pub last_sent: Option<Timestamp>,
    pub last_failed: Option<Timestamp>,
    /// The error of the last one that failed.
    pub error: Option<Arc<str>>,
}

impl End {
    pub fn given_up(failed: i64, at: Timestamp, reason: &str) -> Self {
        End {
            failed,
            last_failed: Some(at),
            error: Some(reason.into()),
            ..End::default()
        }
    }

    fn add(&mut self, later: End) {
        self.sent += later.sent;
        self.failed += later.failed;
        self.last_sent = later.last_sent.or(self.last_sent);
        self.last_failed = later.last_failed.or(self.last_failed);
        self.error = later.error.or_else(|| self.error.take());
    }
}

/// Counts that are added to the counters together.
#[derive(Clone, Default)]
pub struct Sums {
    pub tally: Tally,
    pub ends: Ends,
}

impl Sums {
    pub fn is_empty(&self) -> bool {
        self.tally.is_empty() && self.ends.is_empty()
    }

    /// Returns how long these counts may wait after the last addition.
    fn patience(&self) -> Duration {
        let queues = self.tally.queues().max(self.ends.len());
        INTERVAL * queues.div_ceil(QUEUES).clamp(1, MOST_INTERVALS) as u32
    }

    pub fn merge(&mut self, later: Sums) {
        self.tally.merge(later.tally);
        for (queue, end) in later.ends {
            self.ends.entry(queue).or_default().add(end);
        }
    }

    /// Adds the final ones among the outcomes.
    pub fn add_outcomes(&mut self, changes: &[&DeliveryChange]) {
        for change in changes {
            let sent = match change.outcome {
                Outcome::Sent => true,
                Outcome::Failed => false,
                Outcome::Retry { .. } | Outcome::Waiting { .. } => continue,
            };
            let end = self.ends.entry(change.queue).or_default();
            if sent {
                end.sent += 1;
                end.last_sent = Some(change.at);
            } else {
                end.failed += 1;
                end.last_failed = Some(change.at);
                end.error.clone_from(&change.error);
            }
        }
    }
}

impl From<Tally> for Sums {
    fn from(tally: Tally) -> Self {
        Sums {
            tally,
            ends: Ends::new(),
        }
    }
}

/// Counts that the database does not have yet.
#[derive(Default)]
pub struct Uncounted {
    sums: Sums,
    last: Option<Instant>,
}

impl Uncounted {
    pub fn add(&mut self, sums: Sums) {
        self.sums.merge(sums);
    }

    pub fn add_outcomes(&mut self, changes: &[&DeliveryChange]) {
        self.sums.add_outcomes(changes);
    }

    /// Returns how long they may wait. None: there are none.
    pub fn wait(&self) -> Option<Duration> {
        (!self.sums.is_empty()).then(|| self.interval())
    }

    fn interval(&self) -> Duration {
        let Some(last) = self.last else {
            return Duration::ZERO;
        };
        self.sums.patience().saturating_sub(last.elapsed())
    }

    /// Makes all counts due, since the worker leaves.
    pub fn hurry(&mut self) {
        self.last = None;
    }

    /// Takes the counts that are due. The caller gives them back if the database does not take them.
    pub fn take_due(&mut self) -> Option<Sums> {
        self.interval().is_zero().then(|| {
            self.last = Some(Instant::now());
            std::mem::take(&mut self.sums)
        })
    }

    /// Takes back counts that the database has not taken.
    pub fn give_back(&mut self, sums: Sums) {
        let later = std::mem::replace(&mut self.sums, sums);
        self.sums.merge(later);
    }
}
