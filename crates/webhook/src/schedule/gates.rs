//! What holds up many queues at once.

use super::clock::Tick;
use super::rate::Rate;
use super::window::Window;
use crate::endpoint::{EndpointKind, Vendor, WebhookType};

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

#[derive(Debug)]
pub(super) struct Gates {
    discord: Window,
    parked_until: [Tick; Pool::ALL.len()],
    /// Requests that are out.
    out: [usize; Pool::ALL.len()],
    /// How often in a row the edge has turned a request away. As long as it does, one at a time finds out whether it
    /// still does.
    blocked: [u32; Pool::ALL.len()],
}

impl Gates {
    pub(super) fn new(discord_per_second: u32) -> Self {
        Gates {
            discord: Window::new(Rate::per_second(discord_per_second)),
            parked_until: [Tick::DISTANT_PAST; Pool::ALL.len()],
            out: [0; Pool::ALL.len()],
            blocked: [0; Pool::ALL.len()],
        }
    }

    pub(super) fn set(&mut self, discord_per_second: u32) {
        let _ = self.discord.set(Rate::per_second(discord_per_second));
    }

    pub(super) fn leave(&mut self, pool: Pool) {
        self.out[pool as usize] += 1;
        if pool == Pool::Discord {
            self.discord.leave();
        }
    }

    /// A request that had left has arrived by now.
    pub(super) fn arrive(&mut self, pool: Pool, now: Tick) {
        if pool == Pool::Discord {
            self.discord.arrive(now);
        }
    }

    /// A request is not out any more.
    pub(super) fn back(&mut self, pool: Pool) {
        let out = &mut self.out[pool as usize];
        *out = out.saturating_sub(1);
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

    /// All queues wait, those of [`Pool::Open`] excepted: nothing speaks for all of them.
    pub(super) fn park(&mut self, pool: Pool, until: Tick) {
        if pool != Pool::Open {
            let parked_until = &mut self.parked_until[pool as usize];
            *parked_until = until.max(*parked_until);
        }
    }

    pub(super) fn unpark(&mut self, pool: Pool) {
        self.parked_until[pool as usize] = Tick::DISTANT_PAST;
    }

    pub(super) fn parked_until(&self, pool: Pool) -> Tick {
        self.parked_until[pool as usize]
    }

    /// When the next request may leave; None: not before one has arrived.
    pub(super) fn opens_at(&self, pool: Pool) -> Option<Tick> {
        if self.blocked[pool as usize] > 0 && self.out[pool as usize] > 0 {
            return None;
        }
        let parked = self.parked_until(pool);
        match pool {
            Pool::Discord => Some(self.discord.opens_at()?.max(parked)),
            _ => Some(parked),
        }
    }
}
