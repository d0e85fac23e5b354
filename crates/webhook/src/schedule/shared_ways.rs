//! The ways out of a process, for the schedulers of several databases: what a vendor says to one of them holds for the address, so for all.

use std::cell::Cell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::Tick;
use super::gate::{Gate, Limits};
use super::gates::{Avoided, Gates};
use super::member::Member;
use super::pool::Pool;
use super::{Policy, QueueId, WayCounts};
use crate::kinds::EndpointKind;
use crate::way::WayId;

/// Ways out that several schedulers share: their rates, parks and reach. What Discord refuses is counted for each scheduler by itself, so
/// that one whose webhooks are refused holds up no other. Clones are the same ways.
///
/// Of a rate, each of those that have something waiting gets as much as every other; one that waits alone gets all of it. The rate is the
/// lowest of their policies.
#[derive(Clone, Debug)]
pub struct SharedWays(Arc<Mutex<Gates>>);

impl SharedWays {
    /// The direct way alone.
    pub fn new() -> Self {
        SharedWays(Arc::new(Mutex::new(Gates::new())))
    }

    fn lock(&self) -> MutexGuard<'_, Gates> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a scheduler use them.
    pub(super) fn join(self, policy: &Policy) -> Ways {
        let member = self.lock().join(Limits {
            per_second: policy.discord_per_second,
            refusals: policy.discord_refusals,
            wants: false,
        });
        Ways {
            shared: self,
            member,
            ahead: 0,
            seen: Cell::new(Tick::DISTANT_PAST),
            changed: false,
        }
    }
}

/// A scheduler that goes, also by a panic, leaves nothing behind that others would wait for.
impl Drop for Ways {
    fn drop(&mut self) {
        self.shared.lock().quit(self.member, self.seen.get());
    }
}

impl Default for SharedWays {
    fn default() -> Self {
        Self::new()
    }
}

/// A scheduler's hold of the ways. Times go in and come out by its own clock.
#[derive(Debug)]
pub(super) struct Ways {
    shared: SharedWays,
    member: Member,
    /// How far the scheduler's clock is ahead of that of the ways, in microseconds.
    ahead: i64,
    /// The latest time that was said of the ways' clock.
    seen: Cell<Tick>,
    /// Something is otherwise for the other schedulers.
    changed: bool,
}

impl Ways {
    /// Says what the clock of the ways is while the scheduler's is `now`.
    pub(super) fn synchronize(&mut self, now: Tick, shared: Duration) {
        self.ahead = now.ahead_of(shared);
    }

    fn to_shared(&self, tick: Tick) -> Tick {
        tick.shifted(self.ahead.saturating_neg())
    }

    /// The same of the present.
    fn now(&self, now: Tick) -> Tick {
        let now = self.to_shared(now);
        self.seen.set(now.max(self.seen.get()));
        now
    }

    fn to_own(&self, tick: Tick) -> Tick {
        tick.shifted(self.ahead)
    }

    fn gate<T>(&self, way: WayId, with: impl FnOnce(&mut Gate) -> T) -> Option<T> {
        self.shared.lock().gate(way).map(with)
    }

    /// The same, of what is otherwise for other schedulers by then.
    fn change(&mut self, way: WayId, with: impl FnOnce(&mut Gate)) {
        self.gate(way, with);
        self.changed = true;
    }

    /// Returns whether something has become otherwise for the other schedulers since the last call.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    pub(super) fn set(&mut self, policy: &Policy) {
        let (per_second, refusals) = (policy.discord_per_second, policy.discord_refusals);
        self.shared.lock().set(self.member, per_second, refusals);
        self.changed = true;
    }

    /// None: nothing is changed.
    pub(super) fn set_ways(&mut self, ways: &[WayId]) -> bool {
        self.shared.lock().set_ways(ways)
    }

    /// Notes whether something of Discord's waits for its turn.
    pub(super) fn want(&mut self, wants: bool) {
        self.changed |= self.shared.lock().want(self.member, wants);
    }

    pub(super) fn leave(&mut self, way: WayId, pool: Pool) {
        self.gate(way, |gate| gate.leave(self.member, pool));
    }

    /// A request that had left has arrived by now.
    pub(super) fn arrive(&mut self, way: WayId, pool: Pool, now: Tick) {
        let (member, now) = (self.member, self.now(now));
        self.change(way, |gate| gate.arrive(member, pool, now));
    }

    /// A request is not out any more.
    pub(super) fn back(&mut self, way: WayId, pool: Pool) {
        let member = self.member;
        self.change(way, |gate| gate.back(member, pool));
    }

    /// The edge has turned a request away; returns how often in a row.
    pub(super) fn blocked(&mut self, way: WayId, pool: Pool) -> u32 {
        self.gate(way, |gate| gate.blocked(pool)).unwrap_or(1)
    }

    /// Somebody behind the edge has answered.
    pub(super) fn passed(&mut self, way: WayId, pool: Pool) {
        self.change(way, |gate| gate.passed(pool));
    }

    /// Somebody has answered.
    pub(super) fn reached(&mut self, way: WayId) {
        self.change(way, Gate::reached);
    }

    /// No connection came about.
    pub(super) fn unreached(&mut self, way: WayId, queue: QueueId, now: Tick, random: &mut fastrand::Rng) {
        let (queue, now) = ((self.member, queue), self.now(now));
        self.shared.lock().unreached(way, queue, now, random);
    }

    /// Discord has refused so many requests.
    pub(super) fn refused(&mut self, way: WayId, count: u32, now: Tick) {
        self.gate(way, |gate| gate.refused(self.member, count, self.now(now)));
    }

    /// The same in an earlier life.
    pub(super) fn remember_refused(&mut self, way: WayId, count: u32, at: Tick) {
        self.gate(way, |gate| {
            gate.remember_refused(self.member, count, self.to_shared(at))
        });
    }

    /// All queues of the pool wait, whoever's they are.
    pub(super) fn park(&mut self, way: WayId, pool: Pool, until: Tick) {
        self.shared.lock().park(way, pool, self.to_shared(until));
        self.changed = true;
    }

    pub(super) fn unpark(&mut self, pool: Pool) {
        self.shared.lock().unpark(pool);
        self.changed = true;
    }

    /// Until when nothing leaves by any way: the vendor has parked it, or it leads nowhere while others may.
    pub(super) fn parked_until(&self, pool: Pool, now: Tick) -> Tick {
        let now = self.now(now);
        self.to_own(self.shared.lock().parked_until(self.member, pool, now))
    }

    /// Until when nothing leaves by this one, by the word of the vendor.
    pub(super) fn way_parked_until(&self, way: WayId, pool: Pool) -> Option<Tick> {
        let until = self.shared.lock().way_parked_until(way, pool);
        until.map(|until| self.to_own(until))
    }

    /// When the next request may leave by some way; None: not before one has arrived.
    pub(super) fn opens_at(&self, pool: Pool, now: Tick) -> Option<Tick> {
        let now = self.now(now);
        let opens = self.shared.lock().opens_at(self.member, pool, now);
        opens.map(|opens| self.to_own(opens))
    }

    /// The way of a queue. `Err`: when to look again.
    pub(super) fn choose(
        &self,
        pool: Pool,
        kind: EndpointKind,
        queue: QueueId,
        avoided: Avoided,
        now: Tick,
    ) -> Result<WayId, Tick> {
        let (queue, now) = ((self.member, queue), self.now(now));
        let chosen = self.shared.lock().choose(pool, kind, queue, avoided, now);
        chosen.map_err(|again| self.to_own(again))
    }

    /// Whether what could not leave by this way can by another one.
    pub(super) fn elsewhere(&self, way: WayId, pool: Pool, avoided: Avoided, now: Tick) -> bool {
        let now = self.now(now);
        self.shared.lock().elsewhere(way, self.member, pool, avoided, now)
    }

    /// These, and this one.
    pub(super) fn avoid(&self, avoided: Avoided, way: WayId) -> Avoided {
        self.shared.lock().avoid(avoided, way)
    }

    /// What has come about since the last call, of each way; and until when it is taken to lead nowhere.
    pub(super) fn take_counts(&mut self) -> Vec<(WayId, WayCounts, Option<Tick>)> {
        let counts = self.shared.lock().take_counts();
        let own = |(way, counts, down): (WayId, WayCounts, Option<Tick>)| {
            (way, counts, down.map(|until| self.to_own(until)))
        };
        counts.into_iter().map(own).collect()
    }
}
