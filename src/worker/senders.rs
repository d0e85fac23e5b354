//! Queues that are for senders on other machines (`zentry_notify.senders`), and the notifications to these. While the setting is `local`
//! and no sender holds a queue, nothing here reads or writes.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use pgrx::prelude::*;
use webhook::active::StoredWebhook;
use webhook::schedule::QueueId;

use super::database;
use super::state::Worker;
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
}

impl Worker {
    /// Divides the queues between the worker and senders. A queue that stops being the worker's is offered when none of its requests is in
    /// flight.
    pub fn divide(&mut self, webhooks: &[StoredWebhook]) -> Result<(), String> {
        let who = settings::senders();
        let ours = who == WhoSends::Local && !self.senders.have_any();
        if ours && !self.senders.unsettled {
            return Ok(());
        }
        self.senders.looked_at = Instant::now();
        let remote = match who {
            WhoSends::Local => false,
            WhoSends::Remote => true,
            WhoSends::Both => database::transaction("zentry_notify: look for senders", has_senders)?,
        };
        let theirs = webhooks
            .iter()
            .filter(|webhook| remote && webhook.webhook_type != STAYS);
        self.senders.theirs = theirs.map(|webhook| webhook.id).collect();
        // Queues that were offered count as held until the database says otherwise, also when it cannot be asked now.
        let Senders { theirs, offered, .. } = &self.senders;
        let back: Vec<QueueId> = offered.difference(theirs).copied().collect();
        self.senders.out.extend(back);
        self.senders.unsettled = true;
        if self.senders.have_any() {
            self.senders.news.settings = true;
            self.batch.hurry();
        }
        if !remote {
            self.offer(BTreeSet::new())?;
        }
        Ok(())
    }

    /// Looks whether recalled queues have come back, and, where both may send, whether there are senders. Returns true if the queues are to
    /// be divided anew.
    pub fn look_at_senders(&mut self) -> Result<bool, String> {
        self.senders.looked_at = Instant::now();
        let out = self.senders.out.len();
        if out > 0 {
            let Senders { theirs, offered, .. } = &self.senders;
            let still: BTreeSet<QueueId> = offered.intersection(theirs).copied().collect();
            self.offer(still)?;
        }
        let is_other = |there: bool| there == self.senders.theirs.is_empty();
        let others = settings::senders() == WhoSends::Both
            && is_other(database::transaction(
                "zentry_notify: look for senders",
                has_senders,
            )?);
        Ok(others || self.senders.out.len() < out)
    }

    /// Offers the queues of which nothing is in flight here and nothing in memory any more.
    pub fn offer_what_is_quiet(&mut self) {
        if self.back_off.is_waiting()
            || !self.senders.unsettled && self.senders.offered == self.senders.theirs
        {
            return;
        }
        let busy: BTreeSet<QueueId> = self.in_flight.values().map(|(queue, ..)| *queue).collect();
        let is_quiet = |queue: &QueueId| {
            !busy.contains(queue)
                && !self.unrecorded.queues.contains(queue)
                && self.batch.waiting(*queue) == 0
                && !self.batch.refuses(*queue)
        };
        let senders = &self.senders;
        let quiet = senders.theirs.iter().copied();
        let quiet: BTreeSet<QueueId> = quiet
            .filter(|queue| senders.offered.contains(queue) || is_quiet(queue))
            .collect();
        let is_news = senders.unsettled || quiet != senders.offered;
        let out = senders.out.len();
        if is_news && let Err(error) = self.offer(quiet) {
            self.failed("offering queues to senders", error);
        }
        // Queues that have come back are the worker's to send for.
        self.postponed.configuration |= self.senders.out.len() < out;
    }

    fn offer(&mut self, queues: BTreeSet<QueueId>) -> Result<(), String> {
        let ids: Vec<i64> = queues.iter().map(|queue| queue.0).collect();
        let out = database::transaction("zentry_notify: offer queues to senders", || offer(ids))?;
        let came_back = self.senders.out.iter().any(|queue| !out.contains(queue));
        self.senders.out = out;
        self.senders.offered = queues;
        self.senders.unsettled = false;
        if came_back {
            // It is unknown here what was written for them meanwhile.
            self.drained.clear();
            self.claim_cursors.forget_all();
        }
        Ok(())
    }

    /// Notifies senders, if there is something new.
    pub fn tell_senders(&mut self) {
        if self.senders.untold_in() == Some(Duration::ZERO) {
            let untold = std::mem::take(&mut self.senders.untold);
            self.senders.news.retried.extend(untold.retried);
            self.senders.news.resumed.extend(untold.resumed);
        }
        let is_time = self.senders.told_at.is_none_or(|at| at.elapsed() >= TELLS);
        if self.senders.news.is_empty() || !is_time || self.back_off.is_waiting() {
            return;
        }
        self.senders.told_at = Some(Instant::now());
        let news = std::mem::take(&mut self.senders.news);
        match database::transaction("zentry_notify: tell senders", || tell(&news)) {
            Ok(untold) if untold.is_empty() => {}
            Ok(untold) => {
                let Senders { untold: known, .. } = &mut self.senders;
                let again = news.of(&untold);
                known.retried.extend(again.retried);
                known.resumed.extend(again.resumed);
                self.senders.untold_at = Instant::now();
            }
            Err(error) => {
                self.senders.news = news;
                self.failed("telling senders", error);
            }
        }
    }

    /// Asks senders to try these queues at once, since a person wants it.
    pub fn ask_senders(&mut self, queues: &[QueueId], resumed: bool) {
        let theirs = queues.iter().filter(|queue| !self.senders.leaves(**queue));
        let theirs: Vec<QueueId> = theirs.copied().collect();
        let news = &mut self.senders.news;
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
