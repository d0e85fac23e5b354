//! Model endpoints: what the far side does, and what it may complain of.

use std::collections::BTreeMap;
use std::time::Duration;

use webhook::outcome::{Judgement, RateScope, Verdict};

use crate::desk::verdict;

/// Microseconds since the start of the simulated world; never goes back.
pub type Moment = u64;

pub fn micros(duration: Duration) -> Moment {
    u64::try_from(duration.as_micros()).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    Healthy,
    /// Any answer at all, now and then.
    Flaky,
    /// Fails until then.
    Down {
        until: Moment,
        how: Down,
    },
    /// Fails whenever a message has a bad event.
    Poisoned,
    /// Its channel takes nothing until then.
    Misdirected {
        until: Moment,
    },
    /// Refuses messages with a bad event; may say which one it is.
    Picky {
        tells: bool,
    },
    Forbidding,
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    Fails,
    /// Something else answers.
    Absent,
    Hangs,
}

/// An endpoint with a rate limit as Discord has one, announced in its headers.
#[derive(Debug)]
pub struct Endpoint {
    pub temper: Temper,
    /// Requests in a window, and how long it is; none: no limit.
    pub limit: Option<(u32, Moment)>,
    window_ends: Moment,
    used: u32,
    /// How often each event has arrived.
    pub accepted: BTreeMap<i64, u32>,
}

impl Endpoint {
    pub fn new(temper: Temper, limit: Option<(u32, Moment)>) -> Self {
        Endpoint {
            temper,
            limit,
            window_ends: 0,
            used: 0,
            accepted: BTreeMap::new(),
        }
    }

    /// What it says to a message, and how long that takes.
    pub fn answer(
        &mut self,
        events: &[i64],
        now: Moment,
        random: &mut fastrand::Rng,
    ) -> (Judgement, Duration) {
        let delay = Duration::from_millis(random.u64(1..200));
        let mut pause = None;
        if let Some((limit, length)) = self.limit {
            if now >= self.window_ends {
                (self.window_ends, self.used) = (now + length, 0);
            }
            let reset_after = Duration::from_micros(self.window_ends - now);
            if self.used >= limit {
                let limited = Verdict::RateLimited {
                    wait: reset_after,
                    scope: RateScope::Webhook,
                };
                return (verdict(limited), delay);
            }
            self.used += 1;
            pause = (self.used == limit).then_some(reset_after);
        }
        let (verdict_now, delay) = self.verdict(events, now, delay, random);
        if verdict_now == Verdict::Sent {
            for event in events {
                *self.accepted.entry(*event).or_default() += 1;
            }
        }
        (
            Judgement {
                pause,
                ..verdict(verdict_now)
            },
            delay,
        )
    }

    fn verdict(
        &mut self,
        events: &[i64],
        now: Moment,
        delay: Duration,
        random: &mut fastrand::Rng,
    ) -> (Verdict, Duration) {
        let timeout = Duration::from_secs(30);
        match self.temper {
            Temper::Healthy => (Verdict::Sent, delay),
            Temper::Down { until, how } if now < until => match how {
                Down::Fails => (Verdict::Retry { wait: None }, delay),
                Down::Absent => (Verdict::Unavailable { wait: None }, delay),
                Down::Hangs => (Verdict::Unavailable { wait: None }, timeout),
            },
            Temper::Misdirected { until } if now < until => (Verdict::Misdirected, delay),
            Temper::Down { .. } | Temper::Misdirected { .. } => (Verdict::Sent, delay),
            Temper::Poisoned if events.iter().any(|event| is_bad(*event)) => {
                (Verdict::Retry { wait: None }, delay)
            }
            Temper::Poisoned => (Verdict::Sent, delay),
            Temper::Picky { tells } => {
                let bad: Vec<usize> = (0..events.len()).filter(|index| is_bad(events[*index])).collect();
                match bad.first() {
                    None => (Verdict::Sent, delay),
                    Some(first) => (
                        Verdict::Rejected {
                            culprit: tells.then_some(*first),
                        },
                        delay,
                    ),
                }
            }
            Temper::Forbidding => (Verdict::Forbidden, delay),
            Temper::Gone => (Verdict::Gone, delay),
            Temper::Flaky => self.whim(events.len(), delay, random),
        }
    }

    fn whim(&mut self, events: usize, delay: Duration, random: &mut fastrand::Rng) -> (Verdict, Duration) {
        let wait = Duration::from_millis(random.u64(0..90_000));
        match random.u32(0..100) {
            0..60 => (Verdict::Sent, delay),
            60..70 => (Verdict::Retry { wait: None }, delay),
            70..75 => (Verdict::Unavailable { wait: None }, delay),
            75..80 => (Verdict::Retry { wait: Some(wait) }, delay),
            80..84 => (Verdict::Unavailable { wait: None }, Duration::from_secs(30)),
            84..90 => (
                Verdict::RateLimited {
                    wait,
                    scope: RateScope::Webhook,
                },
                delay,
            ),
            90..92 => (
                Verdict::RateLimited {
                    wait,
                    scope: RateScope::Discord,
                },
                delay,
            ),
            92..94 => (Verdict::Rejected { culprit: None }, delay),
            94..97 => (
                Verdict::Rejected {
                    culprit: Some(random.usize(0..events + 1)),
                },
                delay,
            ),
            97..99 => (Verdict::Forbidden, delay),
            _ if random.u32(0..10) == 0 => (Verdict::Gone, delay),
            _ => (Verdict::Sent, delay),
        }
    }
}

pub fn is_bad(event: i64) -> bool {
    event % 7 == 3
}
