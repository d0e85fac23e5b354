//! Senders that hold queues are killed, paused, cut off and come back: thousands of random schedules of the state
//! machine that `zentry-notify send` runs, over a model of what the database's functions do (`sql/27_senders.sql`).
//!
//! In each: nobody posts to a queue that another session holds; what is recorded goes by what its holder knows; deliveries arrive in order; nothing is
//! lost; and what arrives twice is at most one delivery for each time that a queue changes hands. Without the fencing, or without the patience, that
//! does not hold, and the same simulation says so.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use webhook::ownership::Ownership;
use webhook::schedule::QueueId;

const PATIENCE: u64 = 40;
const SENDERS: usize = 3;
const QUEUES: i64 = 5;
const DELIVERIES: usize = 12;
const GIVES_UP: u32 = 3;
/// Until then things go wrong; after that everything has to come to its end.
const TROUBLE: u64 = 1_000;
const END: u64 = 2_000;

/// What is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variant {
    Whole,
    /// Outcomes are taken whatever their epoch.
    Unfenced,
    /// A sender posts however long it has heard nothing, and before it asks.
    Impatient,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Status {
    #[default]
    Waits,
    Sent,
    Failed,
}

#[derive(Clone, Copy, Debug, Default)]
struct Row {
    status: Status,
    attempts: u32,
    arrived: u32,
}

#[derive(Debug, Default)]
struct Queue {
    holder: Option<u64>,
    epoch: i64,
    taken: u32,
    rows: Vec<Row>,
    /// The highest delivery that has arrived.
    reached: usize,
}

#[derive(Debug, Default)]
struct Database {
    queues: BTreeMap<QueueId, Queue>,
    /// When each was heard of last.
    sessions: BTreeMap<u64, u64>,
    given: u64,
    /// What random() says.
    chance: i64,
}

#[derive(Clone, Copy, Debug)]
struct Outcome {
    queue: QueueId,
    epoch: i64,
    place: usize,
    status: Status,
    attempts: u32,
}

impl Database {
    fn begin(&mut self, now: u64) -> u64 {
        self.given += 1;
        self.sessions.insert(self.given, now);
        self.given
    }

    /// `end_session`, or the server's patience is over.
    fn end(&mut self, session: u64) {
        self.sessions.remove(&session);
    }

    /// Something comes in by a session; false: it is over.
    fn hear(&mut self, session: u64, now: u64) -> bool {
        let heard = self.sessions.get_mut(&session);
        let is_there = heard.is_some();
        if let Some(heard) = heard {
            *heard = now;
        }
        is_there
    }

    /// `take_queues`: what is taken, and what is to be let go.
    fn take(&mut self, session: u64, busy: &BTreeSet<QueueId>) -> (Vec<(QueueId, i64)>, Vec<QueueId>) {
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

    fn held(&self, session: u64) -> Vec<QueueId> {
        let held = self
            .queues
            .iter()
            .filter(|(_, queue)| queue.holder == Some(session));
        held.map(|(id, _)| *id).collect()
    }

    /// `record_outcomes`: the queues that it refuses.
    fn record(&mut self, variant: Variant, outcomes: &[Outcome]) -> Result<Vec<QueueId>, String> {
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

#[derive(Clone, Copy, Debug)]
struct InFlight {
    epoch: i64,
    place: usize,
    attempts: u32,
    answered_at: u64,
    taken: bool,
}

#[derive(Debug)]
struct Sender {
    ownership: Ownership,
    session: Option<u64>,
    in_flight: BTreeMap<QueueId, InFlight>,
    /// What is in memory of each queue: attempts of the first rows that wait.
    rows: BTreeMap<QueueId, Vec<(usize, u32)>>,
    outcomes: Vec<Outcome>,
    /// A call that nobody has answered.
    calls_since: Option<u64>,
    looks_at: u64,
    dead_until: u64,
    paused_until: u64,
    cut_until: u64,
}

impl Sender {
    fn new() -> Self {
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

    fn lose(&mut self) {
        self.ownership.lose();
        self.session = None;
        self.calls_since = None;
        self.rows.clear();
    }

    /// A call: whether it was answered. What is cut off may have been done all the same.
    fn call<T>(
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

struct World {
    variant: Variant,
    random: fastrand::Rng,
    database: Database,
    senders: Vec<Sender>,
    now: u64,
}

impl World {
    fn new(variant: Variant, seed: u64) -> Self {
        let queue = || Queue {
            rows: vec![Row::default(); DELIVERIES],
            ..Queue::default()
        };
        World {
            variant,
            random: fastrand::Rng::with_seed(seed),
            database: Database {
                queues: (1..=QUEUES).map(|id| (QueueId(id), queue())).collect(),
                ..Database::default()
            },
            senders: (0..SENDERS).map(|_| Sender::new()).collect(),
            now: 0,
        }
    }

    fn run(mut self) -> Result<(), String> {
        while self.now < END {
            self.now += 1;
            self.database.chance = self.random.i64(0..1_000_000_000);
            if self.now < TROUBLE {
                self.trouble();
            }
            let now = self.now;
            self.database.sessions.retain(|_, heard| now - *heard <= PATIENCE);
            for place in 0..SENDERS {
                self.step(place)?;
            }
        }
        self.check_the_end()
    }

    fn trouble(&mut self) {
        let long = self.random.u64(1..3 * PATIENCE);
        let (now, kind) = (self.now, self.random.u32(..400));
        let sender = &mut self.senders[self.random.usize(..SENDERS)];
        match kind {
            0 => {
                // Killed: the server hears at once, unless it is cut off.
                if let Some(session) = sender.session.filter(|_| sender.cut_until <= now) {
                    self.database.end(session);
                }
                let cut_until = sender.cut_until;
                *sender = Sender::new();
                (sender.dead_until, sender.cut_until) = (now + long, cut_until);
            }
            1 | 2 => sender.paused_until = now + long,
            3 | 4 => sender.cut_until = now + long,
            // The connection breaks, and both know.
            5 => {
                if let Some(session) = sender.session {
                    self.database.end(session);
                    sender.lose();
                }
            }
            _ => {}
        }
    }

    fn step(&mut self, place: usize) -> Result<(), String> {
        let now = self.now;
        if now < self.senders[place].dead_until || now < self.senders[place].paused_until {
            return Ok(());
        }
        if self.variant == Variant::Impatient && self.senders[place].session.is_some() {
            self.post(place)?;
        }
        let (variant, database, random) = (self.variant, &mut self.database, &mut self.random);
        let sender = &mut self.senders[place];
        let answered: Vec<QueueId> = sender
            .in_flight
            .iter()
            .filter(|(_, request)| request.answered_at <= now)
            .map(|(queue, _)| *queue)
            .collect();
        for queue in answered {
            let request = sender.in_flight.remove(&queue).unwrap();
            let attempts = request.attempts + u32::from(!request.taken);
            let status = match (request.taken, attempts >= GIVES_UP) {
                (true, _) => Status::Sent,
                (false, true) => Status::Failed,
                (false, false) => Status::Waits,
            };
            sender.outcomes.push(Outcome {
                queue,
                epoch: request.epoch,
                place: request.place,
                status,
                attempts,
            });
            if let Some(rows) = sender.rows.get_mut(&queue) {
                match status {
                    Status::Waits => rows[0].1 = attempts,
                    Status::Sent | Status::Failed => drop(rows.remove(0)),
                }
            }
        }
        if sender.session.is_none() {
            if now < sender.cut_until || random.u32(..5) > 0 {
                return Ok(());
            }
            sender.session = Some(database.begin(now));
            sender.ownership.begin(Duration::from_millis(now));
            sender.looks_at = now;
        }
        if !sender.outcomes.is_empty() || sender.calls_since.is_some() {
            let outcomes = sender.outcomes.clone();
            let recorded = sender.call(now, random, database, |_, database| {
                database.record(variant, &outcomes)
            });
            let Some(refused) = recorded.transpose()? else {
                return Ok(());
            };
            sender.outcomes.clear();
            for queue in refused {
                sender.ownership.refused(queue);
                sender.rows.remove(&queue);
            }
        }
        let in_flight: BTreeSet<QueueId> = sender.in_flight.keys().copied().collect();
        let quiet = sender.ownership.settle(|queue| !in_flight.contains(&queue));
        if !quiet.is_empty() {
            let session = sender.session;
            let done = sender.call(now, random, database, |_, database| {
                for queue in &quiet {
                    let queue = database.queues.get_mut(queue).unwrap();
                    queue.holder = queue.holder.filter(|holder| Some(*holder) != session);
                }
            });
            if done.is_none() {
                return Ok(());
            }
            sender.ownership.released(&quiet);
            quiet.iter().for_each(|queue| drop(sender.rows.remove(queue)));
        }
        if sender.looks_at <= now {
            let busy: BTreeSet<QueueId> = sender.ownership.busy().collect();
            let session = sender.session.unwrap_or_default();
            let looked = sender.call(now, random, database, |_, database| database.take(session, &busy));
            let Some((taken, let_go)) = looked else {
                return Ok(());
            };
            sender.looks_at = now + PATIENCE / 4;
            taken
                .iter()
                .for_each(|(queue, epoch)| sender.ownership.take(*queue, *epoch));
            let_go.iter().for_each(|queue| sender.ownership.let_go(*queue));
        }
        self.post(place)
    }

    fn post(&mut self, place: usize) -> Result<(), String> {
        let now = self.now;
        let (database, random) = (&mut self.database, &mut self.random);
        let sender = &mut self.senders[place];
        let queues: Vec<QueueId> = database.queues.keys().copied().collect();
        for id in queues {
            if !sender.ownership.posts(id) || sender.in_flight.contains_key(&id) || random.u32(..4) > 0 {
                continue;
            }
            if sender.rows.get(&id).is_none_or(Vec::is_empty) {
                let claimed = sender.call(now, random, database, |_, database| {
                    let rows = database.queues[&id].rows.iter().enumerate();
                    let waiting = rows.filter(|(_, row)| row.status == Status::Waits);
                    waiting
                        .map(|(place, row)| (place, row.attempts))
                        .take(3)
                        .collect::<Vec<_>>()
                });
                let Some(rows) = claimed else { return Ok(()) };
                sender.rows.insert(id, rows);
            }
            let may =
                sender.ownership.may_post(Duration::from_millis(now)) || self.variant == Variant::Impatient;
            let Some((place, attempts)) = sender.rows[&id].first().copied().filter(|_| may) else {
                continue;
            };
            let queue = database.queues.get_mut(&id).unwrap();
            if queue.holder != sender.session {
                return Err(format!("{id:?} is posted to by one while another holds it"));
            }
            let row = &mut queue.rows[place];
            if row.status != Status::Waits {
                return Err(format!(
                    "delivery {place} of {id:?} is posted after it was recorded as {:?}",
                    row.status
                ));
            }
            let taken = random.u32(..4) > 0;
            if taken {
                row.arrived += 1;
                let arrived = row.arrived;
                if place < queue.reached && arrived == 1 {
                    return Err(format!(
                        "delivery {place} of {id:?} arrives after {}",
                        queue.reached
                    ));
                }
                queue.reached = queue.reached.max(place);
            }
            sender.in_flight.insert(
                id,
                InFlight {
                    epoch: sender.ownership.epoch(id).unwrap(),
                    place,
                    attempts,
                    answered_at: now + random.u64(1..PATIENCE),
                    taken,
                },
            );
        }
        Ok(())
    }

    fn check_the_end(&self) -> Result<(), String> {
        for (id, queue) in &self.database.queues {
            let mut twice = 0;
            for (place, row) in queue.rows.iter().enumerate() {
                match row.status {
                    Status::Waits => return Err(format!("delivery {place} of {id:?} was left behind")),
                    Status::Sent if row.arrived == 0 => {
                        return Err(format!("delivery {place} of {id:?} is lost"));
                    }
                    Status::Sent | Status::Failed => {}
                }
                twice += row.arrived.saturating_sub(1);
            }
            if twice > queue.taken {
                return Err(format!(
                    "{twice} of {id:?} came twice, which changed hands {} times",
                    queue.taken
                ));
            }
        }
        let held = self
            .database
            .sessions
            .keys()
            .map(|session| self.database.held(*session).len());
        let (least, most) = (held.clone().min().unwrap_or(0), held.max().unwrap_or(0));
        if self.database.sessions.len() != SENDERS || most - least > 1 {
            return Err(format!("the queues are spread from {least} to {most}"));
        }
        Ok(())
    }
}

/// What goes wrong in so many random schedules, each of its own seed.
fn found(variant: Variant, schedules: u64) -> Vec<(u64, String)> {
    let run = |seed| World::new(variant, seed).run().err().map(|error| (seed, error));
    (0..schedules).filter_map(run).collect()
}

#[test]
fn senders_that_are_killed_paused_and_cut_off_lose_nothing_and_keep_the_order() {
    assert_eq!(found(Variant::Whole, 2_000), []);
}

#[test]
fn without_the_fencing_what_comes_back_changes_what_others_have_recorded() {
    let found = found(Variant::Unfenced, 300);
    assert!(!found.is_empty());
}

#[test]
fn without_the_patience_two_post_at_the_same_time() {
    let found = found(Variant::Impatient, 200);
    let posted = found
        .iter()
        .filter(|(_, error)| error.contains("while another holds it"));
    assert!(posted.count() > 0, "{found:?}");
}
