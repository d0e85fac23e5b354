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
/// How long outcomes may be reported apart before something is sent again.
const APART: Duration = Duration::from_secs(1);

/// What is still to be reported, and when.
#[derive(Default)]
pub struct Reporting {
    pending: Pending,
    counted_at: Duration,
    /// Queues whose outcomes the database has refused, and when each is reported again, apart from the others.
    apart: BTreeMap<QueueId, Duration>,
}

/// What the database has taken.
#[derive(Default)]
pub struct Recorded {
    /// Queues of which nothing is left to report.
    pub queues: Vec<QueueId>,
    /// Those of them that are another sender's by now.
    pub refused: Vec<QueueId>,
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
        let counts = self.pending.counts().then(|| self.counted_at + COUNTS);
        let report = self.apart.values().copied().chain(counts).min();
        report.map(|at| at.saturating_sub(now))
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
        self.apart.retain(|queue, _| queues.contains_key(queue));
        let mut alone: Vec<(Duration, QueueId)> =
            self.apart.iter().map(|(queue, at)| (*at, *queue)).collect();
        alone.retain(|(at, _)| *at <= now);
        let together: BTreeMap<QueueId, i64> = queues
            .iter()
            .filter(|(queue, _)| !self.apart.contains_key(queue))
            .map(|(queue, epoch)| (*queue, *epoch))
            .collect();
        let counts = self.counted_at + COUNTS <= now && self.pending.counts();
        if (!together.is_empty() || counts)
            && !self
                .report(link, &together, counts, log_payloads, &mut recorded)
                .await?
        {
            if counts {
                self.counted_at = now + REPORTS_AGAIN;
            }
            alone.extend(together.keys().map(|queue| (now, *queue)));
        }
        alone.sort_unstable();
        let late = clock::now() + APART;
        for (_, queue) in alone {
            let Some(epoch) = queues.get(&queue) else { continue };
            let queues = BTreeMap::from([(queue, *epoch)]);
            let again = if clock::now() > late {
                // What is left has to wait for what can be sent meanwhile.
                now
            } else if self
                .report(link, &queues, false, log_payloads, &mut recorded)
                .await?
            {
                continue;
            } else {
                clock::now() + REPORTS_AGAIN
            };
            self.apart.insert(queue, again);
        }
        Ok(recorded)
    }

    /// Reports what has come about of these queues, and returns whether the database has taken it.
    async fn report(
        &mut self,
        link: &mut Link,
        queues: &BTreeMap<QueueId, i64>,
        counts: bool,
        log_payloads: bool,
        recorded: &mut Recorded,
    ) -> Result<bool> {
        let report = self.pending.report(queues, counts, log_payloads);
        match link.call(async |session| session.record(&report).await).await? {
            Ok(refused) => self.settle(link, queues, &refused, recorded),
            Err(error) => {
                tracing::warn!(
                    "{}: the database does not take what became of deliveries: {:#}",
                    link.database(),
                    explain(error)
                );
                return Ok(false);
            }
        }
        if counts {
            self.pending.counted();
            self.counted_at = clock::now();
        }
        Ok(true)
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
            recorded.refused.push(QueueId(*queue));
        }
        for queue in queues.keys() {
            self.pending.forget(*queue);
            self.apart.remove(queue);
            recorded.queues.push(*queue);
        }
    }
}
