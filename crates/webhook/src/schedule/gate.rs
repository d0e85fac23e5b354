//! What the vendors allow one way out, which is an address of its own, and what of it each scheduler may use.

use super::clock::Tick;
use super::member::Member;
use super::pool::Pool;
use super::reach::Reach;
use super::refusals::Refusals;
use super::window::Window;
use super::{QueueId, WayCounts};
use crate::rate::Rate;
use crate::way::WayId;

/// What holds for one scheduler.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    /// Requests per second to Discord; 0: no cap.
    pub(super) per_second: u32,
    /// Refusals of Discord's in ten minutes; 0: no cap.
    pub(super) refusals: u32,
    /// Something of Discord's waits for its turn.
    pub(super) wants: bool,
}

/// The gate of one way.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) way: WayId,
    discord: Window,
    /// What each member has used, by its place.
    shares: Vec<Share>,
    parked_until: [Tick; Pool::ALL.len()],
    /// Requests that are out.
    out: [usize; Pool::ALL.len()],
    /// How often in a row the edge has turned a request away. As long as it does, one at a time finds out whether it
    /// still does.
    blocked: [u32; Pool::ALL.len()],
    reach: Reach,
    counts: WayCounts,
}

/// A member's use of a way, to Discord.
#[derive(Debug)]
struct Share {
    requests: Window,
    refusals: Refusals,
    /// Requests that are out, by pool.
    out: [usize; Pool::ALL.len()],
}

impl Share {
    fn new(rate: Rate, limits: Limits) -> Self {
        Share {
            requests: Window::new(rate),
            refusals: Refusals::new(limits.refusals),
            out: [0; Pool::ALL.len()],
        }
    }
}

/// Returns what of a rate is for one of so many that want it. All together want no more than there is.
fn part(rate: Rate, wanting: u32) -> Rate {
    if rate.count == 0 || wanting == 0 {
        return rate;
    }
    match rate.count / wanting {
        0 => Rate {
            count: 1,
            period: rate.period * wanting.div_ceil(rate.count),
        },
        count => Rate { count, ..rate },
    }
}

impl Gate {
    pub(super) fn new(way: WayId, rate: Rate, members: &[Limits]) -> Self {
        Gate {
            way,
            discord: Window::new(rate),
            shares: members.iter().map(|limits| Share::new(rate, *limits)).collect(),
            parked_until: [Tick::DISTANT_PAST; Pool::ALL.len()],
            out: [0; Pool::ALL.len()],
            blocked: [0; Pool::ALL.len()],
            reach: Reach::default(),
            counts: WayCounts::default(),
        }
    }

    /// Lets another scheduler share the way.
    pub(super) fn join(&mut self, rate: Rate, limits: Limits) {
        self.shares.push(Share::new(rate, limits));
    }

    /// Sets what holds for all of them, and for each.
    pub(super) fn set(&mut self, rate: Rate, members: &[Limits]) {
        let _ = self.discord.set(rate);
        for (share, limits) in self.shares.iter_mut().zip(members) {
            let _ = share.requests.set(rate);
            share.refusals.set(limits.refusals);
        }
    }

    fn share(&self, member: Member) -> Option<&Share> {
        self.shares.get(member.0)
    }

    /// Until when nothing of the member leaves: the way is parked, or Discord has refused as much as it may.
    pub(super) fn parked_until(&self, member: Member, pool: Pool) -> Tick {
        let parked = self.vendor_parked_until(pool);
        let refusals = self.share(member).and_then(|share| share.refusals.opens_at(0));
        match pool {
            Pool::Discord => parked.max(refusals.unwrap_or(Tick::DISTANT_PAST)),
            _ => parked,
        }
    }

    /// Until when nothing leaves, by the word of the vendor.
    pub(super) fn vendor_parked_until(&self, pool: Pool) -> Tick {
        self.parked_until[pool as usize]
    }

    /// When the next request of the member may leave, as far as the vendor is concerned; None: not before one has arrived. `wanting`: how
    /// many share the rate now.
    pub(super) fn opens_at(&self, member: Member, pool: Pool, wanting: u32) -> Option<Tick> {
        if self.is_blocked(pool) && self.out[pool as usize] > 0 {
            return None;
        }
        let parked = self.vendor_parked_until(pool);
        let Some(share) = self.share(member).filter(|_| pool == Pool::Discord) else {
            return Some(parked);
        };
        let (rate, refusals) = (
            self.discord.opens_at()?,
            share.refusals.opens_at(share.out[pool as usize])?,
        );
        let own = match wanting {
            0 | 1 => Tick::DISTANT_PAST,
            _ => share.requests.opens_by(part(share.requests.rate(), wanting))?,
        };
        Some(rate.max(own).max(refusals).max(parked))
    }

    pub(super) fn leave(&mut self, member: Member, pool: Pool) {
        self.counts.requests += 1;
        self.out[pool as usize] += 1;
        if pool == Pool::Discord {
            self.discord.leave();
        }
        if let Some(share) = self.shares.get_mut(member.0) {
            share.out[pool as usize] += 1;
            if pool == Pool::Discord {
                share.requests.leave();
            }
        }
    }

    /// A request that had left has arrived by now.
    pub(super) fn arrive(&mut self, member: Member, pool: Pool, now: Tick) {
        if pool == Pool::Discord {
            self.discord.arrive(now);
            if let Some(share) = self.shares.get_mut(member.0) {
                share.requests.arrive(now);
            }
        }
    }

    /// A request is not out any more.
    pub(super) fn back(&mut self, member: Member, pool: Pool) {
        let out = &mut self.out[pool as usize];
        *out = out.saturating_sub(1);
        if let Some(share) = self.shares.get_mut(member.0) {
            let out = &mut share.out[pool as usize];
            *out = out.saturating_sub(1);
        }
    }

    /// A member goes: what it has out is given up, and may have arrived by now.
    pub(super) fn quit(&mut self, member: Member, now: Tick) {
        let Some(share) = self.shares.get_mut(member.0) else {
            return;
        };
        for (out, own) in self.out.iter_mut().zip(std::mem::take(&mut share.out)) {
            *out = out.saturating_sub(own);
        }
        for _ in 0..share.requests.on_their_way() {
            share.requests.arrive(now);
            self.discord.arrive(now);
        }
    }

    /// Requests that are out, whoever is called.
    pub(super) fn out(&self) -> usize {
        self.out.iter().sum()
    }

    /// The edge has turned a request away; returns how often in a row.
    pub(super) fn blocked(&mut self, pool: Pool) -> u32 {
        let blocked = &mut self.blocked[pool as usize];
        *blocked = blocked.saturating_add(1);
        *blocked
    }

    /// Somebody behind the edge has answered.
    pub(super) fn passed(&mut self, pool: Pool) {
        self.blocked[pool as usize] = 0;
    }

    /// Returns whether the edge has turned away who came last.
    pub(super) fn is_blocked(&self, pool: Pool) -> bool {
        self.blocked[pool as usize] > 0
    }

    /// Somebody has answered.
    pub(super) fn reached(&mut self) {
        self.counts.reached += 1;
        self.reach.reached();
    }

    /// No connection came about. That says something of the way where there are several.
    pub(super) fn unreached(
        &mut self,
        queue: (Member, QueueId),
        now: Tick,
        several: bool,
        random: &mut fastrand::Rng,
    ) {
        self.counts.unreached += 1;
        if several {
            self.reach.failed(queue, now, random);
        }
    }

    pub(super) fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Discord has refused so many requests of the member.
    pub(super) fn refused(&mut self, member: Member, count: u32, now: Tick) {
        self.remember_refused(member, count, now);
        self.counts.refused += u64::from(count);
    }

    /// The same in an earlier life.
    pub(super) fn remember_refused(&mut self, member: Member, count: u32, at: Tick) {
        if let Some(share) = self.shares.get_mut(member.0) {
            share.refusals.add(count, at);
        }
    }

    pub(super) fn park(&mut self, pool: Pool, until: Tick) {
        let parked_until = &mut self.parked_until[pool as usize];
        *parked_until = until.max(*parked_until);
    }

    pub(super) fn unpark(&mut self, pool: Pool) {
        self.parked_until[pool as usize] = Tick::DISTANT_PAST;
    }

    /// What has come about since the last call, and until when the way is taken to lead nowhere.
    pub(super) fn take_counts(&mut self) -> (WayId, WayCounts, Option<Tick>) {
        let down = self.reach.is_doubted().then(|| self.reach.down_until());
        (self.way, std::mem::take(&mut self.counts), down)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn parts_of_a_rate_are_no_more_than_all_of_it() {
        let second = Rate::per_second(50);
        assert_eq!(part(second, 1), second);
        assert_eq!(part(second, 3), Rate::per_second(16));
        let slow = part(second, 101);
        assert_eq!((slow.count, slow.period), (1, Duration::from_secs(3)));
        assert_eq!(part(Rate::NONE, 4), Rate::NONE);
    }
}
