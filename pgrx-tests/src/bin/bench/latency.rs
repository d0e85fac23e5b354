//! How long after COMMIT's return the receiver has the message.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use zentry_e2e::wait::eventually;

use crate::application::Application;
use crate::bed::{Audience, Bed, Spread, Way};
use crate::figures::{Curve, Goal, Results, Row, Samples, Unit};
use crate::receiver::MARK;

const PATIENCE: Duration = Duration::from_secs(30);
/// Of the idle worker's stay in that part.
const SHORT_STAY: &str = "1s";

struct Case {
    key: &'static str,
    name: &'static str,
    /// Writes a second.
    rate: u32,
    /// Sessions that write them.
    sessions: u32,
    seconds: u32,
}

pub fn measure(bed: &mut Bed, results: &mut Results) -> Result<()> {
    bed.register(Way::Ours, Audience::default())?;
    let seconds = |full, quick| bed.effort.either(full, quick);
    let cases = [
        Case {
            key: "latency-20",
            name: "20/s",
            rate: 20,
            sessions: 1,
            seconds: seconds(20, 4),
        },
        Case {
            key: "latency-500",
            name: "500/s",
            rate: 500,
            sessions: 4,
            seconds: seconds(6, 2),
        },
    ];
    for case in &cases {
        crate::progress(&format!("From COMMIT's return to the receiver at {}", case.name));
        case.measure(bed, results)?;
    }
    results.rows.push(after_idleness(bed)?);
    Ok(())
}

impl Case {
    fn measure(&self, bed: &mut Bed, results: &mut Results) -> Result<()> {
        let (mut ours, mut posted) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            posted.extend(self.run(bed, Way::Bare)?);
            ours.extend(self.run(bed, Way::Ours)?);
        }
        let (ours, posted) = (Samples(ours), Samples(posted));
        for (quantile, name, most) in [(0.5, "median", 1.0), (0.99, "99th percentile", 5.0)] {
            results.rows.push(Row {
                key: format!("{}-{name}", self.key),
                what: format!(
                    "From COMMIT's return to the receiver, {} over 100 integrations: {name}",
                    self.name
                ),
                unit: Unit::Milliseconds,
                goal: Some(Goal::AtMost(most)),
                ours: Samples::one(ours.quantile(quantile)),
                beside: vec![(
                    "the application posts itself".to_owned(),
                    Samples::one(posted.quantile(quantile)),
                )],
            });
        }
        results
            .latency
            .push(curve(format!("zentry_notify, {}", self.name), &ours));
        results.latency.push(curve(
            format!("the application posts itself, {}", self.name),
            &posted,
        ));
        Ok(())
    }

    /// Milliseconds of each message. In the bare database the application posts itself.
    fn run(&self, bed: &mut Bed, way: Way) -> Result<Vec<f64>> {
        bed.refill(way, bed.effort.tasks(), Spread::Even)?;
        bed.receiver.reset(true)?;
        let total = (self.rate * self.seconds) as usize;
        let committed: HashMap<usize, i64> = thread::scope(|scope| {
            let sessions: Vec<_> = (0..self.sessions)
                .map(|session| {
                    let bed = &*bed;
                    scope.spawn(move || self.session(bed, way, session as usize))
                })
                .collect();
            let mut all = HashMap::new();
            for session in sessions {
                let session = session
                    .join()
                    .map_err(|_| anyhow::anyhow!("a session panicked"))?;
                all.extend(session?);
            }
            anyhow::Ok(all)
        })?;
        let arrivals = arrivals(bed, total)?;
        let took = |(number, at): &(usize, i64)| Some((at - committed.get(number)?) as f64 / 1e6);
        Ok(arrivals.iter().filter_map(took).collect())
    }

    /// At even intervals, as far as the server is that fast; when each commit returned.
    fn session(&self, bed: &Bed, way: Way, session: usize) -> Result<Vec<(usize, i64)>> {
        let mut application = Application::start(bed, way, true)?;
        let interval = Duration::from_secs(1) * self.sessions / self.rate;
        let own = (self.rate * self.seconds / self.sessions) as usize;
        let started = Instant::now();
        let mut committed = Vec::with_capacity(own);
        for turn in 0..own {
            let due = interval * turn as u32;
            thread::sleep(due.saturating_sub(started.elapsed()));
            let number = 1 + turn * self.sessions as usize + session;
            let title = format!("{MARK}{number}");
            committed.push((number, application.complete(number as i64, &title)?));
            if way == Way::Bare {
                application.post(&title)?;
            }
        }
        Ok(committed)
    }
}

fn arrivals(bed: &mut Bed, total: usize) -> Result<Vec<(usize, i64)>> {
    let mut arrivals = Vec::new();
    eventually(PATIENCE, format!("{total} messages"), || {
        arrivals = bed.receiver.arrivals().ok()?;
        (arrivals.len() >= total).then_some(())
    })?;
    ensure!(
        arrivals.len() == total,
        "{} messages instead of {total}",
        arrivals.len()
    );
    Ok(arrivals)
}

fn curve(name: String, samples: &Samples) -> Curve {
    const STEPS: usize = 400;
    let points = (0..=STEPS).map(|step| {
        let share = step as f64 / STEPS as f64;
        (samples.quantile(share), share)
    });
    Curve {
        name,
        points: points.collect(),
    }
}

/// The worker has left: the launcher has to start one first.
fn after_idleness(bed: &mut Bed) -> Result<Row> {
    crate::progress("The first after an idle hour");
    bed.cluster.conf(&[("zentry_notify.idle_timeout", SHORT_STAY)])?;
    bed.refill(Way::Ours, bed.effort.tasks(), Spread::Even)?;
    let mut took = Vec::new();
    let mut application = Application::start(bed, Way::Ours, true)?;
    for number in 1..=bed.effort.either(20, 4) {
        bed.wait_until_worker_left()?;
        bed.receiver.reset(true)?;
        let committed = application.complete(number, &format!("{MARK}{number}"))?;
        let (_, arrived) = arrivals(bed, 1)?[0];
        took.push((arrived - committed) as f64 / 1e6);
    }
    bed.cluster.conf(&[("zentry_notify.idle_timeout", "1h")])?;
    Ok(Row {
        key: "after-idleness".to_owned(),
        what: "The first after an idle hour (the worker has left: `idle_timeout` is a second here)"
            .to_owned(),
        unit: Unit::Milliseconds,
        goal: Some(Goal::AtMost(50.0)),
        ours: Samples(took),
        beside: Vec::new(),
    })
}
