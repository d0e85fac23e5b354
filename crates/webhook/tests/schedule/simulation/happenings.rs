//! What happens, and what the world knows from then on.

use webhook::endpoint::{EndpointKind, Vendor, WebhookType};
use webhook::outcome::{Judgement, RateScope, Verdict};
use webhook::schedule::{InARow, QueueConfig, QueueId, RequestId, Scheduler};

use super::{Address, Happening, Known, SECOND, World};
use crate::desk::{seconds, verdict};
use crate::world::{Moment, Temper, micros};

impl World {
    pub fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Commit { queue, id } => self.commit(queue, id),
            Happening::Arrive { life, request } => self.arrive(life, request),
            Happening::Answer { life, request } => self.answer(life, request),
            Happening::Crash => self.crash(),
            Happening::SetBack { micros } => self.set_back += micros,
            Happening::EdgeBlocks { way, micros } => self.ways[way].edge_blocks_until = self.now + micros,
            Happening::WayDies { way, micros } => self.ways[way].dead_until = self.now + micros,
            Happening::Deactivate(queue) => {
                self.queues.get_mut(&queue).unwrap().active = false;
                self.limited.clear();
                self.configure();
            }
            Happening::Mend(queue) => self.mend(queue),
            Happening::Adjust(queue) => {
                let known = self.queues.get_mut(&queue).unwrap();
                known.config.max_events_per_message = self.random.usize(0..12);
                self.policy.max_in_flight += self.random.usize(0..3);
                self.policy.max_slow += self.random.usize(0..3);
                self.policy.max_attempts += self.random.u32(0..2);
                self.scheduler.set_policy(self.policy.clone());
                self.configure();
            }
            Happening::RetryNow(queue) => self.retry_now(queue),
            Happening::Adopt => self.scheduler.notice_all(),
        }
    }

    fn commit(&mut self, queue: QueueId, id: i64) {
        let wall = self.wall();
        let known = &self.queues[&queue];
        if known.active && !known.switched_off {
            self.tables.write(queue, id, wall);
            self.scheduler.notice([queue]);
        }
    }

    fn arrive(&mut self, life: u32, request: RequestId) {
        let way = self.flying[&(life, request)].request.way;
        let dead = self.now < self.address(way).dead_until;
        if life == self.life && !dead {
            let flying = &self.flying[&(life, request)];
            self.check_caps(flying.request.queue, way, flying.revision);
        }
        let blocked = self.now < self.address(way).edge_blocks_until;
        let flying = self.flying.get_mut(&(life, request)).unwrap();
        let known = self.queues.get_mut(&flying.request.queue).unwrap();
        let ids: Vec<i64> = flying.request.deliveries.iter().map(|id| id.0).collect();
        let (judgement, delay) = if dead {
            (verdict(Verdict::Unreached), seconds(0.01))
        } else if blocked && known.config.kind == EndpointKind::Discord {
            (verdict(Verdict::Blocked), seconds(0.01))
        } else {
            known.endpoint.answer(&ids, self.now, &mut self.random)
        };
        if judgement.verdict == Verdict::Sent {
            for id in ids {
                let again = known.endpoint.accepted[&id] - 1;
                self.sent_twice += usize::from(again > 0);
                assert!(
                    again <= known.at_risk.get(&id).copied().unwrap_or(0),
                    "{id} sent twice for no reason"
                );
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
        let queue = flying.request.queue;
        self.unrecorded
            .extend(flying.request.deliveries.iter().map(|id| (queue, id.0)));
        self.scheduler.judged(id, &judgement, self.wall());
        self.judged += 1;
        let known = self.queues.get_mut(&queue).unwrap();
        let way = flying.request.way;
        let address = self.ways.iter_mut().find(|address| address.id == way).unwrap();
        known.in_flight = false;
        if matches!(judgement.verdict, Verdict::RateLimited { .. }) {
            self.rate_limited += 1;
        }
        if let Verdict::RateLimited {
            wait,
            scope: RateScope::Discord,
        } = judgement.verdict
        {
            let until = self.now + micros(wait);
            address.park(&known.config, until);
        }
        if judgement.verdict == Verdict::Blocked {
            let until = self.now + 8 * SECOND;
            address.park(&known.config, until);
        }
        if flying.revision == known.config.revision {
            known.heard(&judgement, self.ways.len(), self.now);
        }
    }

    fn crash(&mut self) {
        if self.random.bool() {
            self.take_changes();
        }
        self.life += 1;
        self.judged = 0;
        for ((life, _), flying) in &self.flying {
            if *life + 1 == self.life {
                let known = self.queues.get_mut(&flying.request.queue).unwrap();
                for id in &flying.request.deliveries {
                    *known.at_risk.entry(id.0).or_default() += 1;
                }
            }
        }
        for (queue, id) in std::mem::take(&mut self.unrecorded) {
            *self
                .queues
                .get_mut(&queue)
                .unwrap()
                .at_risk
                .entry(id)
                .or_default() += 1;
        }
        for known in self.queues.values_mut() {
            known.forget();
            if let Some(in_a_row) = self.tables.in_a_row.get(&known.config.id) {
                known.failures = in_a_row.failures;
            }
        }
        for address in &mut self.ways {
            address.discord.clear();
            address.discord_parked_until = 0;
            address.like_parked_until = 0;
        }
        self.limited.clear();
        self.scheduler = Scheduler::new(self.policy.clone(), self.seed ^ u64::from(self.life));
        self.name_ways();
        self.configure();
        for (way, until) in self.tables.discord_parked.clone() {
            self.scheduler.park_discord(way, until, self.wall());
            let until = if self.set_back == 0 { self.moment(until) } else { 0 };
            self.address(way).discord_parked_until = until;
        }
    }

    /// A person sets another URL, at which all is well.
    fn mend(&mut self, queue: QueueId) {
        let known = self.queues.get_mut(&queue).unwrap();
        known.config.revision += 1;
        known.active = true;
        known.switched_off = false;
        known.endpoint.temper = Temper::Healthy;
        let in_flight = known.in_flight;
        known.forget();
        known.in_flight = in_flight;
        self.tables.circuits.remove(&queue);
        if let Some(in_a_row) = self.tables.in_a_row.get_mut(&queue) {
            *in_a_row = InARow {
                posts: std::mem::take(&mut in_a_row.posts),
                ..InARow::default()
            };
        }
        self.limited.clear();
        self.configure();
    }

    fn retry_now(&mut self, queue: QueueId) {
        self.take_changes();
        if let Some(rows) = self.tables.rows.get_mut(&queue) {
            for row in rows.values_mut().filter(|row| !row.finished()) {
                row.delivery.next_attempt_at = None;
            }
        }
        let known = self.queues.get_mut(&queue).unwrap();
        known.failed_at = None;
        known.rests_until = 0;
        self.scheduler.retry_now([queue]);
    }
}

impl Address {
    fn park(&mut self, config: &QueueConfig, until: Moment) {
        match (config.vendor, config.kind) {
            (Vendor::Of(WebhookType::Discord), _) => {
                self.discord_parked_until = until.max(self.discord_parked_until);
            }
            (_, EndpointKind::Discord) => self.like_parked_until = until.max(self.like_parked_until),
            _ => {}
        }
    }
}

impl Known {
    /// What follows from an answer.
    fn heard(&mut self, judgement: &Judgement, ways: usize, now: Moment) {
        let mut wait = judgement.pause.unwrap_or_default().max(self.config.min_interval);
        match judgement.verdict {
            Verdict::Sent | Verdict::Rejected { .. } => self.failures = 0,
            // Another way may be open.
            Verdict::RateLimited {
                scope: RateScope::Discord,
                ..
            } if ways > 1 => {}
            Verdict::RateLimited { wait: asked, .. } => wait = wait.max(asked),
            // The same, or it counts as a failure.
            Verdict::Blocked | Verdict::Unreached => {}
            Verdict::Misdirected => (self.failures, self.failed_at) = (self.failures.max(4) + 1, Some(now)),
            Verdict::Retry { wait: asked } | Verdict::Unavailable { wait: asked } => {
                if self.active {
                    let asked = asked.unwrap_or_default().min(seconds(300.0));
                    self.rests_until = self.rests_until.max(now + micros(asked));
                }
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
        self.rests_until = 0;
        self.failures = 0;
        self.failed_at = None;
    }
}
