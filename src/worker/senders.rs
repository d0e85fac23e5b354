//! Queues that are for senders on other machines (`zentry_notify.senders`), and the notifications to these. While the setting is `local`
//! and no sender holds a queue, nothing here reads or writes.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use pgrx::prelude::*;
use webhook::active::StoredWebhook;
use webhook::open_batch::OpenBatch;
use webhook::schedule::QueueId;

use super::claim_cursors::ClaimCursors;
use super::database;
use crate::acting_as::ActingAs;
use crate::plan::{Plan, with_spi};
use crate::settings::{self, WhoSends};

/// The minimum time between two notifications.
const TELLS: Duration = Duration::from_millis(10);
/// How often the worker looks whether a recalled queue has come back, and with `both` whether there are still senders.
const LOOKS: Duration = Duration::from_secs(2);
/// The maximum number of queues that a notification names; if there are more, it stands for all. (Its payload is less than 8000 bytes.)
const NAMED: usize = 300;
/// The type whose queues are never for senders: the worker publishes to streams.
const STAYS: &str = "nats";

/// The queues that are for senders, and those that senders still hold.
pub struct Senders {
    /// Queues that are for senders. Those that are not in `offered` have requests in flight here.
    theirs: BTreeSet<QueueId>,
    offered: BTreeSet<QueueId>,
    /// Queues that are the worker's again, but still held by a sender.
    out: BTreeSet<QueueId>,
    /// Whether `sender_queue` may differ from what is known here, so that it has to be written.
    unsettled: bool,
    looked_at: Instant,
    news: News,
    /// What people have asked for and could not be noted: somebody keeps the rows of these queues locked.
    untold: News,
    untold_at: Instant,
    told_at: Option<Instant>,
}

/// What senders have not been notified of.
#[derive(Default)]
struct News {
    settings: bool,
    queues: BTreeSet<QueueId>,
    retried: BTreeSet<QueueId>,
    resumed: BTreeSet<QueueId>,
}

impl News {
    fn is_empty(&self) -> bool {
        !self.settings && self.queues.is_empty() && self.retried.is_empty() && self.resumed.is_empty()
    }

    /// Returns what people have asked for of these queues.
    fn of(&self, queues: &BTreeSet<QueueId>) -> News {
        News {
            retried: self.retried.intersection(queues).copied().collect(),
            resumed: self.resumed.intersection(queues).copied().collect(),
            ..News::default()
        }
    }

    /// Returns the payload, whose words `zentry-notify send` reads.
    fn words(&self) -> String {
        let mut words = String::new();
        if self.settings {
            words.push_str("settings ");
        }
        if !self.retried.is_empty() || !self.resumed.is_empty() {
            words.push_str("queues ");
        }
        if self.queues.len() > NAMED {
            words.push_str("all ");
        } else {
            self.queues.iter().for_each(|queue| {
                let _ = write!(words, "{} ", queue.0);
            });
        }
        words
    }
}

impl Senders {
    pub fn new() -> Self {
        Senders {
            theirs: BTreeSet::new(),
            offered: BTreeSet::new(),
            out: BTreeSet::new(),
            // Senders may have been there before this worker.
            unsettled: true,
            looked_at: Instant::now(),
            news: News::default(),
            untold: News::default(),
            untold_at: Instant::now(),
            told_at: None,
        }
    }

    /// Returns whether the worker sends the queue's deliveries.
    pub fn leaves(&self, queue: QueueId) -> bool {
        !self.theirs.contains(&queue) && !self.out.contains(&queue)
    }

    /// Returns whether there are queues that the worker does not send for now.
    pub fn have_any(&self) -> bool {
        !self.theirs.is_empty() || !self.out.is_empty()
    }

    /// Notes that a delivery of the queue waits in the table.
    pub fn notice(&mut self, queue: QueueId) {
        if !self.leaves(queue) {
            self.news.queues.insert(queue);
        }
    }

    fn looks_in(&self) -> Option<Duration> {
        let is_open = !self.out.is_empty() || self.have_any() && settings::senders() == WhoSends::Both;
        is_open.then(|| LOOKS.saturating_sub(self.looked_at.elapsed()))
    }

    /// Returns how long it is until what could not be noted is tried again. None: there is nothing.
    fn untold_in(&self) -> Option<Duration> {
        (!self.untold.is_empty()).then(|| LOOKS.saturating_sub(self.untold_at.elapsed()))
    }

    /// Returns whether it is time to look which senders are there.
    pub fn is_due(&self) -> bool {
        self.looks_in() == Some(Duration::ZERO)
    }

    /// Returns whether the worker has something to do for senders.
    pub fn is_busy(&self) -> bool {
        !self.news.is_empty()
            || !self.untold.is_empty()
            || !self.out.is_empty()
            || self.offered != self.theirs
    }

    /// Returns how long that may wait. None: there is nothing.
    pub fn wait(&self) -> Option<Duration> {
        let told = self
            .told_at
            .map_or(Duration::ZERO, |at| TELLS.saturating_sub(at.elapsed()));
        let tell = (!self.news.is_empty()).then_some(told);
        [tell, self.untold_in(), self.looks_in()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Divides the queues between the worker and senders. A queue that stops being the worker's is offered when none of its requests is in
    /// flight.
    pub fn divide(
        &mut self,
        webhooks: &[StoredWebhook],
        batch: &mut OpenBatch,
        drained: &mut HashSet<QueueId>,
        claim_cursors: &mut ClaimCursors,
    ) -> Result<(), String> {
        let who = settings::senders();
        let ours = who == WhoSends::Local && !self.have_any();
        if ours && !self.unsettled {
            return Ok(());
        }
        self.looked_at = Instant::now();
        let remote = match who {
            WhoSends::Local => false,
            WhoSends::Remote => true,
            WhoSends::Both => database::transaction("zentry_notify: look for senders", has_senders)?,
        };
        let theirs = webhooks
            .iter()
            .filter(|webhook| remote && webhook.webhook_type != STAYS);
        self.theirs = theirs.map(|webhook| webhook.id).collect();
        // Queues that were offered count as held until the database says otherwise, also when it cannot be asked now.
        let back = self.offered.difference(&self.theirs).copied();
        self.out.extend(back);
        self.unsettled = true;
        if self.have_any() {
            self.news.settings = true;
            batch.hurry();
        }
        if !remote {
            self.offer(BTreeSet::new(), drained, claim_cursors)?;
        }
        Ok(())
    }

    /// Looks whether recalled queues have come back, and, where both may send, whether there are senders. Returns true if the queues are to
    /// be divided anew.
    pub fn look(
        &mut self,
        drained: &mut HashSet<QueueId>,
        claim_cursors: &mut ClaimCursors,
    ) -> Result<bool, String> {
        self.looked_at = Instant::now();
        let out = self.out.len();
        if out > 0 {
            let still: BTreeSet<QueueId> = self.offered.intersection(&self.theirs).copied().collect();
            self.offer(still, drained, claim_cursors)?;
        }
        let is_other = |there: bool| there == self.theirs.is_empty();
        let others = settings::senders() == WhoSends::Both
            && is_other(database::transaction(
                "zentry_notify: look for senders",
                has_senders,
            )?);
        Ok(others || self.out.len() < out)
    }

    /// Returns whether the queues that are for senders may not be those that are offered.
    pub fn are_unsettled(&self) -> bool {
        self.unsettled || self.offered != self.theirs
    }

    /// Offers the queues of which nothing is in flight here and nothing in memory any more. Returns whether queues have come back, which are
    /// the worker's to send for.
    pub fn offer_quiet(
        &mut self,
        is_quiet: impl Fn(&QueueId) -> bool,
        drained: &mut HashSet<QueueId>,
        claim_cursors: &mut ClaimCursors,
    ) -> Result<bool, String> {
        let quiet = self.theirs.iter().copied();
        let quiet: BTreeSet<QueueId> = quiet
            .filter(|queue| self.offered.contains(queue) || is_quiet(queue))
            .collect();
        let out = self.out.len();
        if self.unsettled || quiet != self.offered {
            self.offer(quiet, drained, claim_cursors)?;
        }
        Ok(self.out.len() < out)
    }

    fn offer(
        &mut self,
        queues: BTreeSet<QueueId>,
        drained: &mut HashSet<QueueId>,
        claim_cursors: &mut ClaimCursors,
    ) -> Result<(), String> {
        let ids: Vec<i64> = queues.iter().map(|queue| queue.0).collect();
        let out = database::transaction("zentry_notify: offer queues to senders", || offer(ids))?;
        let came_back = self.out.iter().any(|queue| !out.contains(queue));
        self.out = out;
        self.offered = queues;
        self.unsettled = false;
        if came_back {
            // It is unknown here what was written for them meanwhile.
            drained.clear();
            claim_cursors.forget_all();
        }
        Ok(())
    }

    /// Notifies senders, if there is something new and the database `may_write`.
    pub fn tell(&mut self, may_write: bool) -> Result<(), String> {
        if self.untold_in() == Some(Duration::ZERO) {
            let untold = std::mem::take(&mut self.untold);
            self.news.retried.extend(untold.retried);
            self.news.resumed.extend(untold.resumed);
        }
        let is_time = self.told_at.is_none_or(|at| at.elapsed() >= TELLS);
        if self.news.is_empty() || !is_time || !may_write {
            return Ok(());
        }
        self.told_at = Some(Instant::now());
        let news = std::mem::take(&mut self.news);
        match database::transaction("zentry_notify: tell senders", || tell(&news)) {
            Ok(untold) if untold.is_empty() => {}
            Ok(untold) => {
                let again = news.of(&untold);
                self.untold.retried.extend(again.retried);
                self.untold.resumed.extend(again.resumed);
                self.untold_at = Instant::now();
            }
            Err(error) => {
                self.news = news;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Asks senders to try these queues at once, since a person wants it.
    pub fn ask(&mut self, queues: &[QueueId], resumed: bool) {
        let theirs = queues.iter().filter(|queue| !self.leaves(**queue));
        let theirs: Vec<QueueId> = theirs.copied().collect();
        let news = &mut self.news;
        let asked = if resumed {
            &mut news.resumed
        } else {
            &mut news.retried
        };
        asked.extend(theirs);
    }
}

fn has_senders() -> bool {
    const SQL: &str =
        "SELECT EXISTS (SELECT FROM zentry_notify.sender) FROM zentry_notify.forget_gone_senders()";
    with_spi(|spi| Plan::prepare(spi, SQL, &[]).execute(spi, &[]).get(0, 1)).unwrap_or(false)
}

/// Offers the queues to senders. Returns the other queues that senders still hold.
fn offer(queues: Vec<i64>) -> BTreeSet<QueueId> {
    const SQL: &str = "SELECT o FROM zentry_notify.offer_queues($1) o";
    with_spi(|spi| {
        let rows = Plan::prepare(spi, SQL, &[pg_sys::INT8ARRAYOID]).execute(spi, &[queues.into()]);
        (0..rows.len())
            .filter_map(|row| rows.get(row, 1).map(QueueId))
            .collect()
    })
}

/// Those of which it could not be noted that people have asked for them.
fn tell(news: &News) -> BTreeSet<QueueId> {
    const SQL: &str = "SELECT t FROM zentry_notify.tell_senders($1, $2, $3) t";
    let ids = |queues: &BTreeSet<QueueId>| queues.iter().map(|queue| queue.0).collect::<Vec<_>>();
    with_spi(|spi| {
        let types = [pg_sys::TEXTOID, pg_sys::INT8ARRAYOID, pg_sys::INT8ARRAYOID];
        let rows = Plan::prepare(spi, SQL, &types).execute(
            spi,
            &[
                news.words().into(),
                ids(&news.retried).into(),
                ids(&news.resumed).into(),
            ],
        );
        (0..rows.len())
            .filter_map(|row| rows.get(row, 1).map(QueueId))
            .collect()
    })
}

/// Returns whether a delivery waits that a sender has to send. Nothing says when the last sender is gone.
pub fn waits_for_one() -> Result<bool, String> {
    const SQL: &str = "SELECT EXISTS (SELECT FROM zentry_notify.sender_queue q \
                       JOIN zentry_notify.delivery l ON l.webhook_integration_id = q.webhook_integration_id AND l.status IN ('p', 'r'))";
    let waits = || {
        let _agent = ActingAs::agent();
        with_spi(|spi| Plan::prepare(spi, SQL, &[]).execute(spi, &[]).get(0, 1)).unwrap_or(false)
    };
    database::transaction_as_self("zentry_notify: look for what waits for senders", waits)
}
