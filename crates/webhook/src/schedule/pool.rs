//! Queues that a vendor limits together.

use crate::endpoint::Vendor;
use crate::kinds::{EndpointKind, WebhookType};

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

    /// Returns the pool of an endpoint.
    pub(super) fn of(kind: EndpointKind, vendor: Vendor) -> Self {
        match (vendor, kind) {
            (Vendor::Of(WebhookType::Discord), _) => Pool::Discord,
            (_, EndpointKind::Discord) => Pool::DiscordLike,
            _ => Pool::Open,
        }
    }
}
