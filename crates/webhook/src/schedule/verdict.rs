//! Verdicts: what an answer does to its deliveries and their queue.

mod doubt;
mod note;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::clock::{Clock, Tick};
use super::concurrency::Record;
use super::endpoint_queue::{Doubt, EndpointQueue, LONGEST_WAIT};
use super::gates::Avoided;
use super::health::TooOften;
use super::pool::Pool;
use super::{
    Changes, CircuitState, DeliveryChange, Outcome, Policy, QueueChange, RequestId, Scheduler, Tally, backoff,
};
use crate::outcome::{Judgement, RateScope, Verdict};

/// A digest is split after so many times [`Policy::max_attempts`]: an outage of some hours leaves it whole.
const DIGEST_PATIENCE: u32 = 4;

/// The pause before a message goes by another way once the answers of its endpoint are not taken literally any more: it may turn every
/// address away.
const LOOKS_ELSEWHERE: Duration = Duration::from_secs(1);

impl Scheduler {
    /// Takes the answer to a request, or its absence.
    ///
    /// If a person has set another URL since the request left, only success is recorded: a failure at the old endpoint says nothing of the
    /// new one.
    pub fn judged(&mut self, request: RequestId, judgement: &Judgement, now: Timestamp) {
        let now = self.clock.read(now);
        let Some(id) = self.in_flight.return_of(request) else {
            return;
        };
        let Some(queue) = self.queues.get_mut(&id) else {
            return;
        };
        let Some(in_flight) = queue.in_flight.take() else {
            return;
        };
        queue.arrived(now, self.clock.wall(now));
        self.concurrency.release(in_flight.standing, in_flight.aside);
        let way = in_flight.way;
        if let Some(way) = way {
            self.gates.back(way, in_flight.pool);
            if !in_flight.slow {
                self.gates.arrive(way, in_flight.pool, now);
            }
            match (judgement.verdict, judgement.status_code) {
                (Verdict::Unreached, _) => self.gates.unreached(way, id, now, &mut self.random),
                (_, Some(status)) => {
                    self.gates.reached(way);
                    if in_flight.pool == Pool::Discord && matches!(status, 401 | 403 | 429) {
                        self.gates.refused(way, 1, now);
                    }
                }
                (_, None) => {}
            }
        }

        let (rows, changes) = (queue.rows.len(), self.changes.deliveries.len());
        let held = queue.rows.iter().take(in_flight.taken);
        self.tally.request(id, held, &judgement.verdict);
        let current = in_flight.revision == queue.config.revision;
        // How long no queue calls the vendor.
        let parked = match judgement.verdict {
            Verdict::RateLimited {
                wait,
                scope: RateScope::Discord,
            } => Some(now.after(wait.min(LONGEST_WAIT))),
            Verdict::Blocked => {
                let blocks = way.map_or(1, |way| self.gates.blocked(way, queue.pool()));
                Some(now.after(backoff::edge(blocks, &mut self.random)))
            }
            _ => None,
        };
        let avoided = match (judgement.verdict, way) {
            (Verdict::Unreached, Some(way)) => self.gates.avoid(queue.avoided(now), way),
            _ => queue.avoided(now),
        };
        let elsewhere = way.is_some_and(|way| self.gates.elsewhere(way, queue.pool(), avoided, now));
        let asks = matches!(queue.doubt, Doubt::Asks(_));
        let circuit_was_open = queue.health.is_open();
        let mut ruling = Ruling {
            now,
            wall: self.clock.wall(now),
            body: judgement.body.as_deref().map(Arc::from),
            error: judgement.error.as_deref().map(Arc::from),
            judgement,
            taken: in_flight.taken.min(rows),
            out: now.since(in_flight.left),
            queue,
            parked,
            elsewhere: elsewhere.then_some(avoided),
            circuit_was_open,
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
        if asks {
            queue.answered_about_second();
        }
        let closed = circuit_was_open && !queue.health.is_open() && queue.doubt == Doubt::None;
        if in_flight.aside {
            queue.more |= !queue.rows.is_empty();
            queue.rows.clear();
        }
        self.prefetch.count(queue);
        if self.changes.deliveries.len() > changes {
            queue.changed_in = Some(self.batch);
        }
        if let Some(in_a_row) = queue.unrecorded() {
            self.changes.in_a_row.insert(id, in_a_row);
        }
        let pool = queue.pool();
        // The rows were read by twos while the circuit was open, and now leave in whole messages. Another message of a digest shows other
        // events, so it is read again too.
        if closed && queue.more || queue.slim && queue.doubt == Doubt::None {
            self.give_rows_back(id);
        }
        match (judgement.verdict, way) {
            (Verdict::Unavailable { .. } | Verdict::Unreached | Verdict::Blocked, _) | (_, None) => {}
            (_, Some(way)) => self.gates.passed(way, pool),
        }
        if let (Some(until), Some(way)) = (parked, way) {
            self.park(way, pool, until);
            if pool == Pool::Discord
                && let Some(until) = self.gates.way_parked_until(way, pool)
            {
                self.changes.discord_parked.insert(way, self.clock.wall(until));
            }
        } else if pool == Pool::Discord || judgement.verdict == Verdict::Unreached {
            self.give_up_places(Pool::Discord);
        }
        self.settle(id);
    }
}

struct Ruling<'a> {
    judgement: &'a Judgement,
    /// The number of deliveries in the message, which are the first of the queue.
    taken: usize,
    /// How long the request was in flight.
    out: Duration,
    queue: &'a mut EndpointQueue,
    parked: Option<Tick>,
    /// The ways that the queue avoids, if there is another way for the message.
    elsewhere: Option<Avoided>,
    circuit_was_open: bool,
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
        let failed = matches!(
            self.judgement.verdict,
            Verdict::Retry { .. } | Verdict::Unavailable { .. } | Verdict::Unreached
        );
        if self.judgement.verdict != Verdict::Unreached || self.elsewhere.is_none() {
            self.queue.health.went(Record::of(failed, self.out, self.now));
        }
        self.queue.answered(self.now);
        if let Some(pause) = self.judgement.pause {
            self.pause(pause);
        }
        match self.judgement.verdict {
            Verdict::Sent => {
                self.queue.refused = self.queue.refused.saturating_sub(self.taken);
                self.sent();
                self.alive();
            }
            Verdict::Rejected { culprit } => {
                self.rejected(culprit);
                self.alive();
            }
            Verdict::Forbidden => self.forbidden(),
            Verdict::Misdirected => self.misdirected(),
            Verdict::RateLimited {
                wait,
                scope: RateScope::Discord,
            } if self.elsewhere.is_some() => {
                self.queue.health.limited(wait);
                self.move_on();
            }
            Verdict::RateLimited { wait, .. } => self.rate_limited(wait),
            Verdict::Blocked if self.elsewhere.is_some() => self.wait_until(self.now),
            Verdict::Blocked => self.wait_until(self.parked.unwrap_or(self.now)),
            Verdict::Unreached if self.elsewhere.is_some() => {
                self.queue.avoid(self.elsewhere.unwrap_or_default(), self.now);
                self.wait_until(self.now);
            }
            Verdict::Retry { wait } => {
                let circuit = self.queue.health.failed(self.clock, self.random);
                self.doubt();
                self.split_digest();
                self.retry(wait.map(|wait| wait.min(backoff::LONGEST_ASKED)), circuit);
                self.ask(wait);
            }
            Verdict::Unavailable { .. } | Verdict::Unreached => {
                let wait = match self.judgement.verdict {
                    Verdict::Unavailable { wait } => wait,
                    _ => None,
                };
                if self.judgement.verdict == Verdict::Unreached {
                    // It was reached by none of the ways. The next time all of them are tried.
                    self.queue.forget_ways();
                }
                let circuit = self.queue.health.unavailable(self.clock, self.random);
                let last = self.queue.rows.get(self.taken.saturating_sub(1));
                self.queue.blameless = self.queue.blameless.max(last.map(|delivery| delivery.id));
                // The wait is not the endpoint's own wish, so it is bounded.
                self.retry(wait.map(|wait| wait.min(backoff::LONGEST)), circuit);
            }
            Verdict::Gone => {
                self.fail_all();
                let gone = || Arc::from("the webhook does not exist any more");
                let reason = self.error.clone().unwrap_or_else(gone);
                self.switch_off(reason);
            }
        }
    }

    fn sent(&mut self) {
        for delivery in self.queue.rows.drain(..self.taken) {
            let latency = self.wall.duration_since(delivery.created_at);
            let latency = latency.try_into().unwrap_or_default();
            self.tally
                .sent(self.queue.config.id, &delivery.event.event_type, latency);
            let change = DeliveryChange {
                id: delivery.id,
                queue: self.queue.config.id,
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

    /// Notes that the endpoint works, whatever it said of this message.
    fn alive(&mut self) {
        self.queue.page.after_success();
        self.suspect();
        if self.queue.health.succeeded() {
            self.announce(QueueChange::CircuitClosed {
                queue: self.queue.config.id,
            });
        }
    }

    /// Handles a refused message: one event fails and the others leave again at once, or, if it is unknown which one is to blame, halves
    /// are tried.
    ///
    /// With one bad event among n, at most ⌈log2 n⌉ more requests are refused: of a refused message, the first half is
    /// tried, and whatever becomes of it, what is still in doubt is about half as much.
    fn rejected(&mut self, culprit: Option<usize>) {
        let culprit = if self.taken == 1 {
            Some(0)
        } else if self.queue.config.digest.is_some() {
            // The index names a part of the digest, and no event.
            None
        } else {
            culprit.filter(|index| *index < self.taken)
        };
        match culprit.and_then(|index| self.queue.rows.remove(index)) {
            Some(delivery) => {
                self.queue.refused = 0;
                self.fail(delivery);
            }
            None => self.queue.refused = self.taken,
        }
    }

    fn forbidden(&mut self) {
        if self.queue.config.digest.is_some() {
            // No event is to blame, and those of hours are not failed for one answer about the channel.
            return self.misdirected();
        }
        self.fail_all();
        self.queue.page.after_failure();
        let was_open = self.queue.health.is_open();
        match self.queue.health.forbidden(self.clock, self.random) {
            Ok(circuit) => self.announce_circuit(was_open, circuit),
            Err(TooOften) => {
                let error = self.error.as_deref().unwrap_or("forbidden");
                let times = super::health::FORBIDDEN_LIMIT;
                self.switch_off(format!("refused {times} messages in a row: {error}").into());
            }
        }
    }

    /// Keeps what the message holds; what waits behind it would fare no better.
    fn misdirected(&mut self) {
        let was_open = self.queue.health.is_open();
        match self.queue.health.misdirected(self.clock, self.random) {
            Ok(circuit) => {
                self.announce_circuit(was_open, circuit);
                self.keep(Duration::ZERO);
            }
            Err(TooOften) => {
                self.fail_all();
                let error = self.error.clone();
                self.switch_off(error.unwrap_or_else(|| Arc::from("the channel takes no messages")));
            }
        }
    }

    fn rate_limited(&mut self, wait: Duration) {
        let wait = self.queue.health.limited(wait);
        self.pause(wait);
        self.wait_until(self.now.after(wait.min(LONGEST_WAIT)));
    }

    /// Sends the message by another way, since this address has to wait.
    fn move_on(&mut self) {
        let wait = match self.queue.health.trusts_waits() {
            true => Duration::ZERO,
            false => LOOKS_ELSEWHERE,
        };
        self.wait_until(self.now.after(wait));
    }

    /// Waits until a moment, which is no attempt.
    fn wait_until(&mut self, until: Tick) {
        let next_attempt_at = self.hold(until);
        for index in 0..self.taken {
            self.note(index, Outcome::Waiting { next_attempt_at });
        }
    }

    fn retry(&mut self, asked: Option<Duration>, circuit: Option<CircuitState>) {
        let was_open = self.circuit_was_open;
        self.announce_circuit(was_open, circuit);
        let asked = asked.unwrap_or_default();
        self.queue.rest_until(self.now.after(asked));
        let wait = match circuit {
            Some(_) => asked,
            None => asked.max(backoff::retry(self.queue.health.failures(), self.random)),
        };
        self.keep(wait);
    }

    /// Keeps what the message holds, to be tried again.
    fn keep(&mut self, wait: Duration) {
        self.queue.page.after_failure();
        for delivery in self.queue.rows.iter_mut().take(self.taken) {
            delivery.attempts = delivery.attempts.saturating_add(1);
        }
        let until = self.now.after(wait).max(self.queue.health.next_try());
        let next_attempt_at = self.hold(until);
        for index in 0..self.taken {
            self.note(index, Outcome::Retry { next_attempt_at });
        }
        for delivery in self.queue.rows.iter().take(self.taken) {
            self.tally
                .retried(self.queue.config.id, &delivery.event.event_type);
        }
    }

    fn pause(&mut self, wait: Duration) {
        self.queue.pause_until(self.now.after(wait.min(LONGEST_WAIT)));
    }

    /// Holds the deliveries of the message until a moment.
    fn hold(&mut self, until: Tick) -> Timestamp {
        let wall = self.clock.wall(until);
        self.queue.hold(self.taken, until, wall);
        wall
    }
}
