//! When a sender reports what has come about, and what it does when that is refused.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::Result;
use webhook::active::ActiveWebhook;
use webhook::schedule::{Changes, QueueId, Tally};

use super::clock;
use super::link::Link;
use super::report::Pending;
use crate::cli::explain;

/// Counters are added to no more often.
const COUNTS: Duration = Duration::from_secs(1);
/// How soon outcomes that the database has refused are reported again.
const REPORTS_AGAIN: Duration = Duration::from_secs(5);

/// What is still to be reported, and when.
#[derive(Default)]
pub struct Reporting {
    pending: Pending,
    counted_at: Duration,
    /// The database has refused outcomes; when it is asked again.
    reports_at: Duration,
}

/// What the database has taken.
#[derive(Default)]
pub struct Recorded {
    /// Queues of which nothing is left to report.
    pub queues: Vec<QueueId>,
    /// Some of them are another sender's by now.
    pub refused: bool,
}

impl Reporting {
    /// Adds what has come about.
    pub fn add(&mut self, changes: Changes, tally: Tally, webhooks: &HashMap<QueueId, ActiveWebhook>) {
        self.pending.add(changes, tally, webhooks);
    }

    /// Returns whether nothing is left to report.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Returns whether something of the queue is still to be reported.
    pub fn has(&self, queue: QueueId) -> bool {
        self.pending.has(queue)
    }

    /// Lets counters be reported at once, and returns whether there are any.
    pub fn hurry(&mut self) -> bool {
        let counts = self.pending.counts();
        if counts {
            self.counted_at = Duration::ZERO;
        }
        counts
    }

    /// Returns after what time there is something to report; None: there is nothing.
    pub fn due_in(&self, now: Duration) -> Option<Duration> {
        (!self.pending.is_empty()).then(|| {
            let counts = self.counted_at + COUNTS;
            let outcomes = self.pending.queues().is_empty();
            if outcomes { counts } else { self.reports_at }.saturating_sub(now)
        })
    }

    /// Reports what has come about. What the database refuses of one queue holds up no other.
    ///
    /// # Errors
    /// When the session is over.
    pub async fn record(&mut self, link: &mut Link, log_payloads: bool) -> Result<Recorded> {
        let now = clock::now();
        let mut recorded = Recorded::default();
        let mut queues: BTreeMap<QueueId, i64> = BTreeMap::new();
        for queue in self.pending.queues() {
            match link.ownership.epoch(queue) {
                Some(epoch) => drop(queues.insert(queue, epoch)),
                None => self.pending.forget(queue),
            }
        }
        let counts = self.counted_at + COUNTS <= now && self.pending.counts();
        if queues.is_empty() && !counts || now < self.reports_at {
            return Ok(recorded);
        }
        let report = self.pending.report(&queues, counts, log_payloads);
        match link.call(async |session| session.record(&report).await).await? {
            Ok(refused) => {
                self.settle(link, &queues, &refused, &mut recorded);
                if counts {
                    self.pending.counted();
                    self.counted_at = clock::now();
                }
            }
            Err(error) => {
                tracing::warn!(
                    "{}: the database does not take what became of deliveries: {:#}",
                    link.database(),
                    explain(error)
                );
                self.reports_at = clock::now() + REPORTS_AGAIN;
                for (queue, epoch) in queues {
                    let queues = BTreeMap::from([(queue, epoch)]);
                    let report = self.pending.report(&queues, false, log_payloads);
                    if let Ok(refused) = link.call(async |session| session.record(&report).await).await? {
                        self.settle(link, &queues, &refused, &mut recorded);
                    }
                }
            }
        }
        Ok(recorded)
    }

    fn settle(
        &mut self,
        link: &mut Link,
        queues: &BTreeMap<QueueId, i64>,
        refused: &[i64],
        recorded: &mut Recorded,
    ) {
        for queue in refused {
            tracing::warn!(
                "{}: webhook {queue} is another sender's by now: what became of its deliveries here is not recorded",
                link.database()
            );
            link.ownership.refused(QueueId(*queue));
            recorded.refused = true;
        }
        for queue in queues.keys() {
            self.pending.forget(*queue);
            recorded.queues.push(*queue);
        }
    }
}
