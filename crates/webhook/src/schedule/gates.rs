//! What holds up many queues at once: what the vendors allow an address. Each way out is an address of its own.

use std::time::Duration;

use super::QueueId;
use super::clock::Tick;
use super::concurrency::SLOW;
use super::rate::Rate;
use super::reach::Reach;
use super::refusals::Refusals;
use super::window::Window;
use super::{Policy, WayCounts};
use crate::endpoint::{EndpointKind, Vendor, WebhookType};
use crate::way::WayId;

/// Queues that share a rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pool {
    /// Discord's own hosts: capped, and parked by a global limit.
    Discord,
    /// Hosts that speak like Discord: parked together as well, but not capped.
    DiscordLike,
    /// Each queue is on its own.
    Open,
}

impl Pool {
    pub(super) const ALL: [Pool; 3] = [Pool::Discord, Pool::DiscordLike, Pool::Open];

    pub(super) fn of(kind: EndpointKind, vendor: Vendor) -> Self {
        match (vendor, kind) {
            (Vendor::Of(WebhookType::Discord), _) => Pool::Discord,
            (_, EndpointKind::Discord) => Pool::DiscordLike,
            _ => Pool::Open,
        }
    }
}

/// Ways that a queue had better not take: a bit for each place in their list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Avoided(u32);

/// The gates of all ways out.
#[derive(Debug)]
pub(super) struct Gates {
    /// Never none, in the order of the setting.
    ways: Vec<Gate>,
    per_second: u32,
    refusals: u32,
}

/// Those of one way.
#[derive(Debug)]
struct Gate {
    way: WayId,
    discord: Window,
    refusals: Refusals,
    parked_until: [Tick; Pool::ALL.len()],
    /// Requests that are out.
    out: [usize; Pool::ALL.len()],
    /// How often in a row the edge has turned a request away. As long as it does, one at a time finds out whether it
    /// still does.
    blocked: [u32; Pool::ALL.len()],
    reach: Reach,
    counts: WayCounts,
}

impl Gate {
    fn new(way: WayId, per_second: u32, refusals: u32) -> Self {
        Gate {
            way,
            discord: Window::new(Rate::per_second(per_second)),
            refusals: Refusals::new(refusals),
            parked_until: [Tick::DISTANT_PAST; Pool::ALL.len()],
            out: [0; Pool::ALL.len()],
            blocked: [0; Pool::ALL.len()],
            reach: Reach::default(),
            counts: WayCounts::default(),
        }
    }

    fn parked_until(&self, pool: Pool) -> Tick {
        let parked = self.parked_until[pool as usize];
        match pool {
            Pool::Discord => parked.max(self.refusals.opens_at(0).unwrap_or(Tick::DISTANT_PAST)),
            _ => parked,
        }
    }

    /// When the next request may leave, as far as the vendor is concerned; None: not before one has arrived.
    fn opens_at(&self, pool: Pool) -> Option<Tick> {
        let out = self.out[pool as usize];
        if self.blocked[pool as usize] > 0 && out > 0 {
            return None;
        }
        let parked = self.parked_until[pool as usize];
        match pool {
            Pool::Discord => {
                let (rate, refusals) = (self.discord.opens_at()?, self.refusals.opens_at(out)?);
                Some(rate.max(refusals).max(parked))
            }
            _ => Some(parked),
        }
    }
}

impl Gates {
    /// With the direct way alone.
    pub(super) fn new(policy: &Policy) -> Self {
        let (per_second, refusals) = (policy.discord_per_second, policy.discord_refusals);
        Gates {
            ways: vec![Gate::new(WayId::DIRECT, per_second, refusals)],
            per_second,
            refusals,
        }
    }

    pub(super) fn set(&mut self, policy: &Policy) {
        (self.per_second, self.refusals) = (policy.discord_per_second, policy.discord_refusals);
        for gate in &mut self.ways {
            let _ = gate.discord.set(Rate::per_second(self.per_second));
            gate.refusals.set(self.refusals);
        }
    }

    /// What is known of ways that stay is kept. None: nothing is changed.
    pub(super) fn set_ways(&mut self, ways: &[WayId]) -> bool {
        if ways.is_empty() || self.ways.iter().map(|gate| &gate.way).eq(ways) {
            return false;
        }
        let mut known = std::mem::take(&mut self.ways);
        let gates = ways.iter().map(|way| {
            let place = known.iter().position(|gate| gate.way == *way);
            let fresh = || Gate::new(*way, self.per_second, self.refusals);
            place.map_or_else(fresh, |place| known.swap_remove(place))
        });
        self.ways = gates.collect();
        true
    }

    fn gate(&mut self, way: WayId) -> Option<&mut Gate> {
        self.ways.iter_mut().find(|gate| gate.way == way)
    }

    pub(super) fn leave(&mut self, way: WayId, pool: Pool) {
        let Some(gate) = self.gate(way) else { return };
        gate.counts.requests += 1;
        gate.out[pool as usize] += 1;
        if pool == Pool::Discord {
            gate.discord.leave();
        }
    }

    /// A request that had left has arrived by now.
    pub(super) fn arrive(&mut self, way: WayId, pool: Pool, now: Tick) {
        if let Some(gate) = self.gate(way)
            && pool == Pool::Discord
        {
            gate.discord.arrive(now);
        }
    }

    /// A request is not out any more.
    pub(super) fn back(&mut self, way: WayId, pool: Pool) {
        if let Some(gate) = self.gate(way) {
            let out = &mut gate.out[pool as usize];
            *out = out.saturating_sub(1);
        }
    }

    /// The edge has turned a request away; returns how often in a row.
    pub(super) fn blocked(&mut self, way: WayId, pool: Pool) -> u32 {
        let Some(gate) = self.gate(way) else { return 1 };
        let blocked = &mut gate.blocked[pool as usize];
        *blocked = blocked.saturating_add(1);
        *blocked
    }

    /// Somebody behind the edge has answered.
    pub(super) fn passed(&mut self, way: WayId, pool: Pool) {
        if let Some(gate) = self.gate(way) {
            gate.blocked[pool as usize] = 0;
        }
    }

    /// Somebody has answered.
    pub(super) fn reached(&mut self, way: WayId) {
        if let Some(gate) = self.gate(way) {
            gate.counts.reached += 1;
            gate.reach.reached();
        }
    }

    /// No connection came about.
    pub(super) fn unreached(&mut self, way: WayId, queue: QueueId, now: Tick, random: &mut fastrand::Rng) {
        let several = self.ways.len() > 1;
        if let Some(gate) = self.gate(way) {
            gate.counts.unreached += 1;
            if several {
                gate.reach.failed(queue, now, random);
            }
        }
    }

    /// Discord has refused so many requests.
    pub(super) fn refused(&mut self, way: WayId, count: u32, now: Tick) {
        if let Some(gate) = self.gate(way) {
            gate.refusals.add(count, now);
            gate.counts.refused += u64::from(count);
        }
    }

    /// The same in an earlier life.
    pub(super) fn remember_refused(&mut self, way: WayId, count: u32, at: Tick) {
        if let Some(gate) = self.gate(way) {
            gate.refusals.add(count, at);
        }
    }

    /// All queues wait, those of [`Pool::Open`] excepted: nothing speaks for all of them.
    pub(super) fn park(&mut self, way: WayId, pool: Pool, until: Tick) {
        if let Some(gate) = self.gate(way)
            && pool != Pool::Open
        {
            let parked_until = &mut gate.parked_until[pool as usize];
            *parked_until = until.max(*parked_until);
        }
    }

    pub(super) fn unpark(&mut self, pool: Pool) {
        for gate in &mut self.ways {
            gate.parked_until[pool as usize] = Tick::DISTANT_PAST;
        }
    }

    /// Until when nothing leaves by any way.
    pub(super) fn parked_until(&self, pool: Pool) -> Tick {
        let parked = self.ways.iter().map(|gate| gate.parked_until(pool));
        parked.min().unwrap_or(Tick::DISTANT_PAST)
    }

    /// Until when nothing leaves by this one, by the word of the vendor.
    pub(super) fn way_parked_until(&self, way: WayId, pool: Pool) -> Option<Tick> {
        let mut ways = self.ways.iter();
        let gate = ways.find(|gate| gate.way == way)?;
        Some(gate.parked_until[pool as usize])
    }

    /// When the next request may leave by some way; None: not before one has arrived.
    pub(super) fn opens_at(&self, pool: Pool, now: Tick) -> Option<Tick> {
        let ways = 0..self.ways.len();
        ways.filter_map(|place| self.way_opens_at(place, pool, now)).min()
    }

    fn way_opens_at(&self, place: usize, pool: Pool, now: Tick) -> Option<Tick> {
        let gate = self.ways.get(place)?;
        let opens = gate.opens_at(pool)?;
        // When none leads anywhere, that is no reason to prefer another.
        if !gate.reach.is_doubted() || self.ways.iter().all(|gate| gate.reach.is_down(now)) {
            return Some(opens);
        }
        // One at a time finds out whether it leads somewhere again.
        let out: usize = gate.out.iter().sum();
        (out == 0 || gate.reach.is_down(now)).then(|| opens.max(gate.reach.down_until()))
    }

    /// The way of a queue: the one that it has whenever it can, by the greatest hash of both, or another one that is open. `Err`: when to look
    /// again.
    pub(super) fn choose(
        &self,
        pool: Pool,
        kind: EndpointKind,
        queue: QueueId,
        avoided: Avoided,
        now: Tick,
    ) -> Result<WayId, Tick> {
        if let [gate] = &self.ways[..] {
            return Ok(gate.way);
        }
        if kind == EndpointKind::Nats {
            return Ok(WayId::DIRECT);
        }
        // Where none of the others leads anywhere, there is nothing to be avoided.
        let mut ways = self.ways.iter().enumerate();
        let avoided = match ways.all(|(place, gate)| avoided.has(place) || gate.reach.is_down(now)) {
            true => Avoided::default(),
            false => avoided,
        };
        let mut best: Option<(u64, WayId)> = None;
        let mut again = now.after(SLOW);
        for (place, gate) in self.ways.iter().enumerate() {
            if avoided.has(place) {
                continue;
            }
            match self.way_opens_at(place, pool, now) {
                Some(at) if at <= now => best = best.max(Some((score(queue, gate.way), gate.way))),
                Some(at) => again = again.min(at),
                None => {}
            }
        }
        best.map(|(_, way)| way).ok_or(again)
    }

    /// Whether what could not leave by this way can by another one.
    pub(super) fn elsewhere(&self, way: WayId, pool: Pool, avoided: Avoided, now: Tick) -> bool {
        self.ways.iter().enumerate().any(|(place, gate)| {
            gate.way != way
                && !avoided.has(place)
                && !gate.reach.is_doubted()
                && gate.parked_until(pool) <= now
                && (gate.blocked[pool as usize] == 0)
        })
    }

    /// These, and this one.
    pub(super) fn avoid(&self, avoided: Avoided, way: WayId) -> Avoided {
        let mut ways = self.ways.iter();
        match ways.position(|gate| gate.way == way) {
            Some(place) => Avoided(avoided.0 | 1 << place),
            None => avoided,
        }
    }

    /// What has come about since the last call, of each way; and until when it is taken to lead nowhere.
    pub(super) fn take_counts(&mut self) -> Vec<(WayId, WayCounts, Option<Tick>)> {
        let counts = self.ways.iter_mut().map(|gate| {
            let down = gate.reach.is_doubted().then(|| gate.reach.down_until());
            (gate.way, std::mem::take(&mut gate.counts), down)
        });
        counts.collect()
    }
}

impl Avoided {
    fn has(self, place: usize) -> bool {
        self.0 & (1 << place) != 0
    }
}

/// For how long a queue avoids a way by which it could not be reached.
pub(super) const AVOIDS_FOR: Duration = Duration::from_secs(300);

/// Rendezvous hashing (Thaler and Ravishankar, 1998): when a way comes or goes, the queues of all others stay where they are. Mixed as
/// SplitMix64 does.
fn score(queue: QueueId, way: WayId) -> u64 {
    let mix = |number: u64| {
        let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        number ^ (number >> 31)
    };
    mix(way.0 ^ mix(queue.0.cast_unsigned().wrapping_add(0x9E37_79B9_7F4A_7C15)))
}
