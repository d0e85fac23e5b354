//! When a sender reports outcomes, and what it does if the database refuses them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::Result;
use webhook::active::ActiveWebhook;
use webhook::schedule::{Changes, QueueId, Tally};

use super::clock;
use super::link::Link;
use super::report::Pending;
use crate::database::explain;

/// The shortest time between two reports of counters.
const COUNTS: Duration = Duration::from_secs(1);
/// How soon refused outcomes are reported again.
const REPORTS_AGAIN: Duration = Duration::from_secs(5);
/// How long single queues may be reported separately before the sender goes on sending.
const APART: Duration = Duration::from_secs(1);

/// Unreported outcomes, and when they are to be reported.
#[derive(Default)]
pub struct Reporting {
    pending: Pending,
    counted_at: Duration,
    /// Queues whose outcomes the database has refused, and when each is reported again, separately.
    apart: BTreeMap<QueueId, Duration>,
}

/// The result of a report.
#[derive(Default)]
pub struct Recorded {
    /// Queues without unreported outcomes.
    pub queues: Vec<QueueId>,
    /// Those of them that another sender holds now.
    pub refused: Vec<QueueId>,
}

impl Reporting {
    /// Adds changes of the scheduler.
    pub fn add(&mut self, changes: Changes, tally: Tally, webhooks: &HashMap<QueueId, ActiveWebhook>) {
        self.pending.add(changes, tally, webhooks);
    }

    /// Returns whether everything is reported.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Returns whether the queue has unreported outcomes.
    pub fn has(&self, queue: QueueId) -> bool {
        self.pending.has(queue)
    }

    /// Makes counters due at once, and returns whether there are any.
    pub fn hurry(&mut self) -> bool {
        let counts = self.pending.counts();
        if counts {
            self.counted_at = Duration::ZERO;
        }
        counts
    }

    /// Returns how long to wait until a report is due; `None`: there is nothing to report.
    pub fn due_in(&self, now: Duration) -> Option<Duration> {
        let counts = self.pending.counts().then(|| self.counted_at + COUNTS);
        let report = self.apart.values().copied().chain(counts).min();
        report.map(|at| at.saturating_sub(now))
    }

    /// Reports outcomes. If the database refuses those of a queue, the others are reported without it.
    ///
    /// # Errors
    /// An error if the session has ended.
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
                // The rest waits, so that the sender can go on sending.
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

    /// Reports the outcomes of these queues, and returns whether the database has accepted them.
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
