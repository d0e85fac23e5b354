//! A sender: its state machine, its connection, and what it has in memory.

use std::collections::BTreeMap;
use std::time::Duration;

use webhook::ownership::Ownership;
use webhook::schedule::QueueId;

use crate::database::{Database, Outcome};

/// After so much silence each side takes the other for gone.
pub const PATIENCE: u64 = 40;

#[derive(Clone, Copy, Debug)]
pub struct InFlight {
    pub epoch: i64,
    pub place: usize,
    pub attempts: u32,
    pub answered_at: u64,
    pub taken: bool,
}

#[derive(Debug)]
pub struct Sender {
    pub ownership: Ownership,
    pub session: Option<u64>,
    pub in_flight: BTreeMap<QueueId, InFlight>,
    /// What is in memory of each queue: attempts of the first rows that wait.
    pub rows: BTreeMap<QueueId, Vec<(usize, u32)>>,
    pub outcomes: Vec<Outcome>,
    /// A call that nobody has answered.
    pub calls_since: Option<u64>,
    pub looks_at: u64,
    pub dead_until: u64,
    pub paused_until: u64,
    pub cut_until: u64,
}

impl Sender {
    pub fn new() -> Self {
        Sender {
            ownership: Ownership::new(Duration::from_millis(PATIENCE)),
            session: None,
            in_flight: BTreeMap::new(),
            rows: BTreeMap::new(),
            outcomes: Vec::new(),
            calls_since: None,
            looks_at: 0,
            dead_until: 0,
            paused_until: 0,
            cut_until: 0,
        }
    }

    pub fn lose(&mut self) {
        self.ownership.lose();
        self.session = None;
        self.calls_since = None;
        self.rows.clear();
    }

    /// A call: whether it was answered. What is cut off may have been done all the same.
    pub fn call<T>(
        &mut self,
        now: u64,
        random: &mut fastrand::Rng,
        database: &mut Database,
        call: impl FnOnce(&mut Self, &mut Database) -> T,
    ) -> Option<T> {
        let session = self.session?;
        if let Some(since) = self.calls_since {
            if now - since > PATIENCE {
                self.lose();
            }
            return None;
        }
        let is_cut = now < self.cut_until;
        if is_cut && random.bool() {
            self.calls_since = Some(now);
            return None;
        }
        if !database.hear(session, now) {
            self.lose();
            return None;
        }
        if is_cut {
            // It got there; the answer does not come back.
            let mut forgotten = std::mem::replace(self, Sender::new());
            let _ = call(&mut forgotten, database);
            *self = forgotten;
            self.calls_since = Some(now);
            return None;
        }
        self.ownership.hear(Duration::from_millis(now));
        Some(call(self, database))
    }
}
