//! What the scheduler itself costs, with an endpoint that answers at once and rows that are there already.

#![allow(missing_docs)]

use std::collections::VecDeque;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use webhook::endpoint::{EndpointKind, Vendor};
use webhook::event::Event;
use webhook::outcome::{Judgement, Verdict};
use webhook::schedule::{
    Compose, Composed, Delivery, DeliveryId, Policy, QueueConfig, QueueId, Request, Scheduler,
};

struct All;

impl Compose for All {
    fn compose(&mut self, _: QueueId, deliveries: &[Delivery]) -> Composed {
        Composed {
            body: Vec::new(),
            message_id: None,
            publication: None,
            traceparent: None,
            taken: deliveries.len(),
        }
    }
}

fn start() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn queue(id: usize, max_events_per_message: usize) -> QueueConfig {
    QueueConfig {
        id: QueueId(id as i64),
        kind: EndpointKind::TeamsWorkflow,
        vendor: Vendor::Other,
        revision: 0,
        max_events_per_message,
        min_interval: Duration::ZERO,
        max_age: None,
        quiet_hours: None,
        digest: None,
        proven: false,
        circuit: None,
        rate: None,
        rate_group: None,
        in_a_row: webhook::schedule::InARow::default(),
    }
}

fn delivery(id: i64) -> Delivery {
    let event = Event {
        event_type: "task_completed".into(),
        data: "{}".into(),
        occurred_at: start(),
        traceparent: None,
    };
    Delivery {
        id: DeliveryId(id),
        event_id: id,
        event,
        attempts: 0,
        created_at: start(),
        next_attempt_at: None,
    }
}

fn judgement(verdict: Verdict) -> Judgement {
    Judgement {
        verdict,
        pause: None,
        status_code: Some(200),
        body: Some("{}".to_owned()),
        error: None,
    }
}

struct World {
    scheduler: Scheduler,
    tables: Vec<VecDeque<Delivery>>,
    now: Timestamp,
}

impl World {
    fn new(queues: usize, rows: usize, max_events_per_message: usize) -> Self {
        let mut scheduler = Scheduler::new(Policy::default(), 1);
        scheduler.configure(
            (0..queues).map(|id| queue(id, max_events_per_message)).collect(),
            start(),
        );
        let table = |queue: usize| {
            (0..rows)
                .map(|row| delivery((row * queues + queue) as i64))
                .collect()
        };
        World {
            scheduler,
            tables: (0..queues).map(table).collect(),
            now: start(),
        }
    }

    /// Commits changes, reads claims, and says what leaves.
    fn turn(&mut self) -> Vec<Request> {
        drop(self.scheduler.take_changes());
        for claim in self.scheduler.claims(self.now) {
            let table = &mut self.tables[claim.queue.0 as usize];
            let rows = table.drain(..claim.limit.min(table.len())).collect();
            self.scheduler.supply(claim.queue, rows, self.now);
        }
        self.scheduler.poll(self.now, &mut All)
    }

    fn drain(&mut self) -> usize {
        let (sent, mut turns) = (judgement(Verdict::Sent), 0);
        loop {
            let requests = self.turn();
            if requests.is_empty() && !self.scheduler.has_changes() && self.scheduler.next_wake().is_none() {
                return turns;
            }
            turns += 1;
            self.now += Duration::from_millis(1);
            for request in &requests {
                self.scheduler.judged(request.id, &sent, self.now);
            }
        }
    }

    /// So many queues have failed and wait.
    fn park(&mut self) {
        let failed = judgement(Verdict::RateLimited {
            wait: Duration::from_secs(3600),
            scope: webhook::outcome::RateScope::Webhook,
        });
        loop {
            let requests = self.turn();
            if requests.is_empty() && !self.scheduler.has_changes() {
                return;
            }
            for request in &requests {
                self.scheduler.judged(request.id, &failed, self.now);
            }
        }
    }
}

/// Time per delivery, from the row to the recorded outcome.
fn backlog(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("backlog");
    for (queues, rows, events) in [
        (100, 1_000, 1),
        (100, 1_000, 10),
        (10_000, 10, 1),
        (10_000, 1, 10),
        (1, 100_000, 10),
    ] {
        group.throughput(Throughput::Elements((queues * rows) as u64));
        let name = format!("{queues} queues x {rows} rows, {events} a message");
        group.bench_function(BenchmarkId::from_parameter(name), |bench| {
            bench.iter_batched_ref(
                || World::new(queues, rows, events),
                World::drain,
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// One event, from the notice to the recorded outcome, beside queues that are parked.
fn one_event(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one event beside parked queues");
    for parked in [0, 100, 10_000] {
        let mut world = World::new(parked + 1, 1, 10);
        world.tables[parked].clear();
        world.park();
        let mut id = 0;
        group.bench_function(BenchmarkId::from_parameter(parked), |bench| {
            bench.iter(|| {
                id += 1;
                world.tables[parked].push_back(delivery(id));
                world.scheduler.notice([QueueId(parked as i64)]);
                let requests = world.turn();
                assert_eq!(requests.len(), 1);
                world
                    .scheduler
                    .judged(requests[0].id, &judgement(Verdict::Sent), world.now);
                world.scheduler.take_changes();
                world.scheduler.next_wake()
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3));
    targets = backlog, one_event
}
criterion_main!(benches);
