//! What an answer does to its deliveries and their lane.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::clock::{Clock, Tick};
use super::gates::Pool;
use super::health::TooOften;
use super::lane::{LONGEST_WAIT, Lane, Life};
use super::slots::Record;
use super::{
    Changes, CircuitState, Delivery, DeliveryChange, LaneChange, Outcome, Policy, RequestId, Scheduler,
    Tally, backoff,
};
use crate::outcome::{Judgement, RateScope, Verdict};

impl Scheduler {
    /// The answer to a request, or its absence.
    ///
    /// When a person has set another URL since it left, only success is recorded: what the old endpoint had against the
    /// deliveries says nothing of the new one.
    pub fn judged(&mut self, request: RequestId, judgement: &Judgement, now: Timestamp) {
        let now = self.clock.read(now);
        let Some(id) = self.flights.return_of(request) else {
            return;
        };
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        let Some(flight) = lane.flight.take() else { return };
        self.slots.release(flight.standing, flight.aside);
        if !flight.slow {
            self.gates.arrive(flight.pool, now);
        }

        let (rows, changes) = (lane.rows.len(), self.changes.deliveries.len());
        let held = lane.rows.iter().take(flight.taken);
        self.tally.request(id, held, &judgement.verdict);
        let current = flight.revision == lane.config.revision;
        let mut ruling = Ruling {
            now,
            wall: self.clock.wall(now),
            body: judgement.body.as_deref().map(Arc::from),
            error: judgement.error.as_deref().map(Arc::from),
            judgement,
            taken: flight.taken.min(rows),
            out: now.since(flight.left),
            lane,
            policy: &self.policy,
            clock: &self.clock,
            random: &mut self.random,
            changes: &mut self.changes,
            tally: &mut self.tally,
        };
        if current {
            ruling.apply();
        } else if judgement.verdict == Verdict::Sent {
            ruling.sent();
        }
        if flight.aside {
            lane.more |= !lane.rows.is_empty();
            lane.rows.clear();
        } else {
            self.stock.release(rows - lane.rows.len());
        }
        if self.changes.deliveries.len() > changes {
            lane.changed_in = Some(self.batch);
        }
        if let Verdict::RateLimited {
            wait,
            scope: RateScope::Discord,
        } = judgement.verdict
        {
            let pool = lane.pool();
            self.park(pool, now.after(wait.min(LONGEST_WAIT)));
            if pool == Pool::Discord {
                self.changes.discord_parked_until = Some(self.clock.wall(self.gates.parked_until(pool)));
            }
        }
        self.settle(id);
    }
}

struct Ruling<'a> {
    judgement: &'a Judgement,
    /// The deliveries of the message are the first so many of the lane.
    taken: usize,
    /// How long the request was out.
    out: Duration,
    lane: &'a mut Lane,
    now: Tick,
    wall: Timestamp,
    body: Option<Arc<str>>,
    error: Option<Arc<str>>,
    policy: &'a Policy,
    clock: &'a Clock,
    random: &'a mut fastrand::Rng,
    changes: &'a mut Changes,
    tally: &'a mut Tally,
}

impl Ruling<'_> {
    fn apply(&mut self) {
        let failed = matches!(self.judgement.verdict, Verdict::Retry { .. });
        self.lane.health.went(Record::of(failed, self.out, self.now));
        self.lane.answered(self.now);
        if let Some(pause) = self.judgement.pause {
            self.pause(pause);
        }
        match self.judgement.verdict {
            Verdict::Sent => {
                self.lane.refused = self.lane.refused.saturating_sub(self.taken);
                self.sent();
                self.alive();
            }
            Verdict::Rejected { culprit } => {
                self.rejected(culprit);
                self.alive();
            }
            Verdict::Forbidden => self.forbidden(),
            Verdict::RateLimited { wait, .. } => self.rate_limited(wait),
            Verdict::Retry { wait } => self.retry(wait),
            Verdict::Gone => {
                self.fail_all();
                let gone = || Arc::from("the webhook does not exist any more");
                let reason = self.error.clone().unwrap_or_else(gone);
                self.switch_off(reason);
            }
        }
    }

    fn sent(&mut self) {
        for delivery in self.lane.rows.drain(..self.taken) {
            let latency = self.wall.duration_since(delivery.created_at);
            let latency = latency.try_into().unwrap_or_default();
            self.tally
                .sent(self.lane.config.id, &delivery.event.event_type, latency);
            let change = DeliveryChange {
                id: delivery.id,
                lane: self.lane.config.id,
                outcome: Outcome::Sent,
                at: self.wall,
                attempts: delivery.attempts,
                status_code: self.judgement.status_code,
                body: self.body.clone(),
                error: None,
            };
            self.changes.deliveries.push(change);
        }
    }

    /// The endpoint does its work, whatever it thought of this message.
    fn alive(&mut self) {
        self.lane.page.after_success();
        if self.lane.health.succeeded() {
            self.announce(LaneChange::CircuitClosed {
                lane: self.lane.config.id,
            });
        }
    }

    /// One event fails; the others leave again at once, and where it is not known which one it is, in halves.
    ///
    /// With one bad event among n, at most ⌈log2 n⌉ more requests are refused: of a refused message, the first half is
    /// tried, and whatever becomes of it, what is still in doubt is about half as much.
    fn rejected(&mut self, culprit: Option<usize>) {
        let culprit = if self.taken == 1 {
            Some(0)
        } else {
            culprit.filter(|index| *index < self.taken)
        };
        match culprit.and_then(|index| self.lane.rows.remove(index)) {
            Some(delivery) => {
                self.lane.refused = 0;
                self.fail(delivery);
            }
            None => self.lane.refused = self.taken,
        }
    }

    fn forbidden(&mut self) {
        self.fail_all();
        self.lane.page.after_failure();
        let was_open = self.lane.health.is_open();
        match self.lane.health.forbidden(self.clock, self.random) {
            Ok(circuit) => self.announce_circuit(was_open, circuit),
            Err(TooOften) => {
                let error = self.error.as_deref().unwrap_or("forbidden");
                let times = super::health::FORBIDDEN_LIMIT;
                self.switch_off(format!("refused {times} messages in a row: {error}").into());
            }
        }
    }

    fn rate_limited(&mut self, wait: Duration) {
        let wait = self.lane.health.limited(wait);
        self.pause(wait);
        let until = self.now.after(wait.min(LONGEST_WAIT));
        let next_attempt_at = self.hold(until);
        for index in 0..self.taken {
            self.note(index, Outcome::Waiting { next_attempt_at });
        }
    }

    fn retry(&mut self, asked: Option<Duration>) {
        let was_open = self.lane.health.is_open();
        let circuit = self.lane.health.failed(self.clock, self.random);
        self.announce_circuit(was_open, circuit);
        self.lane.page.after_failure();

        for delivery in self.lane.rows.iter_mut().take(self.taken) {
            delivery.attempts = delivery.attempts.saturating_add(1);
        }
        let attempts = self.lane.rows.front().map_or(1, |head| head.attempts);
        self.give_up();

        let wait = match circuit {
            Some(_) => Duration::ZERO,
            None => backoff::retry(attempts, self.random),
        };
        let until = self.now.after(wait).max(self.lane.health.next_try());
        let asked = self.now.after(asked.unwrap_or_default().min(LONGEST_WAIT));
        self.lane.rest_until(asked);
        let next_attempt_at = self.hold(until.max(asked));
        for index in 0..self.taken {
            self.note(index, Outcome::Retry { next_attempt_at });
        }
        for delivery in self.lane.rows.iter().take(self.taken) {
            self.tally
                .retried(self.lane.config.id, &delivery.event.event_type);
        }
    }

    /// Fails those that have had all their attempts.
    fn give_up(&mut self) {
        let max = self.policy.max_attempts.max(1);
        let mut index = 0;
        while index < self.taken {
            if self
                .lane
                .rows
                .get(index)
                .is_none_or(|delivery| delivery.attempts < max)
            {
                index += 1;
            } else if let Some(delivery) = self.lane.rows.remove(index) {
                self.taken -= 1;
                self.failed(&delivery);
            }
        }
    }

    fn pause(&mut self, wait: Duration) {
        self.lane.pause_until(self.now.after(wait.min(LONGEST_WAIT)));
    }

    /// The deliveries of the message wait until then.
    fn hold(&mut self, until: Tick) -> Timestamp {
        let wall = self.clock.wall(until);
        self.lane.hold(self.taken, until, wall);
        wall
    }

    fn switch_off(&mut self, reason: Arc<str>) {
        self.announce(LaneChange::SwitchedOff {
            lane: self.lane.config.id,
            reason,
            at: self.wall,
        });
        if self.lane.life == Life::Active {
            self.lane.life = Life::Off;
        }
    }

    fn announce_circuit(&mut self, was_open: bool, circuit: Option<CircuitState>) {
        let Some(state) = circuit else { return };
        let lane = self.lane.config.id;
        self.announce(match was_open {
            false => LaneChange::CircuitOpened { lane, state },
            true => LaneChange::CircuitMoved { lane, state },
        });
    }

    /// A lane that has been deactivated keeps the state in which the person left it.
    fn announce(&mut self, change: LaneChange) {
        if self.lane.life == Life::Active {
            self.changes.lanes.push(change);
        }
    }

    fn fail_all(&mut self) {
        for delivery in self.lane.rows.drain(..self.taken).collect::<Vec<_>>() {
            self.fail(delivery);
        }
    }

    fn fail(&mut self, mut delivery: Delivery) {
        delivery.attempts = delivery.attempts.saturating_add(1);
        self.failed(&delivery);
    }

    fn note(&mut self, index: usize, outcome: Outcome) {
        if let Some(delivery) = self.lane.rows.get(index) {
            self.changes.deliveries.push(self.change(delivery, outcome));
        }
    }

    fn failed(&mut self, delivery: &Delivery) {
        self.tally.failed(self.lane.config.id, &delivery.event.event_type);
        let change = self.change(delivery, Outcome::Failed);
        self.changes.deliveries.push(change);
    }

    fn change(&self, delivery: &Delivery, outcome: Outcome) -> DeliveryChange {
        DeliveryChange {
            id: delivery.id,
            lane: self.lane.config.id,
            outcome,
            at: self.wall,
            attempts: delivery.attempts,
            status_code: self.judgement.status_code,
            body: self.body.clone(),
            error: self.error.clone(),
        }
    }
}
