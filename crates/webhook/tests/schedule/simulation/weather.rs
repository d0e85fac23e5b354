//! Who is there, what they write, and what goes wrong.

use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use webhook::digest::Digest;
use webhook::endpoint::{EndpointKind, Vendor, WebhookType};
use webhook::schedule::{Policy, QueueConfig, QueueId, Scheduler};

use super::{Address, Happening, Known, SECOND, World};
use crate::desk::queue;
use crate::glue::Tables;
use crate::world::{Down, Endpoint, Moment, Temper};

const DOWN: [Down; 3] = [Down::Fails, Down::Absent, Down::Hangs];

/// The world begins on a Friday at 8:00 UTC.
const QUIET: [&str; 3] = [
    "08:00-08:01, 08:02-08:20, 09:30-09:00 UTC",
    "Fri 09:00-20:00, Sat-Sun 00:00-24:00 Europe/Berlin",
    "22:00-07:00 America/New_York",
];

const DIGESTS: [&str; 3] = ["90 seconds", "1 hour", "*/20 * * * *"];

/// What Microsoft's hosts, or single webhooks, are sent.
const RATES: [&str; 5] = ["1/s", "4/s", "25/5min", "3/20s", "2/1min"];

impl World {
    pub fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let calm = random.u32(0..8) == 0;
        let policy = Policy {
            max_attempts: random.u32(1..10),
            max_age: Duration::from_secs(if calm { 864_000 } else { random.u64(600..100_000) }),
            discord_per_second: random.u32(1..6),
            discord_refusals: if calm { 9_000 } else { random.u32(2..60) },
            teams_rate: RATES[random.usize(0..RATES.len())].parse().unwrap(),
            max_in_flight: random.usize(1..12),
            max_slow: random.usize(0..8),
            max_buffered: random.usize(1..150),
        };
        let mut world = World {
            seed,
            now: 0,
            set_back: 0,
            scheduler: Scheduler::new(policy.clone(), seed),
            policy,
            tables: Tables::default(),
            queues: BTreeMap::new(),
            agenda: BinaryHeap::new(),
            scheduled: 0,
            life: 0,
            flying: BTreeMap::new(),
            unrecorded: Vec::new(),
            ways: (0..[1, 1, 2, 3][random.usize(0..4)])
                .map(|id| Address::new(17 + 31 * id))
                .collect(),
            limited: BTreeMap::new(),
            changes: 0,
            judged: 0,
            sent_twice: 0,
            rate_limited: 0,
            calm,
            random,
        };
        world.name_ways();
        world.populate();
        world
    }

    fn populate(&mut self) {
        let span = SECOND * [60, 3_600, 86_400][self.random.usize(0..3)];
        let queues = self.random.i64(1..8);
        for id in 1..=queues {
            let known = self.known(QueueId(id), span);
            self.queues.insert(QueueId(id), known);
        }
        for id in 1..=self.random.i64(1..80) {
            let queue = QueueId(self.random.i64(1..=queues));
            let written = if self.random.bool() {
                self.random.u64(0..span)
            } else {
                SECOND
            };
            let takes = if self.random.u32(0..4) == 0 {
                self.random.u64(0..10 * SECOND)
            } else {
                0
            };
            self.later(written + takes, Happening::Commit { queue, id });
        }
        if !self.calm {
            self.misfortunes(span, queues);
        }
        self.configure();
    }

    fn known(&mut self, id: QueueId, span: Moment) -> Known {
        let random = &mut self.random;
        let temper = match random.u32(0..14) {
            _ if self.calm => Temper::Healthy,
            0..3 => Temper::Healthy,
            3..6 => Temper::Flaky,
            6..8 => Temper::Down {
                until: random.u64(0..span),
                how: DOWN[random.usize(0..DOWN.len())],
            },
            8 => Temper::Down {
                until: Moment::MAX,
                how: DOWN[random.usize(0..DOWN.len())],
            },
            9 => Temper::Picky { tells: random.bool() },
            10 => Temper::Forbidding,
            11 => Temper::Poisoned,
            12 => Temper::Misdirected {
                until: random.u64(0..span),
            },
            _ => Temper::Gone,
        };
        let limit = random
            .bool()
            .then(|| (random.u32(1..6), random.u64(1..5) * SECOND));
        let config = QueueConfig {
            kind: if random.bool() {
                EndpointKind::Discord
            } else {
                EndpointKind::TeamsWorkflow
            },
            vendor: [
                Vendor::Of(WebhookType::Discord),
                Vendor::Of(WebhookType::Teams),
                Vendor::Other,
            ][random.usize(0..3)],
            max_events_per_message: random.usize(0..12),
            min_interval: if random.u32(0..4) == 0 {
                Duration::from_secs(random.u64(1..5))
            } else {
                Duration::ZERO
            },
            quiet_hours: match random.usize(0..2 * QUIET.len()) {
                index if index < QUIET.len() => Some(QUIET[index].parse().unwrap()),
                _ => None,
            },
            digest: match random.usize(0..3 * DIGESTS.len()) {
                index if index < DIGESTS.len() => Some(Digest::parse(DIGESTS[index], None).unwrap()),
                _ => None,
            },
            proven: random.bool(),
            rate: (random.u32(0..4) == 0).then(|| RATES[random.usize(0..RATES.len())].parse().unwrap()),
            rate_group: random.bool().then(|| "one owner".into()),
            ..queue(id.0)
        };
        Known {
            config,
            active: true,
            endpoint: Endpoint::new(temper, limit),
            read: Vec::new(),
            in_flight: false,
            not_before: 0,
            rests_until: 0,
            failures: 0,
            failed_at: None,
            at_risk: BTreeMap::new(),
            switched_off: false,
        }
    }

    fn misfortunes(&mut self, span: Moment, queues: i64) {
        for _ in 0..self.random.u32(0..8) {
            let queue = QueueId(self.random.i64(1..=queues));
            let happening = match self.random.u32(0..13) {
                11.. => Happening::WayDies {
                    way: self.random.usize(0..self.ways.len()),
                    micros: self.random.u64(SECOND..7_200 * SECOND),
                },
                10 => Happening::EdgeBlocks {
                    way: self.random.usize(0..self.ways.len()),
                    micros: self.random.u64(SECOND..7_200 * SECOND),
                },
                0..3 => Happening::Crash,
                3 => Happening::SetBack {
                    micros: self.random.u64(2 * SECOND..3_600 * SECOND),
                },
                4 => Happening::Deactivate(queue),
                5..7 => Happening::Mend(queue),
                7 => Happening::Adjust(queue),
                8 => Happening::RetryNow(queue),
                _ => Happening::Adopt,
            };
            let at = if self.random.bool() {
                self.random.u64(0..span)
            } else {
                self.random.u64(0..3 * SECOND)
            };
            self.later(at, happening);
        }
    }
}
