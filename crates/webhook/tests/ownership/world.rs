//! Senders over a database, with what goes wrong, and what has to hold all the same.

use std::collections::BTreeSet;
use std::time::Duration;

use webhook::schedule::QueueId;

use crate::database::{Database, Outcome, Queue, Row, Status, Variant};
use crate::sender::{InFlight, PATIENCE, Sender};

const SENDERS: usize = 3;
const QUEUES: i64 = 5;
const DELIVERIES: usize = 12;
const GIVES_UP: u32 = 3;
/// Until then things go wrong; after that everything has to come to its end.
const TROUBLE: u64 = 1_000;
const END: u64 = 2_000;

pub struct World {
    variant: Variant,
    random: fastrand::Rng,
    database: Database,
    senders: Vec<Sender>,
    now: u64,
}

impl World {
    pub fn new(variant: Variant, seed: u64) -> Self {
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

    pub fn run(mut self) -> Result<(), String> {
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
