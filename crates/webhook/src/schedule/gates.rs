//! What holds up many queues at once: what the vendors allow an address. Each way out is an address of its own, whichever of several
//! databases sends by it.

use std::time::Duration;

use super::clock::Tick;
use super::concurrency::SLOW;
use super::gate::{Gate, Limits};
use super::member::Member;
use super::pool::Pool;
use super::{QueueId, WayCounts};
use crate::kinds::EndpointKind;
use crate::rate::Rate;
use crate::way::WayId;

/// Ways that a queue had better not take: a bit for each place in their list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Avoided(u32);

/// The gates of all ways out.
#[derive(Debug)]
pub(super) struct Gates {
    /// Never none, in the order of the setting.
    ways: Vec<Gate>,
    members: Vec<Limits>,
    /// The places of members that are gone, for those to come.
    free: Vec<Member>,
}

impl Gates {
    /// The direct way alone, and nobody to use it.
    pub(super) fn new() -> Self {
        Gates {
            ways: vec![Gate::new(WayId::DIRECT, Rate::NONE, &[])],
            members: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Lets one more scheduler use the ways.
    pub(super) fn join(&mut self, limits: Limits) -> Member {
        let member = self.free.pop().unwrap_or(Member(self.members.len()));
        match self.members.get_mut(member.0) {
            Some(place) => *place = limits,
            None => {
                self.members.push(limits);
                let rate = self.rate();
                self.ways.iter_mut().for_each(|gate| gate.join(rate, limits));
            }
        }
        self.set_limits();
        member
    }

    /// Lets a scheduler go: it wants nothing more, and nothing of its is out.
    pub(super) fn quit(&mut self, member: Member, now: Tick) {
        if let Some(limits) = self.members.get_mut(member.0) {
            *limits = Limits::default();
            self.free.push(member);
        }
        self.ways.iter_mut().for_each(|gate| gate.quit(member, now));
        self.set_limits();
    }

    /// Sets the limits of a member.
    pub(super) fn set(&mut self, member: Member, per_second: u32, refusals: u32) {
        if let Some(limits) = self.members.get_mut(member.0) {
            (limits.per_second, limits.refusals) = (per_second, refusals);
        }
        self.set_limits();
    }

    fn set_limits(&mut self) {
        let rate = self.rate();
        for gate in &mut self.ways {
            gate.set(rate, &self.members);
        }
    }

    /// The lowest rate that one of them is held to: it is the address's.
    fn rate(&self) -> Rate {
        let capped = self.members.iter().map(|limits| limits.per_second);
        Rate::per_second(capped.filter(|rate| *rate > 0).min().unwrap_or(0))
    }

    /// How many share the rate, the member among them.
    fn wanting(&self, member: Member) -> u32 {
        let members = self.members.iter().enumerate();
        let wanting = members.filter(|(place, limits)| limits.wants || *place == member.0);
        u32::try_from(wanting.count()).unwrap_or(u32::MAX)
    }

    /// Notes whether something of the member's waits for its turn, and returns whether it did and does not any more.
    pub(super) fn want(&mut self, member: Member, wants: bool) -> bool {
        let limits = self.members.get_mut(member.0);
        limits.is_some_and(|limits| std::mem::replace(&mut limits.wants, wants) && !wants)
    }

    /// What is known of ways that stay is kept. None: nothing is changed.
    pub(super) fn set_ways(&mut self, ways: &[WayId]) -> bool {
        if ways.is_empty() || self.ways.iter().map(|gate| &gate.way).eq(ways) {
            return false;
        }
        let mut known = std::mem::take(&mut self.ways);
        let rate = self.rate();
        let gates = ways.iter().map(|way| {
            let place = known.iter().position(|gate| gate.way == *way);
            let fresh = || Gate::new(*way, rate, &self.members);
            place.map_or_else(fresh, |place| known.swap_remove(place))
        });
        self.ways = gates.collect();
        true
    }

    /// The gate of a way that is known.
    pub(super) fn gate(&mut self, way: WayId) -> Option<&mut Gate> {
        self.ways.iter_mut().find(|gate| gate.way == way)
    }

    /// No connection came about.
    pub(super) fn unreached(
        &mut self,
        way: WayId,
        queue: (Member, QueueId),
        now: Tick,
        random: &mut fastrand::Rng,
    ) {
        let several = self.ways.len() > 1;
        if let Some(gate) = self.gate(way) {
            gate.unreached(queue, now, several, random);
        }
    }

    /// All queues wait, those of [`Pool::Open`] excepted: nothing speaks for all of them.
    pub(super) fn park(&mut self, way: WayId, pool: Pool, until: Tick) {
        if let Some(gate) = self.gate(way)
            && pool != Pool::Open
        {
            gate.park(pool, until);
        }
    }

    pub(super) fn unpark(&mut self, pool: Pool) {
        for gate in &mut self.ways {
            gate.unpark(pool);
        }
    }

    /// Until when nothing of the member leaves by any way: the vendor has parked it, or it leads nowhere while others may.
    pub(super) fn parked_until(&self, member: Member, pool: Pool, now: Tick) -> Tick {
        let all_down = self.all_down(now);
        let parked = self.ways.iter().map(|gate| match all_down {
            true => gate.parked_until(member, pool),
            false => gate.parked_until(member, pool).max(gate.reach().down_until()),
        });
        parked.min().unwrap_or(Tick::DISTANT_PAST)
    }

    /// Whether no way leads anywhere.
    fn all_down(&self, now: Tick) -> bool {
        self.ways.iter().all(|gate| gate.reach().is_down(now))
    }

    /// Until when nothing leaves by this one, by the word of the vendor.
    pub(super) fn way_parked_until(&self, way: WayId, pool: Pool) -> Option<Tick> {
        let mut ways = self.ways.iter();
        let gate = ways.find(|gate| gate.way == way)?;
        Some(gate.vendor_parked_until(pool))
    }

    /// When the next request of the member may leave by some way; None: not before one has arrived.
    pub(super) fn opens_at(&self, member: Member, pool: Pool, now: Tick) -> Option<Tick> {
        let wanting = self.wanting(member);
        let ways = 0..self.ways.len();
        ways.filter_map(|place| self.way_opens_at(place, member, pool, wanting, now))
            .min()
    }

    fn way_opens_at(
        &self,
        place: usize,
        member: Member,
        pool: Pool,
        wanting: u32,
        now: Tick,
    ) -> Option<Tick> {
        let gate = self.ways.get(place)?;
        let (opens, reach) = (gate.opens_at(member, pool, wanting)?, gate.reach());
        // When none leads anywhere, that is no reason to prefer another; nor when there is no other any more.
        let is_alone = self.ways.len() == 1;
        if is_alone || !reach.is_doubted() || self.all_down(now) {
            return Some(opens);
        }
        // One at a time finds out whether it leads somewhere again.
        (gate.out() == 0 || reach.is_down(now)).then(|| opens.max(reach.down_until()))
    }

    /// The way of a queue: the one that it has whenever it can, by the greatest hash of both, or another one that is open. `Err`: when to look
    /// again.
    pub(super) fn choose(
        &self,
        pool: Pool,
        kind: EndpointKind,
        (member, queue): (Member, QueueId),
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
        let avoided = match ways.all(|(place, gate)| avoided.has(place) || gate.reach().is_down(now)) {
            true => Avoided::default(),
            false => avoided,
        };
        let wanting = self.wanting(member);
        let mut best: Option<(u64, WayId)> = None;
        let mut again = now.after(SLOW);
        for (place, gate) in self.ways.iter().enumerate() {
            if avoided.has(place) {
                continue;
            }
            match self.way_opens_at(place, member, pool, wanting, now) {
                Some(at) if at <= now => best = best.max(Some((score(queue, gate.way), gate.way))),
                Some(at) => again = again.min(at),
                None => {}
            }
        }
        best.map(|(_, way)| way).ok_or(again)
    }

    /// Whether what could not leave by this way can by another one.
    pub(super) fn elsewhere(
        &self,
        way: WayId,
        member: Member,
        pool: Pool,
        avoided: Avoided,
        now: Tick,
    ) -> bool {
        self.ways.iter().enumerate().any(|(place, gate)| {
            gate.way != way
                && !avoided.has(place)
                && !gate.reach().is_doubted()
                && gate.parked_until(member, pool) <= now
                && !gate.is_blocked(pool)
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
        self.ways.iter_mut().map(Gate::take_counts).collect()
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
