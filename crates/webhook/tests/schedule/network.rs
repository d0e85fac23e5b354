//! A network of endpoints, each of which answers in its own way and its own time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use jiff::Timestamp;
use webhook::outcome::Verdict;
use webhook::schedule::{Policy, QueueConfig, Request, RequestId};

use crate::desk::{BROKEN, Desk, SENT, seconds, verdict};

/// What an endpoint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Works,
    /// Takes so many seconds, and works.
    Slow(u64),
    /// Fails at once.
    Fails,
    /// Never answers.
    Hangs,
}

impl Manner {
    fn answer(self) -> (Duration, Verdict) {
        match self {
            Manner::Works => (seconds(0.01), SENT),
            Manner::Slow(time) => (Duration::from_secs(time), SENT),
            Manner::Fails => (seconds(0.01), BROKEN),
            Manner::Hangs => (seconds(30.0), BROKEN),
        }
    }
}

pub struct Network {
    pub desk: Desk,
    /// By the queue's id.
    pub manner: fn(i64) -> Manner,
    /// The requests that left since this was last emptied.
    pub left: Vec<(Timestamp, Request)>,
    due: BinaryHeap<Reverse<(Timestamp, RequestId)>>,
    flying: BTreeMap<RequestId, (Request, Verdict)>,
}

impl Network {
    pub fn new(
        policy: Policy,
        queues: impl IntoIterator<Item = QueueConfig>,
        manner: fn(i64) -> Manner,
    ) -> Self {
        Network {
            desk: Desk::with(policy, queues),
            manner,
            left: Vec::new(),
            due: BinaryHeap::new(),
            flying: BTreeMap::new(),
        }
    }

    /// Lets so much time pass.
    pub fn pass(&mut self, time: Duration) {
        let end = self.desk.now + time;
        loop {
            self.depart();
            let answer = self.due.peek().map(|Reverse((at, _))| *at);
            let wake = self.desk.scheduler.next_wake();
            let Some(next) = answer.into_iter().chain(wake).min().filter(|at| *at <= end) else {
                self.desk.now = end;
                return;
            };
            self.desk.now = next.max(self.desk.now);
            self.arrive();
        }
    }

    fn depart(&mut self) {
        let now = self.desk.now;
        for request in self.desk.leaving() {
            let (delay, verdict) = (self.manner)(request.queue.0).answer();
            self.due.push(Reverse((now + delay, request.id)));
            self.flying.insert(request.id, (request.clone(), verdict));
            self.left.push((now, request));
        }
    }

    fn arrive(&mut self) {
        while let Some(Reverse((at, id))) = self.due.peek().copied()
            && at <= self.desk.now
        {
            self.due.pop();
            let (request, how) = self.flying.remove(&id).unwrap();
            self.desk.judge(&request, &verdict(how));
        }
    }

    /// How long after `since` the last request to one of these queues left, and how many did.
    pub fn last_to(&self, queues: impl Fn(i64) -> bool, since: Timestamp) -> (Duration, usize) {
        let own = self.left.iter().filter(|(_, request)| queues(request.queue.0));
        let delays: Vec<Duration> = own
            .map(|(at, _)| at.duration_since(since).unsigned_abs())
            .collect();
        (delays.iter().max().copied().unwrap_or_default(), delays.len())
    }
}
