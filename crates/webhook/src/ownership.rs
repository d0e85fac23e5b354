//! Which queues a sender on another machine holds: what it may post, what its outcomes are reported with, and what it gives up.
//!
//! The database says who holds a queue, by sessions: one that is over holds nothing, and can write nothing any more. It ends a session that it has
//! heard nothing of for as long as its patience lasts. So nobody else posts to a queue while its holder may, as long as
//!
//! - the holder posts only until half of that time has passed since it sent what was answered last ([`Ownership::may_post`]);
//! - it waits for the answer of the database before it posts again;
//! - what came of requests that are older than that is reported with the epoch at which they were made: the database refuses it once somebody else
//!   has taken the queue, which raises the epoch.
//!
//! Then a holder that is killed, paused or cut off leaves at most what was in flight to be posted twice: one message of each queue.
//!
//! Times are those of a clock that never goes back and that goes on while the process, or the machine, is suspended.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::schedule::QueueId;

/// What a sender knows of its queues.
#[derive(Debug)]
pub struct Ownership {
    patience: Duration,
    /// When the last call that was answered was sent; None: there is no session.
    heard: Option<Duration>,
    held: BTreeMap<QueueId, Held>,
    /// Epochs of queues that an earlier session held, of which something is in flight or not reported.
    former: BTreeMap<QueueId, i64>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    epoch: i64,
    /// Its session gives it up as soon as nothing of it is in flight.
    leaving: bool,
}

impl Ownership {
    /// `patience`: the time after which the database ends a session that it hears nothing of.
    pub fn new(patience: Duration) -> Self {
        Ownership {
            patience,
            heard: None,
            held: BTreeMap::new(),
            former: BTreeMap::new(),
        }
    }

    /// Notes that a session has begun, by a call that was sent at `sent`.
    pub fn begin(&mut self, sent: Duration) {
        self.heard = Some(sent);
    }

    /// Notes that the database has answered a call that was sent at `sent`.
    pub fn hear(&mut self, sent: Duration) {
        self.heard = self.heard.map(|heard| heard.max(sent));
    }

    /// Notes that the session is over, or may be: all that it held may be somebody else's from now on.
    pub fn lose(&mut self) {
        self.heard = None;
        for (queue, held) in std::mem::take(&mut self.held) {
            self.former.insert(queue, held.epoch);
        }
    }

    /// Returns whether a request may leave now.
    pub fn may_post(&self, now: Duration) -> bool {
        self.heard
            .is_some_and(|heard| now.saturating_sub(heard) < self.patience / 2)
    }

    /// Returns after what time the next call has to be made, so that both sides know that the other is there; None: there is no session.
    pub fn quiet_for(&self, now: Duration) -> Option<Duration> {
        self.heard
            .map(|heard| (heard + self.patience / 4).saturating_sub(now))
    }

    /// Notes that the session has taken the queue.
    pub fn take(&mut self, queue: QueueId, epoch: i64) {
        let leaving = false;
        self.held.insert(queue, Held { epoch, leaving });
    }

    /// Notes that the queue is to be given up.
    pub fn let_go(&mut self, queue: QueueId) {
        if let Some(held) = self.held.get_mut(&queue) {
            held.leaving = true;
        }
    }

    /// Returns whether requests of the queue may leave, as far as it depends on the queue; see [`Ownership::may_post`].
    pub fn posts(&self, queue: QueueId) -> bool {
        self.held.get(&queue).is_some_and(|held| !held.leaving)
    }

    /// Returns the epoch that outcomes of the queue are reported with; None: they are not reported.
    pub fn epoch(&self, queue: QueueId) -> Option<i64> {
        let held = self.held.get(&queue).map(|held| held.epoch);
        self.former.get(&queue).copied().or(held)
    }

    /// Returns the queues that are not to be taken: requests of an earlier session are in flight, or their outcomes are to be reported.
    pub fn busy(&self) -> impl Iterator<Item = QueueId> {
        self.former.keys().copied()
    }

    /// Notes that the database has refused the outcomes of the queue.
    pub fn refused(&mut self, queue: QueueId) {
        if self.former.remove(&queue).is_none() {
            self.held.remove(&queue);
        }
    }

    /// Forgets what sessions before have left, as far as it is quiet: nothing is in flight and everything is reported. Returns the queues to give up,
    /// likewise; they are held until they are [`released`](Self::released).
    pub fn settle(&mut self, is_quiet: impl Fn(QueueId) -> bool) -> Vec<QueueId> {
        self.former.retain(|queue, _| !is_quiet(*queue));
        let leaving = self.held.iter().filter(|(_, held)| held.leaving);
        leaving
            .map(|(queue, _)| *queue)
            .filter(|queue| is_quiet(*queue))
            .collect()
    }

    /// Notes that the database has released the queues.
    pub fn released(&mut self, queues: &[QueueId]) {
        for queue in queues {
            self.held.remove(queue);
        }
    }
}
