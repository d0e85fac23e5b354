//! A scheduler on a desk: the examples say what happens and look at what it does.

use std::time::Duration;

use jiff::Timestamp;
use webhook::endpoint::{EndpointKind, Vendor, WebhookType};
use webhook::outcome::{Judgement, RateScope, Verdict};
use webhook::schedule::{
    DeliveryId, InARow, Outcome, Policy, QueueConfig, QueueId, Request, Scheduler, SharedWays,
};

use webhook::way::WayId;

use crate::glue::{Row, Tables, turn};

/// When examples begin, in seconds since 1970.
const START: i64 = 1_800_000_000;

pub struct Desk {
    pub scheduler: Scheduler,
    pub tables: Tables,
    pub now: Timestamp,
    pub room: usize,
    pub configs: Vec<QueueConfig>,
    /// None: as it begins.
    pub ways: Vec<WayId>,
}

pub fn queue(id: i64) -> QueueConfig {
    QueueConfig {
        id: QueueId(id),
        kind: EndpointKind::TeamsWorkflow,
        vendor: Vendor::Other,
        revision: 0,
        max_events_per_message: 10,
        min_interval: Duration::ZERO,
        max_age: None,
        quiet_hours: None,
        digest: None,
        proven: false,
        circuit: None,
        rate: None,
        rate_group: None,
        in_a_row: InARow::default(),
    }
}

pub fn discord(id: i64) -> QueueConfig {
    QueueConfig {
        kind: EndpointKind::Discord,
        vendor: Vendor::Of(WebhookType::Discord),
        ..queue(id)
    }
}

pub fn teams(id: i64) -> QueueConfig {
    QueueConfig {
        vendor: Vendor::Of(WebhookType::Teams),
        ..queue(id)
    }
}

pub fn verdict(verdict: Verdict) -> Judgement {
    let (status_code, error) = match verdict {
        Verdict::Sent => (200, None),
        Verdict::Rejected { .. } => (400, Some("bad request")),
        Verdict::Forbidden => (403, Some("not allowed")),
        Verdict::RateLimited { .. } => (429, Some("too fast")),
        Verdict::Retry { .. } => (500, Some("broken")),
        Verdict::Unavailable { .. } => (502, Some("not there")),
        Verdict::Unreached => {
            return Judgement {
                verdict,
                pause: None,
                status_code: None,
                body: None,
                error: Some("no connection".to_owned()),
            };
        }
        Verdict::Blocked => (403, Some("not from here")),
        Verdict::Misdirected => (400, Some("no thread")),
        Verdict::Gone => (404, Some("no such webhook")),
    };
    Judgement {
        verdict,
        pause: None,
        status_code: Some(status_code),
        body: Some("{}".to_owned()),
        error: error.map(str::to_owned),
    }
}

pub const SENT: Verdict = Verdict::Sent;
pub const BROKEN: Verdict = Verdict::Retry { wait: None };
/// Nothing of the endpoint's.
pub const ABSENT: Verdict = Verdict::Unavailable { wait: None };
pub const REFUSED: Verdict = Verdict::Rejected { culprit: None };

pub fn too_fast(wait: Duration) -> Verdict {
    Verdict::RateLimited {
        wait,
        scope: RateScope::Webhook,
    }
}

pub fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

pub fn ids(request: &Request) -> Vec<i64> {
    request.deliveries.iter().map(|id| id.0).collect()
}

impl Desk {
    pub fn new(configs: impl IntoIterator<Item = QueueConfig>) -> Self {
        Desk::with(Policy::default(), configs)
    }

    pub fn with(policy: Policy, configs: impl IntoIterator<Item = QueueConfig>) -> Self {
        Desk::at(START, Scheduler::new(policy, 7), configs)
    }

    /// One of several databases that send by the same ways; its clock is that many seconds ahead.
    pub fn sharing(
        ways: &SharedWays,
        policy: Policy,
        ahead: i64,
        configs: impl IntoIterator<Item = QueueConfig>,
    ) -> Self {
        let mut scheduler = Scheduler::sharing(ways.clone(), policy, 7);
        let now = Timestamp::from_second(START + ahead).unwrap();
        scheduler.synchronize(now, Duration::from_secs(1000));
        Desk::at(START + ahead, scheduler, configs)
    }

    fn at(now: i64, mut scheduler: Scheduler, configs: impl IntoIterator<Item = QueueConfig>) -> Self {
        let now = Timestamp::from_second(now).unwrap();
        let configs: Vec<QueueConfig> = configs.into_iter().collect();
        scheduler.configure(configs.clone(), now);
        Desk {
            scheduler,
            tables: Tables::default(),
            now,
            room: usize::MAX,
            configs,
            ways: Vec::new(),
        }
    }

    pub fn write(&mut self, queue: i64, ids: impl IntoIterator<Item = i64>) {
        for id in ids {
            self.tables.write(QueueId(queue), id, self.now);
        }
        self.scheduler.notice([QueueId(queue)]);
    }

    pub fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// What leaves now, with everything recorded.
    pub fn leaving(&mut self) -> Vec<Request> {
        let mut requests = Vec::new();
        loop {
            let turn = turn(&mut self.scheduler, &mut self.tables, self.now, self.room);
            let go_on = turn.did_something();
            requests.extend(turn.requests);
            if !go_on {
                return requests;
            }
        }
    }

    /// The same, as long as something leaves.
    pub fn some_leaving(&mut self) -> Option<Vec<Request>> {
        Some(self.leaving()).filter(|requests| !requests.is_empty())
    }

    /// The one request that leaves now.
    pub fn one(&mut self) -> Request {
        let mut requests = self.leaving();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    pub fn nothing_leaves(&mut self) {
        assert_eq!(self.leaving(), []);
    }

    /// Goes to the next wake, and says how long that was.
    pub fn sleep(&mut self) -> Duration {
        let wake = self.scheduler.next_wake().expect("something to wait for");
        let slept = Duration::try_from(wake.duration_since(self.now)).expect("a wake that lies ahead");
        self.now = wake;
        slept
    }

    /// Sleeps until something leaves.
    pub fn next(&mut self) -> (Duration, Request) {
        let start = self.now;
        loop {
            let mut requests = self.leaving();
            if !requests.is_empty() {
                assert_eq!(requests.len(), 1, "{requests:?}");
                return (
                    Duration::try_from(self.now.duration_since(start)).unwrap(),
                    requests.remove(0),
                );
            }
            self.sleep();
        }
    }

    pub fn answer(&mut self, request: &Request, how: Verdict) {
        self.judge(request, &verdict(how));
    }

    pub fn judge(&mut self, request: &Request, judgement: &Judgement) {
        self.scheduler.judged(request.id, judgement, self.now);
    }

    /// Fails `times` in a row, as fast as it is tried.
    pub fn break_down(&mut self, times: usize) {
        for _ in 0..times {
            let (_, request) = self.next();
            self.answer(&request, BROKEN);
        }
    }

    pub fn record(&mut self) {
        let changes = self.scheduler.take_changes();
        self.tables.record(&changes);
    }

    pub fn row(&self, queue: i64, id: i64) -> &Row {
        self.tables.row(QueueId(queue), DeliveryId(id))
    }

    pub fn outcome(&mut self, queue: i64, id: i64) -> Option<Outcome> {
        self.record();
        self.row(queue, id).outcome()
    }

    /// The worker dies with what it had not recorded; another one starts.
    pub fn crash(&mut self) {
        self.scheduler = Scheduler::new(Policy::default(), 8);
        for config in &mut self.configs {
            config.circuit = self.tables.circuits.get(&config.id).copied();
            config.in_a_row = self.tables.in_a_row.get(&config.id).cloned().unwrap_or_default();
        }
        self.scheduler.configure(self.configs.clone(), self.now);
        self.scheduler.set_ways(&self.ways);
        for (way, until) in &self.tables.discord_parked {
            self.scheduler.park_discord(*way, *until, self.now);
        }
    }
}
