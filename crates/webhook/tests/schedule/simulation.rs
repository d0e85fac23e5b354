//! Random weather over simulated days.
//!
//! The world is driven by its own events and by `next_wake` alone: whatever the scheduler forgets to wake for is never
//! delivered, and that is seen at the end. `ZENTRY_SEED` repeats one case, `ZENTRY_CASES` sets how many there are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use webhook::endpoint::{EndpointKind, Vendor};
use webhook::outcome::{Judgement, RateScope, Verdict};
use webhook::schedule::{
    Changes, DeliveryId, LaneChange, LaneConfig, LaneId, Outcome, Policy, Request, RequestId, Scheduler,
};

use crate::desk::lane;
use crate::glue::{Room, Tables};
use crate::world::{Endpoint, Moment, Temper, micros};

const SECOND: Moment = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Commit { lane: LaneId, id: i64 },
    Arrive { life: u32, request: RequestId },
    Answer { life: u32, request: RequestId },
    Crash,
    SetBack { micros: Moment },
    Deactivate(LaneId),
    Mend(LaneId),
    Adjust(LaneId),
    RetryNow(LaneId),
    Adopt,
}

/// What the world knows of a lane, to hold the scheduler to it.
struct Known {
    config: LaneConfig,
    active: bool,
    endpoint: Endpoint,
    /// As read by the last claim.
    read: Vec<DeliveryId>,
    in_flight: bool,
    not_before: Moment,
    failures: u32,
    failed_at: Option<Moment>,
    /// Departures (of this life) for the window of Teams.
    departures: VecDeque<Moment>,
    /// How often each event was in flight or unrecorded when the worker died: so often it may arrive once more.
    at_risk: BTreeMap<i64, u32>,
    switched_off: bool,
}

struct Flying {
    request: Request,
    revision: u64,
    judgement: Option<Judgement>,
}

struct World {
    seed: u64,
    random: fastrand::Rng,
    now: Moment,
    set_back: Moment,
    policy: Policy,
    scheduler: Scheduler,
    tables: Tables,
    lanes: BTreeMap<LaneId, Known>,
    agenda: BinaryHeap<Reverse<(Moment, u64, Happening)>>,
    scheduled: u64,
    life: u32,
    flying: BTreeMap<(u32, RequestId), Flying>,
    unrecorded: Vec<(LaneId, i64)>,
    discord: VecDeque<Moment>,
    discord_parked_until: Moment,
    like_parked_until: Moment,
    changes: usize,
    sent_twice: usize,
    rate_limited: usize,
    /// Nothing goes wrong here.
    calm: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let calm = random.u32(0..8) == 0;
        let policy = Policy {
            max_attempts: random.u32(1..10),
            max_age: Duration::from_secs(if calm { 864_000 } else { random.u64(600..200_000) }),
            discord_per_second: random.u32(1..6),
            teams_per_second: random.u32(1..5),
            max_in_flight: random.usize(1..12),
            max_buffered: random.usize(1..150),
        };
        let mut world = World {
            seed,
            now: 0,
            set_back: 0,
            scheduler: Scheduler::new(policy.clone(), seed),
            policy,
            tables: Tables::default(),
            lanes: BTreeMap::new(),
            agenda: BinaryHeap::new(),
            scheduled: 0,
            life: 0,
            flying: BTreeMap::new(),
            unrecorded: Vec::new(),
            discord: VecDeque::new(),
            discord_parked_until: 0,
            like_parked_until: 0,
            changes: 0,
            sent_twice: 0,
            rate_limited: 0,
            calm,
            random,
        };
        world.populate();
        world
    }

    fn populate(&mut self) {
        let span = SECOND * [60, 3_600, 86_400][self.random.usize(0..3)];
        let lanes = self.random.i64(1..8);
        for id in 1..=lanes {
            let known = self.known(LaneId(id), span);
            self.lanes.insert(LaneId(id), known);
        }
        for id in 1..=self.random.i64(1..80) {
            let lane = LaneId(self.random.i64(1..=lanes));
            let written = if self.random.bool() { self.random.u64(0..span) } else { SECOND };
            let takes = if self.random.u32(0..4) == 0 { self.random.u64(0..10 * SECOND) } else { 0 };
            self.later(written + takes, Happening::Commit { lane, id });
        }
        if !self.calm {
            self.misfortunes(span, lanes);
        }
        self.configure();
    }

    fn known(&mut self, id: LaneId, span: Moment) -> Known {
        let random = &mut self.random;
        let temper = match random.u32(0..12) {
            _ if self.calm => Temper::Healthy,
            0..3 => Temper::Healthy,
            3..6 => Temper::Flaky,
            6..8 => Temper::Down { until: random.u64(0..span), hangs: random.bool() },
            8 => Temper::Down { until: Moment::MAX, hangs: random.bool() },
            9 => Temper::Picky { tells: random.bool() },
            10 => Temper::Forbidding,
            _ => Temper::Gone,
        };
        let limit = random.bool().then(|| (random.u32(1..6), random.u64(1..5) * SECOND));
        let config = LaneConfig {
            kind: if random.bool() { EndpointKind::Discord } else { EndpointKind::TeamsWorkflow },
            vendor: [Vendor::Discord, Vendor::Microsoft, Vendor::Other][random.usize(0..3)],
            max_events_per_message: random.usize(0..12),
            min_interval: if random.u32(0..4) == 0 { Duration::from_secs(random.u64(1..5)) } else { Duration::ZERO },
            ..lane(id.0)
        };
        Known {
            config,
            active: true,
            endpoint: Endpoint::new(temper, limit),
            read: Vec::new(),
            in_flight: false,
            not_before: 0,
            failures: 0,
            failed_at: None,
            departures: VecDeque::new(),
            at_risk: BTreeMap::new(),
            switched_off: false,
        }
    }

    fn misfortunes(&mut self, span: Moment, lanes: i64) {
        for _ in 0..self.random.u32(0..8) {
            let lane = LaneId(self.random.i64(1..=lanes));
            let happening = match self.random.u32(0..10) {
                0..3 => Happening::Crash,
                3 => Happening::SetBack { micros: self.random.u64(2 * SECOND..3_600 * SECOND) },
                4 => Happening::Deactivate(lane),
                5..7 => Happening::Mend(lane),
                7 => Happening::Adjust(lane),
                8 => Happening::RetryNow(lane),
                _ => Happening::Adopt,
            };
            let at = if self.random.bool() { self.random.u64(0..span) } else { self.random.u64(0..3 * SECOND) };
            self.later(at, happening);
        }
    }

    fn later(&mut self, at: Moment, happening: Happening) {
        self.scheduled += 1;
        self.agenda.push(Reverse((at, self.scheduled, happening)));
    }

    fn wall(&self) -> Timestamp {
        let micros = i64::try_from(self.now).unwrap() - i64::try_from(self.set_back).unwrap();
        Timestamp::from_microsecond(1_800_000_000_000_000 + micros).unwrap()
    }

    fn moment(&self, wall: Timestamp) -> Moment {
        let micros = wall.as_microsecond() - 1_800_000_000_000_000 + i64::try_from(self.set_back).unwrap();
        Moment::try_from(micros).unwrap_or(0)
    }

    fn run(&mut self) {
        let mut turns_now = 0;
        for _ in 0..200_000 {
            if self.turn() {
                turns_now += 1;
                assert!(turns_now < 2_000, "it goes round and round");
                continue;
            }
            turns_now = 0;
            let wake = self.scheduler.next_wake().map(|wake| self.moment(wake));
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
            assert_eq!(self.scheduler.poll(now, &mut Room(1)), [], "woken too late for a request");
        }
    }

    fn turn(&mut self) -> bool {
        let mut busy = self.take_changes();
        let now = self.wall();
        for claim in self.scheduler.claims(now) {
            busy = true;
            assert!(claim.limit > 0);
            let rows = self.tables.unfinished(claim.lane).take(claim.limit);
            let rows: Vec<_> = rows.map(|row| row.delivery.clone()).collect();
            let known = self.lanes.get_mut(&claim.lane).unwrap();
            assert!(known.active && !known.in_flight, "claimed {:?}", claim.lane);
            known.read = rows.iter().map(|delivery| delivery.id).collect();
            self.scheduler.supply(claim.lane, rows, now);
            assert!(self.scheduler.buffered() <= self.policy.max_buffered, "holds too many rows");
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
        self.unrecorded.clear();
        self.tables.record(&changes);
        self.check_changes(&changes);
        self.changes += changes.deliveries.len();
        !changes.is_empty()
    }

    fn check_changes(&mut self, changes: &Changes) {
        let wall = self.wall();
        for change in &changes.deliveries {
            assert!(change.attempts <= self.policy.max_attempts, "{change:?}");
            assert_eq!(change.outcome == Outcome::Sent, change.error.is_none(), "{change:?}");
            if let Outcome::Retry { next_attempt_at } | Outcome::Waiting { next_attempt_at } = change.outcome {
                let wait = next_attempt_at.duration_since(wall);
                assert!(wait.as_secs() <= 3_600, "{change:?}");
            }
            if change.outcome == Outcome::Failed && change.status_code == Some(500) {
                assert_eq!(change.attempts, self.policy.max_attempts, "gave up too soon");
            }
        }
        for change in &changes.lanes {
            if let LaneChange::SwitchedOff { lane, .. } = change {
                let known = self.lanes.get_mut(lane).unwrap();
                known.switched_off = true;
                known.active = self.random.bool();
                if !known.active {
                    self.configure();
                }
            }
        }
    }

    fn configure(&mut self) {
        let active = self.lanes.values().filter(|known| known.active);
        let configs = active.map(|known| LaneConfig {
            circuit: self.tables.circuits.get(&known.config.id).copied(),
            ..known.config.clone()
        });
        let configs = configs.collect();
        self.scheduler.configure(configs, self.wall());
    }

    fn depart(&mut self, request: Request) {
        let (now, wall) = (self.now, self.wall());
        let in_flight = self.flying.keys().filter(|(life, _)| *life == self.life).count();
        assert!(in_flight < self.policy.max_in_flight, "too many connections");
        let known = self.lanes.get_mut(&request.lane).unwrap();
        let config = &known.config;
        assert!(known.active && !known.switched_off, "called a webhook that is off");
        assert!(!known.in_flight, "two in flight");
        assert!(now >= known.not_before, "too soon by {}", known.not_before - now);

        let count = request.deliveries.len();
        assert!(count >= 1 && count <= config.max_events_per_message.max(1));
        let rows = &self.tables.rows[&request.lane];
        let waiting: Vec<DeliveryId> = known.read.iter().copied().filter(|id| !rows[id].finished()).collect();
        assert_eq!(request.deliveries, waiting[..count], "out of order");
        for id in &request.deliveries {
            let row = &rows[id];
            assert!(row.delivery.attempts < self.policy.max_attempts, "one attempt too many");
            let age = wall.duration_since(row.delivery.created_at);
            assert!(age <= self.policy.max_age.try_into().unwrap(), "sent though expired");
        }
        if known.failures >= 5 {
            assert_eq!(count, 1, "more than one through an open circuit");
            let doubled = 1 << (known.failures - 1).min(20);
            let least = SECOND * u64::min(doubled, 3_600) / 2;
            assert!(known.failed_at.is_none_or(|at| now >= at + least), "probed too soon");
        }
        if config.vendor == Vendor::Microsoft {
            check_window(&mut known.departures, now, self.policy.teams_per_second);
        }
        if config.vendor == Vendor::Discord {
            check_window(&mut self.discord, now, self.policy.discord_per_second);
            assert!(now >= self.discord_parked_until, "Discord is parked");
        } else if config.kind == EndpointKind::Discord {
            assert!(now >= self.like_parked_until, "parked by a host of its kind");
        }

        known.in_flight = true;
        let revision = known.config.revision;
        let transit = self.random.u64(0..SECOND / 20);
        self.later(now + transit, Happening::Arrive { life: self.life, request: request.id });
        self.flying.insert((self.life, request.id), Flying { request, revision, judgement: None });
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Commit { lane, id } => self.commit(lane, id),
            Happening::Arrive { life, request } => self.arrive(life, request),
            Happening::Answer { life, request } => self.answer(life, request),
            Happening::Crash => self.crash(),
            Happening::SetBack { micros } => self.set_back += micros,
            Happening::Deactivate(lane) => {
                self.lanes.get_mut(&lane).unwrap().active = false;
                self.configure();
            }
            Happening::Mend(lane) => self.mend(lane),
            Happening::Adjust(lane) => {
                let known = self.lanes.get_mut(&lane).unwrap();
                known.config.max_events_per_message = self.random.usize(0..12);
                self.policy.max_in_flight += self.random.usize(0..3);
                self.policy.max_attempts += self.random.u32(0..2);
                self.scheduler.set_policy(self.policy.clone());
                self.configure();
            }
            Happening::RetryNow(lane) => self.retry_now(lane),
            Happening::Adopt => self.scheduler.notice_all(),
        }
    }

    fn commit(&mut self, lane: LaneId, id: i64) {
        let wall = self.wall();
        let known = &self.lanes[&lane];
        if known.active && !known.switched_off {
            self.tables.write(lane, id, wall);
            self.scheduler.notice([lane]);
        }
    }

    fn arrive(&mut self, life: u32, request: RequestId) {
        let flying = self.flying.get_mut(&(life, request)).unwrap();
        let known = self.lanes.get_mut(&flying.request.lane).unwrap();
        let ids: Vec<i64> = flying.request.deliveries.iter().map(|id| id.0).collect();
        let (judgement, delay) = known.endpoint.answer(&ids, self.now, &mut self.random);
        if judgement.verdict == Verdict::Sent {
            for id in ids {
                let again = known.endpoint.accepted[&id] - 1;
                self.sent_twice += usize::from(again > 0);
                assert!(again <= known.at_risk.get(&id).copied().unwrap_or(0), "{id} sent twice for no reason");
            }
        }
        flying.judgement = Some(judgement);
        let at = self.now + micros(delay);
        self.later(at, Happening::Answer { life, request });
    }

    fn answer(&mut self, life: u32, id: RequestId) {
        let flying = self.flying.remove(&(life, id)).unwrap();
        if life != self.life {
            return;
        }
        let judgement = flying.judgement.unwrap();
        let lane = flying.request.lane;
        self.unrecorded.extend(flying.request.deliveries.iter().map(|id| (lane, id.0)));
        self.scheduler.judged(id, &judgement, self.wall());
        let known = self.lanes.get_mut(&lane).unwrap();
        known.in_flight = false;
        if matches!(judgement.verdict, Verdict::RateLimited { .. }) {
            self.rate_limited += 1;
        }
        if let Verdict::RateLimited { wait, scope: RateScope::Discord } = judgement.verdict {
            let until = self.now + micros(wait);
            match (known.config.vendor, known.config.kind) {
                (Vendor::Discord, _) => self.discord_parked_until = until.max(self.discord_parked_until),
                (_, EndpointKind::Discord) => self.like_parked_until = until.max(self.like_parked_until),
                _ => {}
            }
        }
        if flying.revision == known.config.revision {
            known.heard(&judgement, self.now);
        }
    }

    fn crash(&mut self) {
        if self.random.bool() {
            self.take_changes();
        }
        self.life += 1;
        for ((life, _), flying) in &self.flying {
            if *life + 1 == self.life {
                let known = self.lanes.get_mut(&flying.request.lane).unwrap();
                for id in &flying.request.deliveries {
                    *known.at_risk.entry(id.0).or_default() += 1;
                }
            }
        }
        for (lane, id) in std::mem::take(&mut self.unrecorded) {
            *self.lanes.get_mut(&lane).unwrap().at_risk.entry(id).or_default() += 1;
        }
        for known in self.lanes.values_mut() {
            known.forget();
            if let Some(circuit) = self.tables.circuits.get(&known.config.id) {
                known.failures = circuit.failures;
            }
        }
        self.discord.clear();
        self.discord_parked_until = 0;
        self.like_parked_until = 0;
        self.scheduler = Scheduler::new(self.policy.clone(), self.seed ^ u64::from(self.life));
        self.configure();
        if let Some(until) = self.tables.discord_parked_until {
            self.scheduler.park_discord(until, self.wall());
            self.discord_parked_until = if self.set_back == 0 { self.moment(until) } else { 0 };
        }
    }

    /// A person sets another URL, at which all is well.
    fn mend(&mut self, lane: LaneId) {
        let known = self.lanes.get_mut(&lane).unwrap();
        known.config.revision += 1;
        known.active = true;
        known.switched_off = false;
        known.endpoint.temper = Temper::Healthy;
        let in_flight = known.in_flight;
        known.forget();
        known.in_flight = in_flight;
        self.tables.circuits.remove(&lane);
        self.configure();
    }

    fn retry_now(&mut self, lane: LaneId) {
        self.take_changes();
        if let Some(rows) = self.tables.rows.get_mut(&lane) {
            for row in rows.values_mut().filter(|row| !row.finished()) {
                row.delivery.next_attempt_at = None;
            }
        }
        let known = self.lanes.get_mut(&lane).unwrap();
        known.failed_at = None;
        known.departures.clear();
        self.scheduler.retry_now([lane]);
    }

    /// All that can be done is done: nothing is left waiting but with those that a person deactivated.
    fn the_end(&self) {
        assert!(self.flying.is_empty() && self.scheduler.in_flight() == 0);
        for (id, known) in &self.lanes {
            let waiting = self.tables.unfinished(*id).count();
            assert!(waiting == 0 || !known.active, "lost {waiting} of {id:?}: {:?}", known.endpoint.temper);
            for row in self.tables.rows.get(id).into_iter().flat_map(|rows| rows.values()) {
                assert!(!row.finished() || row.sent() || row.error().is_some(), "failed for no reason");
                assert!(!row.sent() || known.endpoint.accepted.contains_key(&row.delivery.id.0), "never sent");
                assert!(!self.calm || row.sent(), "{row:?}");
            }
        }
        assert!(!self.calm || self.sent_twice == 0);
        assert!(!self.calm || self.rate_limited == 0, "ran into a limit that was announced");
        assert_eq!(self.scheduler.buffered(), 0);
    }
}

impl Known {
    /// What follows from an answer.
    fn heard(&mut self, judgement: &Judgement, now: Moment) {
        let mut wait = judgement.pause.unwrap_or_default().max(self.config.min_interval);
        match judgement.verdict {
            Verdict::Sent | Verdict::Rejected { .. } => self.failures = 0,
            Verdict::RateLimited { wait: asked, .. } => wait = wait.max(asked),
            Verdict::Retry { wait: asked } => {
                wait = wait.max(asked.unwrap_or_default());
                (self.failures, self.failed_at) = (self.failures + 1, Some(now));
            }
            Verdict::Forbidden => (self.failures, self.failed_at) = (self.failures + 1, Some(now)),
            Verdict::Gone => self.switched_off = true,
        }
        if self.active {
            self.not_before = self.not_before.max(now + micros(wait));
        }
    }

    /// What is not recorded is not known any more.
    fn forget(&mut self) {
        self.in_flight = false;
        self.not_before = 0;
        self.failures = 0;
        self.failed_at = None;
        self.departures.clear();
    }
}

fn check_window(departures: &mut VecDeque<Moment>, now: Moment, per_second: u32) {
    departures.push_back(now);
    while departures.front().is_some_and(|first| first + SECOND <= now) {
        departures.pop_front();
    }
    assert!(departures.len() <= per_second as usize, "more than {per_second} within a second");
}

#[test]
fn nothing_is_lost_whatever_the_weather() {
    if let Ok(seed) = std::env::var("ZENTRY_SEED") {
        return World::new(seed.parse().unwrap()).run();
    }
    let cases = std::env::var("ZENTRY_CASES").map_or(3_000, |cases| cases.parse().unwrap());
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
    assert!(sent_twice > 0 && days > 0, "the weather is too fine to prove anything");
}
