//! Rate limits: fixed windows, as Discord counts them.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::seconds;

/// So many requests in a window of this length, which opens with its first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct RateLimit {
    pub requests: u32,
    #[serde(with = "seconds")]
    pub per: Duration,
}

impl RateLimit {
    /// Discord's per webhook, announced in the headers of every answer.
    pub const DISCORD: RateLimit = RateLimit {
        requests: 5,
        per: Duration::from_secs(2),
    };
    /// Discord's per channel, which no header announces.
    pub const DISCORD_CHANNEL: RateLimit = RateLimit {
        requests: 30,
        per: Duration::from_secs(60),
    };
    /// Discord's per address, over all webhooks.
    pub const DISCORD_GLOBAL: RateLimit = RateLimit {
        requests: 50,
        per: Duration::from_secs(1),
    };
    /// Slack's per webhook, and Google Chat's per space.
    pub const ONE_A_SECOND: RateLimit = RateLimit {
        requests: 1,
        per: Duration::from_secs(1),
    };
    /// Teams' per webhook.
    pub const TEAMS: RateLimit = RateLimit {
        requests: 4,
        per: Duration::from_secs(1),
    };
}

/// The limits of one webhook; none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Limits {
    /// Told by `X-RateLimit-*` headers (Discord), or by answers of 429 alone (Teams).
    pub announced: Option<RateLimit>,
    /// A second limit, of which a sender learns by meeting it.
    pub unannounced: Option<RateLimit>,
}

#[derive(Debug)]
pub(crate) struct Window {
    limit: RateLimit,
    opened: Option<Instant>,
    used: u32,
}

/// Where a window stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) allowed: bool,
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    pub(crate) reset_after: Duration,
}

impl Window {
    pub(crate) fn new(limit: RateLimit) -> Self {
        Window {
            limit,
            opened: None,
            used: 0,
        }
    }

    pub(crate) fn take(&mut self, now: Instant) -> Standing {
        let opened = match self.opened {
            Some(opened) if now.duration_since(opened) < self.limit.per => opened,
            _ => {
                self.used = 0;
                *self.opened.insert(now)
            }
        };
        let allowed = self.used < self.limit.requests;
        if allowed {
            self.used += 1;
        }
        Standing {
            allowed,
            limit: self.limit.requests,
            remaining: self.limit.requests - self.used,
            reset_after: self.limit.per.saturating_sub(now.duration_since(opened)),
        }
    }
}

/// Both windows of a webhook.
#[derive(Debug)]
pub(crate) struct Pace {
    announced: Option<Window>,
    unannounced: Option<Window>,
}

/// What the limits say of a request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Passage {
    /// The announced window, if there is one.
    pub(crate) announced: Option<Standing>,
    /// How long to wait, when the request is too early.
    pub(crate) wait: Option<Duration>,
}

impl Pace {
    pub(crate) fn new(limits: Limits) -> Self {
        Pace {
            announced: limits.announced.map(Window::new),
            unannounced: limits.unannounced.map(Window::new),
        }
    }

    pub(crate) fn take(&mut self, now: Instant) -> Passage {
        let announced = self.announced.as_mut().map(|window| window.take(now));
        if let Some(refused) = announced.filter(|standing| !standing.allowed) {
            return Passage {
                announced,
                wait: Some(refused.reset_after),
            };
        }
        let silent = self.unannounced.as_mut().map(|window| window.take(now));
        Passage {
            announced,
            wait: silent
                .filter(|standing| !standing.allowed)
                .map(|standing| standing.reset_after),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_opens_with_its_first_request_and_refuses_the_sixth() {
        let start = Instant::now();
        let mut window = Window::new(RateLimit::DISCORD);
        let remaining: Vec<u32> = (0..5)
            .map(|i| window.take(start + Duration::from_millis(100 * i)).remaining)
            .collect();
        assert_eq!(remaining, [4, 3, 2, 1, 0]);

        let sixth = window.take(start + Duration::from_millis(1500));
        assert!(!sixth.allowed);
        assert_eq!(sixth.reset_after, Duration::from_millis(500));

        let next = window.take(start + sixth.reset_after + Duration::from_millis(1500));
        assert!(next.allowed);
        assert_eq!(next.remaining, 4);
    }

    #[test]
    fn the_unannounced_limit_refuses_while_the_announced_one_has_room() {
        let start = Instant::now();
        let limits = Limits {
            announced: Some(RateLimit::DISCORD),
            unannounced: Some(RateLimit {
                requests: 1,
                per: Duration::from_secs(60),
            }),
        };
        let mut pace = Pace::new(limits);
        assert_eq!(pace.take(start).wait, None);
        let second = pace.take(start + Duration::from_secs(1));
        assert_eq!(second.wait, Some(Duration::from_secs(59)));
        assert_eq!(second.announced.map(|standing| standing.remaining), Some(3));
    }
}
