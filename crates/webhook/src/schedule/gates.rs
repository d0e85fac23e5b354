//! What holds up many lanes at once.

use super::clock::Tick;
use super::window::Window;
use crate::endpoint::{EndpointKind, Vendor};

/// Lanes that share a rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pool {
    /// Discord's own hosts: capped, and parked by a global limit.
    Discord,
    /// Hosts that speak like Discord: parked together as well, but not capped.
    DiscordLike,
    /// Each lane is on its own.
    Open,
}

impl Pool {
    pub(super) const ALL: [Pool; 3] = [Pool::Discord, Pool::DiscordLike, Pool::Open];

    pub(super) fn of(kind: EndpointKind, vendor: Vendor) -> Self {
        match (vendor, kind) {
            (Vendor::Discord, _) => Pool::Discord,
            (_, EndpointKind::Discord) => Pool::DiscordLike,
            _ => Pool::Open,
        }
    }
}

#[derive(Debug)]
pub(super) struct Gates {
    discord: Window,
    parked_until: [Tick; Pool::ALL.len()],
}

impl Gates {
    pub(super) fn new(discord_per_second: u32) -> Self {
        Gates {
            discord: Window::new(discord_per_second),
            parked_until: [Tick::DISTANT_PAST; Pool::ALL.len()],
        }
    }

    pub(super) fn set(&mut self, discord_per_second: u32) {
        self.discord.set(discord_per_second);
    }

    /// A request leaves.
    pub(super) fn pass(&mut self, pool: Pool, now: Tick) {
        if pool == Pool::Discord {
            self.discord.pass(now);
        }
    }

    /// All lanes wait, those of [`Pool::Open`] excepted: nothing speaks for all of them.
    pub(super) fn park(&mut self, pool: Pool, until: Tick) {
        if pool != Pool::Open {
            let parked_until = &mut self.parked_until[pool as usize];
            *parked_until = until.max(*parked_until);
        }
    }

    pub(super) fn parked_until(&self, pool: Pool) -> Tick {
        self.parked_until[pool as usize]
    }

    /// When the next request may leave.
    pub(super) fn opens_at(&self, pool: Pool) -> Tick {
        let capped = if pool == Pool::Discord {
            self.discord.opens_at()
        } else {
            Tick::DISTANT_PAST
        };
        capped.max(self.parked_until(pool))
    }
}
