//! The scheduler: when the next request may leave, and what becomes of its deliveries.
//!
//! A plain state machine: rows, judgements and a clock go in, requests and row changes come out. A turn of the loop
//! that drives it:
//!
//! 1. [`Scheduler::judged`] for every answer that has come, [`Scheduler::notice`] for every queue that was written to;
//! 2. [`Scheduler::take_changes`], and commit them;
//! 3. [`Scheduler::claims`], read the rows, [`Scheduler::supply`] each claim;
//! 4. [`Scheduler::poll`], and send the requests;
//! 5. wait for an answer, a write, or [`Scheduler::next_wake`]. Polling may yield changes of its own (deliveries that
//!    have expired), so go on to the next turn without waiting while there are [any](Scheduler::has_changes).
//!
//! Each webhook is a *queue*: its deliveries leave in order of id, one request in flight. Nothing here needs
//! more than the rows (attempts, time of the next one) and the recorded circuit to start again where it was.
//!
//! No call looks at all queues, other than [`Scheduler::configure`], [`Scheduler::notice_all`] and
//! [`Scheduler::set_policy`]: a parked queue costs its place in memory.

mod age;
mod backoff;
mod change;
mod claim;
mod clock;
mod concurrency;
mod delivery;
mod dispatch;
mod endpoint_queue;
mod gate;
mod gates;
mod health;
mod in_flight;
mod limiter;
mod limiters;
mod member;
mod page;
mod policy;
mod pool;
mod prefetch;
mod rate_limits;
mod reach;
mod refusals;
mod run_queue;
mod shared_ways;
mod slow_requests;
mod state;
mod tally;
mod verdict;
mod way_counts;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

pub use crate::ids::{DeliveryId, QueueId, RequestId};
pub use crate::rate::{InvalidRate, Rate};
pub use age::Age;
pub(crate) use backoff::LONGEST as LONGEST_RETRY;
pub use change::{Changes, DeliveryChange, Outcome, QueueChange};
pub use delivery::{Claim, Compose, Composed, Delivery, Request};
pub use policy::{CircuitState, InARow, Policy, QueueConfig};
pub use shared_ways::SharedWays;
pub use tally::{ALL_EVENTS, Counts, Tally};
pub use way_counts::{WayCounts, WayReport};

use clock::{Clock, Tick};
use concurrency::ConcurrencyLimiter;
use endpoint_queue::{EndpointQueue, Life, State};
use in_flight::InFlightRequests;
use limiters::Limiters;
use pool::Pool;
use prefetch::PrefetchBuffer;
use run_queue::RunQueue;
use shared_ways::Ways;

use crate::way::WayId;

/// Schedules all queues of a database.
#[derive(Debug)]
pub struct Scheduler {
    policy: Policy,
    clock: Clock,
    random: fastrand::Rng,
    queues: BTreeMap<QueueId, EndpointQueue>,
    /// Queues in [`State::Waiting`].
    timers: BTreeSet<(Tick, QueueId)>,
    /// Queues in [`State::Hungry`].
    hungry: RunQueue,
    /// Queues in [`State::Claimed`].
    claimed: RunQueue,
    /// Queues in [`State::Ready`].
    ready: RunQueue,
    /// Queues in [`State::Recording`], and some that are not any more.
    recording: Vec<QueueId>,
    prefetch: PrefetchBuffer,
    concurrency: ConcurrencyLimiter,
    gates: Ways,
    /// Until when Discord was parked when its queues gave up their places.
    parked_until: Tick,
    limiters: Limiters,
    in_flight: InFlightRequests,
    numbers_given: u64,
    configured: u64,
    changes: Changes,
    tally: Tally,
    batch: u64,
    draining: bool,
}

impl Scheduler {
    /// Makes a scheduler without queues. `seed` is that of the jitter.
    pub fn new(policy: Policy, seed: u64) -> Self {
        Self::sharing(SharedWays::new(), policy, seed)
    }

    /// One of several that send by the same ways out, each for its database. Before anything else, [`Scheduler::synchronize`] it.
    pub fn sharing(ways: SharedWays, policy: Policy, seed: u64) -> Self {
        Scheduler {
            clock: Clock::new(),
            random: fastrand::Rng::with_seed(seed),
            queues: BTreeMap::new(),
            timers: BTreeSet::new(),
            hungry: RunQueue::default(),
            claimed: RunQueue::default(),
            ready: RunQueue::default(),
            recording: Vec::new(),
            prefetch: PrefetchBuffer::new(policy.max_buffered),
            concurrency: ConcurrencyLimiter::new(policy.max_in_flight, policy.max_slow),
            gates: ways.join(&policy),
            parked_until: Tick::DISTANT_PAST,
            limiters: Limiters::default(),
            in_flight: InFlightRequests::default(),
            numbers_given: 0,
            configured: 0,
            changes: Changes::default(),
            tally: Tally::default(),
            batch: 0,
            draining: false,
            policy,
        }
    }

    /// Says what the clock of the shared ways is while this scheduler's is `now`. Whenever the latter may have been set.
    pub fn synchronize(&mut self, now: Timestamp, shared: Duration) {
        let now = self.clock.read(now);
        self.gates.synchronize(now, shared);
    }

    /// Returns whether something has become otherwise for those that share the ways since the last call: they may have something to
    /// send, or to wait for, that [`Scheduler::next_wake`] did not know.
    pub fn has_changed_ways(&mut self) -> bool {
        self.gates.take_changed()
    }

    /// Sets the policy. Requests in flight above a lower limit are not given up.
    pub fn set_policy(&mut self, policy: Policy) {
        self.prefetch.set(policy.max_buffered);
        self.concurrency.set(policy.max_in_flight, policy.max_slow);
        self.gates.set(&policy);
        self.policy = policy;
        self.limit();
    }

    /// Sets the active webhooks. Those that are new, or have a new revision, are assumed to have rows waiting. Those that are missing are
    /// forgotten, except that an answer to a request in flight is recorded.
    pub fn configure(&mut self, configs: Vec<QueueConfig>, now: Timestamp) {
        self.clock.read(now);
        self.configured += 1;
        for config in configs {
            self.configure_queue(config);
        }
        let gone = self
            .queues
            .values()
            .filter(|queue| queue.configured_in != self.configured);
        let gone: Vec<QueueId> = gone.map(|queue| queue.config.id).collect();
        for id in gone {
            self.retire(id);
        }
        self.limit();
        self.say_what_it_wants();
    }

    fn configure_queue(&mut self, config: QueueConfig) {
        let id = config.id;
        if self
            .queues
            .get(&id)
            .is_some_and(|queue| queue.config != config || queue.life == Life::Retired)
        {
            self.leave_state(id);
        }
        if self
            .queues
            .get(&id)
            .is_some_and(|queue| queue.slim && config.digest.is_none())
        {
            self.give_rows_back(id);
        }
        let (clock, policy, limiters) = (&self.clock, &self.policy, &mut self.limiters);
        let queue = self
            .queues
            .entry(id)
            .or_insert_with(|| EndpointQueue::new(config.clone(), clock));
        queue.configured_in = self.configured;
        queue.configure(config, clock);
        self.prefetch.count(queue);
        limiters.join(queue, clock, policy);
        if queue.state == State::Idle {
            self.settle(id);
        }
    }

    /// Notes that rows may have been written for these queues.
    pub fn notice(&mut self, queues: impl IntoIterator<Item = QueueId>) {
        for id in queues {
            let Some(queue) = self.queues.get_mut(&id) else {
                continue;
            };
            queue.more = true;
            if queue.state == State::Idle {
                self.settle(id);
            }
        }
    }

    /// Notes that rows may have been written for any queue.
    pub fn notice_all(&mut self) {
        let all: Vec<QueueId> = self.queues.keys().copied().collect();
        self.notice(all);
    }

    /// Makes these queues try at once, since a person has made waiting rows due: their rows are read again, and neither an open circuit nor
    /// the wait that a failing endpoint has asked for holds them. Rate limits hold.
    pub fn retry_now(&mut self, queues: impl IntoIterator<Item = QueueId>) {
        for id in queues {
            self.leave_state(id);
            if let Some(queue) = self.queues.get_mut(&id) {
                queue.retry_now();
                self.prefetch.count(queue);
            }
            self.settle(id);
        }
    }

    /// Makes these queues try at once, since a person wants it, whatever their endpoints have asked for: limits that endpoints have told of
    /// are forgotten, also one that holds for all of a service. Returns whether there was one of Discord's. Our own limits between two
    /// requests (caps, the interval, quiet hours) hold.
    pub fn resume(&mut self, queues: impl IntoIterator<Item = QueueId>) -> bool {
        let mut discord = false;
        let queues: Vec<QueueId> = queues.into_iter().collect();
        for id in &queues {
            let Some(queue) = self.queues.get_mut(id) else {
                continue;
            };
            queue.resume();
            discord |= queue.pool() == Pool::Discord;
            self.gates.unpark(queue.pool());
        }
        self.retry_now(queues);
        discord
    }

    /// Sets the ways out; an empty list leaves them as they are. What is known of those that stay is kept. A new scheduler has the direct
    /// way alone.
    pub fn set_ways(&mut self, ways: &[WayId]) {
        if self.gates.set_ways(ways) {
            for queue in self.queues.values_mut() {
                queue.forget_ways();
            }
        }
    }

    /// Parks all Discord queues on this way, as [`Changes::discord_parked`] said before a restart.
    pub fn park_discord(&mut self, way: WayId, until: Timestamp, now: Timestamp) {
        let latest = self.clock.read(now).after(endpoint_queue::LONGEST_WAIT);
        self.park(way, Pool::Discord, self.clock.tick(until).min(latest));
    }

    /// Notes that Discord refused so many requests on this way before a restart ([`WayCounts::refused`]). Calls are in the order of time.
    pub fn remember_refused(&mut self, way: WayId, count: u32, at: Timestamp, now: Timestamp) {
        let now = self.clock.read(now);
        let at = self.clock.tick(at).min(now);
        self.gates.remember_refused(way, count, at);
        self.give_up_places(Pool::Discord);
    }

    /// Takes what has been counted of each way since the last call.
    pub fn take_ways(&mut self) -> Vec<WayReport> {
        let counts = self.gates.take_counts();
        let reports = counts.into_iter().map(|(way, counts, down)| WayReport {
            way,
            counts,
            down_until: down.map(|until| self.clock.wall(until)),
        });
        reports.collect()
    }

    /// Returns until when nothing leaves to Discord's own hosts by any way: they are parked, or have refused as many requests as they may.
    /// None: requests may leave.
    pub fn discord_parked_until(&self) -> Option<Timestamp> {
        let until = self.gates.parked_until(Pool::Discord, self.clock.now());
        (until > self.clock.now()).then(|| self.clock.wall(until))
    }

    /// Ends the parks, since a person wants Discord to be tried. What a single webhook has been told holds.
    pub fn unpark_discord(&mut self) {
        self.gates.unpark(Pool::Discord);
    }

    /// Takes what has changed since the last call. A queue's rows are only read again after its changes have been taken, and they have to
    /// be committed by then.
    pub fn take_changes(&mut self) -> Changes {
        self.batch += 1;
        for id in std::mem::take(&mut self.recording) {
            if self
                .queues
                .get(&id)
                .is_some_and(|queue| queue.state == State::Recording)
            {
                self.settle(id);
            }
        }
        std::mem::take(&mut self.changes)
    }

    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Takes what has been counted since the last call. There is no hurry: losing it loses no delivery.
    pub fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// Returns the number of requests in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Returns the number of deliveries in memory, including those in flight, except those in slow requests.
    pub fn buffered(&self) -> usize {
        self.prefetch.held()
    }

    /// Stops claiming and sending. Answers to requests in flight can still be judged.
    pub fn drain(&mut self) {
        self.draining = true;
        self.gates.want(false);
    }

    /// Returns the earliest moment at which [`claims`](Self::claims) or [`poll`](Self::poll) have something to do without anything new. A
    /// moment that is not in the future means now. Changes that wait to be taken do not count.
    pub fn next_wake(&self) -> Option<Timestamp> {
        if self.draining {
            return None;
        }
        let timer = self.timers.first().map(|(tick, _)| *tick);
        let wake = [timer, self.next_dispatch(), self.next_claim()]
            .into_iter()
            .flatten()
            .min()?;
        Some(self.clock.wall(wake))
    }
}
