//! How fast a backlog leaves.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use zentry_e2e::wait::eventually;

use crate::bed::{Audience, Bed, CHANNELS, Spread, Way};
use crate::figures::{Curve, Goal, Results, Row, Samples, Unit};
use crate::floor;
use crate::process;

const PATIENCE: Duration = Duration::from_secs(600);
const COMPLETE: &str = "UPDATE tasks_task SET status = 'completed', completed_at = now() WHERE id <= $1";
const GLANCE: Duration = Duration::from_millis(50);

/// Deliveries that wait, and whom for.
#[derive(Clone, Copy, Debug)]
pub struct Backlog {
    pub integrations: usize,
    pub deliveries: usize,
    pub events_per_message: i16,
}

/// What it took to be rid of them.
#[derive(Clone, Debug, Default)]
pub struct Drained {
    /// Deliveries a second, from the first request's arrival to the last's.
    pub rate: f64,
    /// The most private memory that the worker had, in megabytes.
    pub memory: f64,
    /// Processor time a delivery, in microseconds: the worker's thread that talks to Postgres, its HTTP thread, the
    /// receiver.
    pub processor: [f64; 3],
}

const ONE_BY_ONE: Backlog = Backlog {
    integrations: CHANNELS,
    deliveries: 100_000,
    events_per_message: 1,
};

pub fn measure(bed: &mut Bed, results: &mut Results) -> Result<()> {
    let size = bed.effort.either(1, 10);
    let hundred_thousand = Backlog {
        deliveries: 100_000 / size,
        ..ONE_BY_ONE
    };
    let coalesced = Backlog {
        events_per_message: 10,
        ..hundred_thousand
    };
    let ten_thousand = Backlog {
        deliveries: 10_000,
        ..ONE_BY_ONE
    };
    let single = Backlog {
        integrations: 10_000,
        ..ten_thousand
    };
    let million = Backlog {
        deliveries: 1_000_000 / size,
        ..ONE_BY_ONE
    };
    bed.cluster.conf(&[("autovacuum", "on")])?;

    crate::progress("A backlog of 100,000 over 100 integrations");
    let rounds = bed.effort.rounds;
    let (mut bare, mut one, mut ten) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds.div_ceil(2) {
        bare.push(floor::post(bed, CHANNELS, hundred_thousand.deliveries)?);
        one.push(hundred_thousand.drain(bed, Way::Ours)?);
        ten.push(coalesced.drain(bed, Way::Ours)?);
    }
    results.rows.push(rate_row(
        "drain",
        "Backlog of 100,000 over 100 integrations, one event a message: requests",
        Goal::AtLeast(25_000.0),
        rates(&one),
        vec![("bare client, no database".to_owned(), Samples(bare))],
    ));
    results.rows.push(processor_row("drain", &one));
    results.rows.push(rate_row(
        "drain-coalesced",
        "The same with coalescing: deliveries",
        Goal::AtLeast(60_000.0),
        rates(&ten),
        Vec::new(),
    ));
    results.rows.push(processor_row("drain-coalesced", &ten));

    crate::progress("A backlog of 10,000: 100 integrations with 100 each, 10,000 with one each");
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        few.push(ten_thousand.drain(bed, Way::Ours)?);
    }
    single.register(bed, Way::Ours)?;
    for _ in 0..rounds {
        many.push(single.drain_registered(bed, Way::Ours)?);
    }
    let (few, many) = (rates(&few), rates(&many));

    crate::progress("A backlog of 1,000,000");
    let large = million.drain(bed, Way::Ours)?;
    let coalesced_large = Backlog {
        events_per_message: 10,
        ..million
    };
    let large_coalesced = coalesced_large.drain(bed, Way::Ours)?;
    let small = Backlog {
        deliveries: 1_000,
        ..ONE_BY_ONE
    };
    results.rows.push(Row {
        key: "drain-million".to_owned(),
        what: "Backlog of 1,000,000: its rate over that of 10,000".to_owned(),
        unit: Unit::Ratio,
        goal: Some(Goal::AtLeast(0.8)),
        ours: Samples::one(large.rate / few.median()),
        beside: vec![("10,000: requests/s".to_owned(), few.clone())],
    });
    results.rows.push(Row {
        key: "drain-million-memory".to_owned(),
        what: "· the worker's private memory, at most".to_owned(),
        unit: Unit::Megabytes,
        goal: Some(Goal::AtMost(48.0)),
        ours: Samples(vec![large.memory, large_coalesced.memory]),
        beside: Vec::new(),
    });
    results.rows.push(Row {
        key: "drain-many".to_owned(),
        what: "10,000 integrations with one delivery each, over the rate of 100 with 100 each".to_owned(),
        unit: Unit::Ratio,
        goal: Some(Goal::AtLeast(0.5)),
        ours: many.over(&few),
        beside: vec![("100 with 100 each: requests/s".to_owned(), few.clone())],
    });
    let point = |backlog: Backlog, rate: f64| (backlog.deliveries as f64, rate);
    let coalesced_at = |deliveries| Backlog {
        deliveries,
        ..coalesced
    };
    results.backlog = vec![
        Curve {
            name: "one event a message".to_owned(),
            points: vec![
                point(small, small.drain(bed, Way::Ours)?.rate),
                point(ten_thousand, few.median()),
                point(hundred_thousand, rates(&one).median()),
                point(million, large.rate),
            ],
        },
        Curve {
            name: "up to ten events a message".to_owned(),
            points: vec![
                point(
                    coalesced_at(1_000),
                    coalesced_at(1_000).drain(bed, Way::Ours)?.rate,
                ),
                point(
                    coalesced_at(10_000),
                    coalesced_at(10_000).drain(bed, Way::Ours)?.rate,
                ),
                point(coalesced, rates(&ten).median()),
                point(coalesced_large, large_coalesced.rate),
            ],
        },
    ];
    Ok(())
}

fn rates(drained: &[Drained]) -> Samples {
    drained.iter().map(|drained| drained.rate).collect()
}

fn rate_row(key: &str, what: &str, goal: Goal, ours: Samples, beside: Vec<(String, Samples)>) -> Row {
    Row {
        key: key.to_owned(),
        what: what.to_owned(),
        unit: Unit::PerSecond,
        goal: Some(goal),
        ours,
        beside,
    }
}

fn processor_row(key: &str, drained: &[Drained]) -> Row {
    let part = |index: usize| drained.iter().map(|d| d.processor[index]).collect::<Samples>();
    Row {
        key: format!("{key}-processor"),
        what: "· processor time a delivery, of the worker".to_owned(),
        unit: Unit::Microseconds,
        goal: None,
        ours: drained.iter().map(|d| d.processor[0] + d.processor[1]).collect(),
        beside: vec![
            ("its thread for Postgres".to_owned(), part(0)),
            ("its HTTP thread".to_owned(), part(1)),
            ("the receiver".to_owned(), part(2)),
        ],
    }
}

impl Backlog {
    pub fn register(&self, bed: &Bed, way: Way) -> Result<()> {
        let audience = Audience {
            integrations: self.integrations,
            events_per_message: self.events_per_message,
            ..Audience::default()
        };
        bed.register(way, audience)
    }

    pub fn drain(&self, bed: &mut Bed, way: Way) -> Result<Drained> {
        self.register(bed, way)?;
        self.drain_registered(bed, way)
    }

    /// Commits the backlog at once, by one statement of the application, and lets it leave.
    pub fn drain_registered(&self, bed: &mut Bed, way: Way) -> Result<Drained> {
        let spread = match self.integrations {
            CHANNELS => Spread::Even,
            _ => Spread::TenThousandProjects,
        };
        bed.refill(way, self.deliveries.try_into()?, spread)?;
        bed.receiver.reset(false)?;
        let worker = self.start_worker(bed, way)?;
        let receiver = bed.receiver.pid();
        let (before, threads_before) = (process::time(receiver)?, process::threads(worker)?);
        let mut client = bed.connect(way)?;
        client.execute(COMPLETE, &[&i64::try_from(self.deliveries)?])?;
        let (memory, threads) = self.watch(bed, way, worker)?;
        let count = bed.receiver.count()?;
        bed.wait_until_sent(way)?;
        ensure!(
            bed.receiver.count()?.requests == count.requests,
            "something was sent twice"
        );
        let each = |time: Duration| time.as_secs_f64() * 1e6 / self.deliveries as f64;
        let thread = |name: &str| time_of(&threads, name).saturating_sub(time_of(&threads_before, name));
        Ok(Drained {
            rate: self.deliveries as f64 / count.seconds(),
            memory: memory as f64 / 1e6,
            processor: [
                each(thread("main")),
                each(thread("http")),
                each(process::time(receiver)? - before),
            ],
        })
    }

    /// A worker that is there already, and has read its webhooks.
    fn start_worker(&self, bed: &Bed, way: Way) -> Result<u32> {
        bed.connect(way)?
            .batch_execute("UPDATE zentry_notify.webhook_integration SET name = name")?;
        bed.process(way, "worker")
    }

    /// Waits for the last request; the worker's most memory, and its threads' processor time.
    fn watch(&self, bed: &mut Bed, way: Way, worker: u32) -> Result<(u64, Vec<(String, Duration)>)> {
        let most = AtomicU64::new(0);
        let done = AtomicBool::new(false);
        let wanted = self.deliveries.div_ceil(self.events_per_message as usize) as u64;
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    most.fetch_max(process::private_memory(worker).unwrap_or_default(), Relaxed);
                    thread::sleep(GLANCE * 10);
                }
            });
            let arrived = eventually(PATIENCE, "the last request", || {
                (bed.receiver.count().ok()?.requests >= wanted).then_some(())
            });
            // A message that may hold ten holds fewer where a page of events ends, so more are to come: the log says when it is over.
            let arrived = match self.events_per_message {
                1 => arrived,
                _ => arrived.and_then(|()| bed.wait_until_sent(way)),
            };
            done.store(true, Relaxed);
            arrived
        })?;
        Ok((
            most.load(Relaxed),
            process::threads(worker).context("the worker")?,
        ))
    }
}

/// Processor time of the HTTP thread (`http`) or of the one that talks to Postgres.
fn time_of(threads: &[(String, Duration)], name: &str) -> Duration {
    let of = threads
        .iter()
        .find(|(thread, _)| (thread == "zentry-http") == (name == "http"));
    of.map_or(Duration::ZERO, |(_, time)| *time)
}
