//! When the next request may leave, and what becomes of its deliveries.
//!
//! A plain state machine: rows, judgements and a clock go in, requests and row changes come out. A turn of the loop
//! that drives it:
//!
//! 1. [`Scheduler::judged`] for every answer that has come, [`Scheduler::notice`] for every lane that was written to;
//! 2. [`Scheduler::take_changes`], and commit them;
//! 3. [`Scheduler::claims`], read the rows, [`Scheduler::supply`] each claim;
//! 4. [`Scheduler::poll`], and send the requests;
//! 5. wait for an answer, a write, or [`Scheduler::next_wake`]. Polling may yield changes of its own (deliveries that
//!    have expired), so go on to the next turn without waiting while there are [any](Scheduler::has_changes).
//!
//! Each integration is a *lane*: its deliveries leave in order of id, one request in flight. Nothing here needs
//! more than the rows (attempts, time of the next one) and the recorded circuit to start again where it was.
//!
//! No call looks at all lanes, other than [`Scheduler::configure`], [`Scheduler::notice_all`] and
//! [`Scheduler::set_policy`]: a parked lane costs its place in memory.

mod backoff;
mod change;
mod claim;
mod clock;
mod delivery;
mod dispatch;
mod flights;
mod gates;
mod health;
mod lane;
mod limiters;
mod place;
mod policy;
mod rate;
mod slots;
mod stock;
mod tally;
mod turns;
mod verdict;
mod window;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

pub use change::{Changes, DeliveryChange, LaneChange, Outcome};
pub use delivery::{Claim, Compose, Composed, Delivery, DeliveryId, LaneId, Request, RequestId};
pub use policy::{CircuitState, InARow, LaneConfig, Policy};
pub use rate::{InvalidRate, Rate};
pub use tally::{ALL_EVENTS, Counts, Tally};

use clock::{Clock, Tick};
use flights::Flights;
use gates::{Gates, Pool};
use lane::{Lane, Life, Place};
use limiters::Limiters;
use slots::Slots;
use stock::Stock;
use turns::Turns;

/// Decides for all lanes of a database.
#[derive(Debug)]
pub struct Scheduler {
    policy: Policy,
    clock: Clock,
    random: fastrand::Rng,
    lanes: BTreeMap<LaneId, Lane>,
    /// Lanes in [`Place::Waiting`].
    timers: BTreeSet<(Tick, LaneId)>,
    /// Lanes in [`Place::Hungry`].
    hungry: Turns,
    /// Lanes in [`Place::Claimed`].
    claimed: Turns,
    /// Lanes in [`Place::Ready`].
    ready: Turns,
    /// Lanes in [`Place::Recording`], and some that are not any more.
    recording: Vec<LaneId>,
    stock: Stock,
    slots: Slots,
    gates: Gates,
    limiters: Limiters,
    flights: Flights,
    turns_given: u64,
    configured: u64,
    changes: Changes,
    tally: Tally,
    batch: u64,
    draining: bool,
}

impl Scheduler {
    /// `seed` is that of the jitter.
    pub fn new(policy: Policy, seed: u64) -> Self {
        Scheduler {
            clock: Clock::new(),
            random: fastrand::Rng::with_seed(seed),
            lanes: BTreeMap::new(),
            timers: BTreeSet::new(),
            hungry: Turns::default(),
            claimed: Turns::default(),
            ready: Turns::default(),
            recording: Vec::new(),
            stock: Stock::new(policy.max_buffered),
            slots: Slots::new(policy.max_in_flight, policy.max_slow),
            gates: Gates::new(policy.discord_per_second),
            limiters: Limiters::default(),
            flights: Flights::default(),
            turns_given: 0,
            configured: 0,
            changes: Changes::default(),
            tally: Tally::default(),
            batch: 0,
            draining: false,
            policy,
        }
    }

    /// Holds from now on; requests in flight above a lower limit are let finish.
    pub fn set_policy(&mut self, policy: Policy) {
        self.stock.set(policy.max_buffered);
        self.slots.set(policy.max_in_flight, policy.max_slow);
        self.gates.set(policy.discord_per_second);
        self.policy = policy;
        self.limit();
    }

    /// Names all active integrations. Those that are new, or have a new revision, are assumed to have rows waiting. Those
    /// not named any more are forgotten, except that an answer still in flight is recorded.
    pub fn configure(&mut self, configs: Vec<LaneConfig>, now: Timestamp) {
        self.clock.read(now);
        self.configured += 1;
        for config in configs {
            self.configure_lane(config);
        }
        let gone = self
            .lanes
            .values()
            .filter(|lane| lane.configured_in != self.configured);
        let gone: Vec<LaneId> = gone.map(|lane| lane.config.id).collect();
        for id in gone {
            self.retire(id);
        }
        self.limit();
    }

    fn configure_lane(&mut self, config: LaneConfig) {
        let id = config.id;
        if self
            .lanes
            .get(&id)
            .is_some_and(|lane| lane.config != config || lane.life == Life::Retired)
        {
            self.unplace(id);
        }
        let (clock, policy, limiters) = (&self.clock, &self.policy, &mut self.limiters);
        let lane = self
            .lanes
            .entry(id)
            .or_insert_with(|| Lane::new(config.clone(), clock));
        lane.configured_in = self.configured;
        lane.configure(config, clock);
        limiters.join(lane, clock, policy);
        if lane.place == Place::Idle {
            self.settle(id);
        }
    }

    /// Rows may have been written for these lanes.
    pub fn notice(&mut self, lanes: impl IntoIterator<Item = LaneId>) {
        for id in lanes {
            let Some(lane) = self.lanes.get_mut(&id) else {
                continue;
            };
            lane.more = true;
            if lane.place == Place::Idle {
                self.settle(id);
            }
        }
    }

    /// Rows may have been written for any lane.
    pub fn notice_all(&mut self) {
        let all: Vec<LaneId> = self.lanes.keys().copied().collect();
        self.notice(all);
    }

    /// A person has made waiting rows of these lanes due: what is known of them is forgotten and read again, and neither
    /// an open circuit nor an endpoint that asked to be left alone while it does not work keeps them waiting. Rate
    /// limits hold.
    pub fn retry_now(&mut self, lanes: impl IntoIterator<Item = LaneId>) {
        for id in lanes {
            self.unplace(id);
            if let Some(lane) = self.lanes.get_mut(&id) {
                let held = lane.rows.len();
                lane.retry_now();
                self.stock.release(held - lane.rows.len());
            }
            self.settle(id);
        }
    }

    /// A person wants these lanes to be tried, whatever their endpoints have asked for: limits that were told of are forgotten,
    /// also one that holds for all of a service. Returns whether that was Discord's. What is waited for between any two
    /// requests (caps, the interval, quiet hours) is still.
    pub fn resume(&mut self, lanes: impl IntoIterator<Item = LaneId>) -> bool {
        let mut discord = false;
        let lanes: Vec<LaneId> = lanes.into_iter().collect();
        for id in &lanes {
            let Some(lane) = self.lanes.get_mut(id) else {
                continue;
            };
            lane.resume();
            discord |= lane.pool() == Pool::Discord;
            self.gates.unpark(lane.pool());
        }
        self.retry_now(lanes);
        discord
    }

    /// All of Discord is parked, as [`Changes::discord_parked_until`] said before a restart.
    pub fn park_discord(&mut self, until: Timestamp, now: Timestamp) {
        let latest = self.clock.read(now).after(lane::LONGEST_WAIT);
        self.park(Pool::Discord, self.clock.tick(until).min(latest));
    }

    /// What has changed since the last call. A lane's rows are only read again after its changes have been taken, and
    /// they have to be committed by then.
    pub fn take_changes(&mut self) -> Changes {
        self.batch += 1;
        for id in std::mem::take(&mut self.recording) {
            if self
                .lanes
                .get(&id)
                .is_some_and(|lane| lane.place == Place::Recording)
            {
                self.settle(id);
            }
        }
        std::mem::take(&mut self.changes)
    }

    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// What has come about since the last call, to be added to counters. It needs no hurry: losing it loses no delivery.
    pub fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// Requests that have left and are not judged.
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// Deliveries in memory, those in flight among them, except in slow requests.
    pub fn buffered(&self) -> usize {
        self.stock.held()
    }

    /// From now on nothing is claimed and nothing leaves; what is in flight can still be judged.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// The earliest moment at which [`claims`](Self::claims) or [`poll`](Self::poll) have something to do without
    /// anything new; in the past or present: now. Changes that wait to be taken do not count.
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
