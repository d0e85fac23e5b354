//! A model of what the database's functions do for senders (`sql/28_sender_queues.sql`).

use std::collections::{BTreeMap, BTreeSet};

use webhook::schedule::QueueId;

/// What is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    Whole,
    /// Outcomes are taken whatever their epoch.
    Unfenced,
    /// A sender posts however long it has heard nothing, and before it asks.
    Impatient,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    #[default]
    Waits,
    Sent,
    Failed,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Row {
    pub status: Status,
    pub attempts: u32,
    pub arrived: u32,
}

#[derive(Debug, Default)]
pub struct Queue {
    pub holder: Option<u64>,
    pub epoch: i64,
    pub taken: u32,
    pub rows: Vec<Row>,
    /// The highest delivery that has arrived.
    pub reached: usize,
}

#[derive(Debug, Default)]
pub struct Database {
    pub queues: BTreeMap<QueueId, Queue>,
    /// When each was heard of last.
    pub sessions: BTreeMap<u64, u64>,
    pub given: u64,
    /// What random() returns.
    pub chance: i64,
}

#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    pub queue: QueueId,
    pub epoch: i64,
    pub place: usize,
    pub status: Status,
    pub attempts: u32,
}

impl Database {
    pub fn begin(&mut self, now: u64) -> u64 {
        self.given += 1;
        self.sessions.insert(self.given, now);
        self.given
    }

    /// `end_session`, or the server's patience is over.
    pub fn end(&mut self, session: u64) {
        self.sessions.remove(&session);
    }

    /// Something comes in by a session; false: it is over.
    pub fn hear(&mut self, session: u64, now: u64) -> bool {
        let heard = self.sessions.get_mut(&session);
        let is_there = heard.is_some();
        if let Some(heard) = heard {
            *heard = now;
        }
        is_there
    }

    /// `take_queues`: what is taken, and what is to be let go.
    pub fn take(&mut self, session: u64, busy: &BTreeSet<QueueId>) -> (Vec<(QueueId, i64)>, Vec<QueueId>) {
        for queue in self.queues.values_mut() {
            queue.holder = queue.holder.filter(|holder| self.sessions.contains_key(holder));
        }
        let all: Vec<u64> = self.sessions.keys().copied().collect();
        let place = all.iter().position(|other| *other == session).unwrap();
        let share = self.queues.len() / all.len() + usize::from(place < self.queues.len() % all.len());
        let held: Vec<QueueId> = self.held(session);
        let mut taken = Vec::new();
        for (id, queue) in &mut self.queues {
            if held.len() + taken.len() < share && queue.holder.is_none() && !busy.contains(id) {
                queue.holder = Some(session);
                queue.epoch += 1 + self.chance;
                queue.taken += 1;
                taken.push((*id, queue.epoch));
            }
        }
        (taken, held.into_iter().skip(share).collect())
    }

    pub fn held(&self, session: u64) -> Vec<QueueId> {
        let held = self
            .queues
            .iter()
            .filter(|(_, queue)| queue.holder == Some(session));
        held.map(|(id, _)| *id).collect()
    }

    /// `record_outcomes`: the queues that it refuses.
    pub fn record(&mut self, variant: Variant, outcomes: &[Outcome]) -> Result<Vec<QueueId>, String> {
        let mut refused = Vec::new();
        for outcome in outcomes {
            let queue = self.queues.get_mut(&outcome.queue).unwrap();
            if queue.epoch != outcome.epoch && variant != Variant::Unfenced {
                refused.push(outcome.queue);
                continue;
            }
            let row = &mut queue.rows[outcome.place];
            if row.status != Status::Waits {
                continue;
            }
            if outcome.attempts < row.attempts {
                return Err(format!("attempts of {outcome:?} go back from {}", row.attempts));
            }
            row.attempts = outcome.attempts;
            row.status = outcome.status;
        }
        Ok(refused)
    }
}
