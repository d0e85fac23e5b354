//! Random weather over simulated days.
//!
//! The world is driven by its own events and by `next_wake` alone: whatever the scheduler forgets to wake for is never
//! delivered, and that is seen at the end. `ZENTRY_SEED` repeats one case, `ZENTRY_CASES` sets how many there are.

mod checks;
mod happenings;
mod weather;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use jiff::Timestamp;
use webhook::outcome::Judgement;
use webhook::schedule::{DeliveryId, Policy, QueueConfig, QueueId, Request, RequestId, Scheduler};

use webhook::way::WayId;

use crate::glue::{Room, Tables};
use crate::world::{Endpoint, Moment};

const SECOND: Moment = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Commit { queue: QueueId, id: i64 },
    Arrive { life: u32, request: RequestId },
    Answer { life: u32, request: RequestId },
    Crash,
    SetBack { micros: Moment },
    EdgeBlocks { way: usize, micros: Moment },
    WayDies { way: usize, micros: Moment },
    Deactivate(QueueId),
    Mend(QueueId),
    Adjust(QueueId),
    RetryNow(QueueId),
    Adopt,
}

/// What the world knows of a queue, to hold the scheduler to it.
struct Known {
    config: QueueConfig,
    active: bool,
    endpoint: Endpoint,
    /// As read by the last claim.
    read: Vec<DeliveryId>,
    in_flight: bool,
    not_before: Moment,
    /// The same, unless a person wants it.
    rests_until: Moment,
    failures: u32,
    failed_at: Option<Moment>,
    /// How often each event was in flight or unrecorded when the worker died: so often it may arrive once more.
    at_risk: BTreeMap<i64, u32>,
    switched_off: bool,
}

struct Flying {
    request: Request,
    left: Moment,
    revision: u64,
    judgement: Option<Judgement>,
}

/// A way out.
struct Address {
    id: WayId,
    /// Requests that arrived at Discord's own hosts in the last second.
    discord: VecDeque<Moment>,
    /// Whoever speaks like Discord gets only its edge.
    edge_blocks_until: Moment,
    discord_parked_until: Moment,
    like_parked_until: Moment,
    /// Nobody can be reached by it until then.
    dead_until: Moment,
}

impl Address {
    fn new(id: u64) -> Self {
        Address {
            id: WayId(id),
            discord: VecDeque::new(),
            edge_blocks_until: 0,
            discord_parked_until: 0,
            like_parked_until: 0,
            dead_until: 0,
        }
    }
}

struct World {
    seed: u64,
    random: fastrand::Rng,
    now: Moment,
    set_back: Moment,
    policy: Policy,
    scheduler: Scheduler,
    tables: Tables,
    queues: BTreeMap<QueueId, Known>,
    agenda: BinaryHeap<Reverse<(Moment, u64, Happening)>>,
    scheduled: u64,
    life: u32,
    flying: BTreeMap<(u32, RequestId), Flying>,
    unrecorded: Vec<(QueueId, i64)>,
    /// Each is an address, with what the vendors know of it.
    ways: Vec<Address>,
    /// Arrivals (of this life) that are counted together.
    limited: BTreeMap<String, VecDeque<Moment>>,
    changes: usize,
    /// Answers since the counts were taken.
    judged: u64,
    sent_twice: usize,
    rate_limited: usize,
    /// Nothing goes wrong here.
    calm: bool,
}

impl World {
    fn later(&mut self, at: Moment, happening: Happening) {
        self.scheduled += 1;
        self.agenda.push(Reverse((at, self.scheduled, happening)));
    }

    fn wall(&self) -> Timestamp {
        let micros = i64::try_from(self.now).unwrap() - i64::try_from(self.set_back).unwrap();
        Timestamp::from_microsecond(1_800_000_000_000_000 + micros).unwrap()
    }

    fn address(&mut self, way: WayId) -> &mut Address {
        self.ways.iter_mut().find(|address| address.id == way).unwrap()
    }

    fn name_ways(&mut self) {
        let ways: Vec<WayId> = self.ways.iter().map(|address| address.id).collect();
        self.scheduler.set_ways(&ways);
    }

    fn moment(&self, wall: Timestamp) -> Moment {
        let micros = wall.as_microsecond() - 1_800_000_000_000_000 + i64::try_from(self.set_back).unwrap();
        Moment::try_from(micros).unwrap_or(0)
    }

    fn run(&mut self) {
        let mut turns_now = 0;
        let mut idle = false;
        for _ in 0..200_000 {
            if self.turn() {
                idle = false;
                turns_now += 1;
                assert!(turns_now < 2_000, "it goes round and round");
                continue;
            }
            turns_now = 0;
            let wake = self.scheduler.next_wake().map(|wake| self.moment(wake));
            // Once, where rows were given back to be read again.
            if !std::mem::replace(&mut idle, true) && wake.is_some_and(|wake| wake <= self.now) {
                continue;
            }
            assert!(wake.is_none_or(|wake| wake > self.now), "a wake for nothing");
            let happens = self.agenda.peek().map(|Reverse((at, ..))| *at);
            let Some(next) = wake.into_iter().chain(happens).min() else {
                return self.the_end();
            };
            self.look_in_between(next);
            self.now = next;
            while let Some(Reverse((at, _, happening))) = self.agenda.peek().copied()
                && at <= self.now
            {
                self.agenda.pop();
                self.happen(happening);
            }
        }
        panic!("it never ends");
    }

    /// Before its next wake the scheduler has nothing to do.
    fn look_in_between(&mut self, next: Moment) {
        if next > self.now + 1 && self.random.u32(0..8) == 0 {
            self.now = self.random.u64(self.now + 1..next);
            let now = self.wall();
            assert_eq!(self.scheduler.claims(now), [], "woken too late for a claim");
            assert_eq!(
                self.scheduler.poll(now, &mut Room(1)),
                [],
                "woken too late for a request"
            );
        }
    }

    fn turn(&mut self) -> bool {
        let mut busy = self.take_changes();
        let now = self.wall();
        for claim in self.scheduler.claims(now) {
            busy = true;
            assert!(claim.limit > 0);
            let rows = self.tables.unfinished(claim.queue).take(claim.limit);
            let rows: Vec<_> = rows.map(|row| row.delivery.clone()).collect();
            let known = self.queues.get_mut(&claim.queue).unwrap();
            assert!(known.active && !known.in_flight, "claimed {:?}", claim.queue);
            known.read = rows.iter().map(|delivery| delivery.id).collect();
            self.scheduler.supply(claim.queue, rows, now);
            // A digest of all of them comes on top, in which sixteen count for one.
            assert!(
                self.scheduler.buffered() <= self.policy.max_buffered + 80 / 16,
                "holds too many rows"
            );
        }
        let room = self.random.usize(0..12);
        let requests = self.scheduler.poll(now, &mut Room(room));
        busy |= self.take_changes();
        for request in requests {
            busy = true;
            self.depart(request);
        }
        busy
    }

    fn take_changes(&mut self) -> bool {
        let changes = self.scheduler.take_changes();
        self.check_counts(&changes);
        self.unrecorded.clear();
        self.tables.record(&changes);
        self.check_changes(&changes);
        self.changes += changes.deliveries.len();
        !changes.is_empty()
    }

    fn configure(&mut self) {
        let active = self.queues.values().filter(|known| known.active);
        let configs = active.map(|known| QueueConfig {
            circuit: self.tables.circuits.get(&known.config.id).copied(),
            in_a_row: self
                .tables
                .in_a_row
                .get(&known.config.id)
                .cloned()
                .unwrap_or_default(),
            ..known.config.clone()
        });
        let configs = configs.collect();
        self.scheduler.configure(configs, self.wall());
    }
}

#[test]
fn nothing_is_lost_whatever_the_weather() {
    if let Ok(seed) = std::env::var("ZENTRY_SEED") {
        return World::new(seed.parse().unwrap()).run();
    }
    let cases = std::env::var("ZENTRY_CASES").map_or(1_000, |cases| cases.parse().unwrap());
    let (mut changes, mut sent_twice, mut days) = (0, 0, 0);
    for seed in 0..cases {
        let outcome = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            world.run();
            (world.changes, world.sent_twice, world.now / SECOND / 86_400)
        });
        match outcome {
            Ok(seen) => {
                changes += seen.0;
                sent_twice += seen.1;
                days += seen.2;
            }
            Err(panic) => {
                eprintln!("repeat with ZENTRY_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    eprintln!("{cases} cases, {changes} changes, {sent_twice} sent twice, {days} days");
    assert!(
        sent_twice > 0 && days > 0,
        "the weather is too fine to prove anything"
    );
}
