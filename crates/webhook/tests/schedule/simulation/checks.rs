//! What must hold of every request, of every change, and in the end.

use std::collections::VecDeque;

use webhook::endpoint::{EndpointKind, Vendor, WebhookType};
use webhook::schedule::{ALL_EVENTS, Changes, DeliveryId, Outcome, QueueChange, QueueId, Rate, Request};

use webhook::way::WayId;

use super::{Flying, Happening, Known, SECOND, World};
use crate::world::{Moment, Temper, micros};

impl World {
    pub fn depart(&mut self, request: Request) {
        let (now, wall) = (self.now, self.wall());
        let own = || self.flying.iter().filter(|((life, _), _)| *life == self.life);
        let young = own().filter(|(_, flying)| now < flying.left + SECOND / 2).count();
        assert!(young < self.policy.max_in_flight, "too many connections at once");
        assert!(
            own().count() < self.policy.max_in_flight + self.policy.max_slow,
            "too many connections"
        );
        let known = self.queues.get_mut(&request.queue).unwrap();
        let config = &known.config;
        assert!(
            known.active && !known.switched_off,
            "called a webhook that is off"
        );
        assert!(!known.in_flight, "two in flight");
        let quiet = config.quiet_hours.as_ref().and_then(|hours| hours.end(wall));
        assert_eq!(quiet, None, "called in quiet hours");
        let not_before = known.not_before.max(known.rests_until);
        assert!(now >= not_before, "too soon by {}", not_before - now);

        let count = request.deliveries.len();
        let is_digest = config.digest.is_some();
        assert!(count >= 1 && (is_digest || count <= config.max_events_per_message.max(1)));
        let rows = &self.tables.rows[&request.queue];
        let waiting: Vec<DeliveryId> = known
            .read
            .iter()
            .copied()
            .filter(|id| !rows[id].finished())
            .collect();
        // Behind one that has failed for so long that it may be to blame.
        let asks = count == 1
            && waiting.get(1) == Some(&request.deliveries[0])
            && rows[&waiting[0]].delivery.attempts >= self.policy.max_attempts.max(1);
        assert!(asks || request.deliveries == waiting[..count], "out of order");
        for id in &request.deliveries {
            let row = &rows[id];
            let created_at = match &config.digest {
                Some(digest) => digest.due(row.delivery.created_at).min(wall),
                None => row.delivery.created_at,
            };
            let age = match &config.quiet_hours {
                Some(hours) => hours.awake(created_at, wall),
                None => wall.duration_since(created_at),
            };
            assert!(
                age <= self.policy.max_age.try_into().unwrap(),
                "sent though expired"
            );
        }
        // What is left of a digest that was refused need not wait.
        let is_refused = matches!(
            known.endpoint.temper,
            Temper::Picky { .. } | Temper::Flaky | Temper::Poisoned | Temper::Down { .. }
        );
        if let Some(digest) = config.digest.as_ref().filter(|_| !is_refused) {
            let first = rows[&request.deliveries[0]].delivery.created_at;
            assert!(digest.due(first) <= wall, "before its digest");
        }
        if known.failures >= 5 {
            assert!(is_digest || count == 1, "more than one through an open circuit");
            let doubled = 1 << (known.failures - 1).min(20);
            let least = SECOND * u64::min(doubled, 300) / 2;
            assert!(
                asks || known.failed_at.is_none_or(|at| now >= at + least),
                "probed too soon"
            );
        }
        let address = self
            .ways
            .iter()
            .find(|address| address.id == request.way)
            .unwrap();
        if config.vendor == Vendor::Of(WebhookType::Discord) {
            assert!(now >= address.discord_parked_until, "Discord is parked");
        } else if config.kind == EndpointKind::Discord {
            assert!(now >= address.like_parked_until, "parked by a host of its kind");
        }

        known.in_flight = true;
        let revision = known.config.revision;
        let transit = self.random.u64(0..SECOND / 20);
        self.later(
            now + transit,
            Happening::Arrive {
                life: self.life,
                request: request.id,
            },
        );
        self.flying.insert(
            (self.life, request.id),
            Flying {
                request,
                left: now,
                revision,
                judgement: None,
            },
        );
    }

    /// The vendors' caps, as the vendors count.
    pub fn check_caps(&mut self, queue: QueueId, way: WayId, revision: u64) {
        if self.queues[&queue].config.vendor == Vendor::Of(WebhookType::Discord) {
            let (now, rate) = (self.now, Rate::per_second(self.policy.discord_per_second));
            check_window(&mut self.address(way).discord, now, rate);
        }
        let rate = |known: &Known| {
            let of_vendor =
                (known.config.vendor == Vendor::Of(WebhookType::Teams)).then_some(self.policy.teams_rate);
            known.config.rate.or(of_vendor)
        };
        let Some(own) =
            rate(&self.queues[&queue]).filter(|_| revision == self.queues[&queue].config.revision)
        else {
            return;
        };
        let name = |known: &Known| match &known.config.rate_group {
            Some(group) => group.to_string(),
            None => known.config.id.0.to_string(),
        };
        let together = name(&self.queues[&queue]);
        // The lowest of those that share it; some may be off now, and all of them be counted for nothing.
        let shared = self.queues.values().filter(|known| name(known) == together);
        let lowest = shared
            .filter(|known| known.active)
            .filter_map(rate)
            .fold(own, |a, b| {
                let per_hour = |rate: Rate| u64::from(rate.count) * 3_600 / rate.period.as_secs();
                if per_hour(b) < per_hour(a) { b } else { a }
            });
        check_window(self.limited.entry(together).or_default(), self.now, lowest);
    }

    pub fn check_changes(&mut self, changes: &Changes) {
        let wall = self.wall();
        for change in &changes.deliveries {
            assert_eq!(
                change.outcome == Outcome::Sent,
                change.error.is_none(),
                "{change:?}"
            );
            if let Outcome::Retry { next_attempt_at } | Outcome::Waiting { next_attempt_at } = change.outcome
            {
                let wait = next_attempt_at.duration_since(wall);
                assert!(wait.as_secs() <= 300, "{change:?}");
            }
            let temper = self.queues[&change.queue].endpoint.temper;
            if change.outcome == Outcome::Failed && change.status_code == Some(500) {
                assert!(change.attempts > self.policy.max_attempts, "gave up too soon");
                assert!(matches!(temper, Temper::Poisoned | Temper::Flaky), "{change:?}");
            }
            if change.outcome == Outcome::Failed && matches!(temper, Temper::Down { .. }) {
                let error = change.error.as_deref().unwrap_or_default();
                assert!(error.starts_with("expired"), "an outage lost {change:?}");
            }
        }
        for change in &changes.queues {
            if let QueueChange::SwitchedOff { queue, .. } = change {
                let known = self.queues.get_mut(queue).unwrap();
                known.switched_off = true;
                known.active = self.random.bool();
                if !known.active {
                    self.configure();
                }
            }
        }
    }

    /// Every answer and every outcome is counted once, of whatever it was.
    pub fn check_counts(&mut self, changes: &Changes) {
        let tally = self.scheduler.take_tally();
        let sum = |of: fn(&str) -> bool, count: fn(&webhook::schedule::Counts) -> u64| -> u64 {
            tally
                .iter()
                .filter(|(_, event_type, _)| of(event_type))
                .map(|(.., counts)| count(counts))
                .sum()
        };
        let outcomes =
            |is: fn(Outcome) -> bool| changes.deliveries.iter().filter(|c| is(c.outcome)).count() as u64;
        for of in [
            |event_type: &str| event_type == ALL_EVENTS,
            |event_type: &str| event_type != ALL_EVENTS,
        ] {
            // This world has one type of event, so that no request counts for two.
            assert_eq!(sum(of, |c| c.requests), self.judged);
            let sent = outcomes(|outcome| outcome == Outcome::Sent);
            assert_eq!(sum(of, |c| c.sent), sent);
            assert_eq!(sum(of, |c| c.latency.counts().iter().sum()), sent);
            assert_eq!(
                sum(of, |c| c.failed),
                outcomes(|outcome| outcome == Outcome::Failed)
            );
            assert_eq!(
                sum(of, |c| c.retried),
                outcomes(|outcome| matches!(outcome, Outcome::Retry { .. }))
            );
            assert!(sum(of, |c| c.messages) <= sent);
        }
        self.judged = 0;
    }

    /// All that can be done is done: nothing is left waiting but with those that a person deactivated.
    pub fn the_end(&self) {
        assert!(self.flying.is_empty() && self.scheduler.in_flight() == 0);
        for (id, known) in &self.queues {
            let waiting = self.tables.unfinished(*id).count();
            assert!(
                waiting == 0 || !known.active,
                "lost {waiting} of {id:?}: {:?}",
                known.endpoint.temper
            );
            for row in self
                .tables
                .rows
                .get(id)
                .into_iter()
                .flat_map(|rows| rows.values())
            {
                assert!(
                    !row.finished() || row.sent() || row.error().is_some(),
                    "failed for no reason"
                );
                assert!(
                    !row.sent() || known.endpoint.accepted.contains_key(&row.delivery.id.0),
                    "never sent"
                );
                assert!(!self.calm || row.sent(), "{row:?}");
            }
        }
        assert!(!self.calm || self.sent_twice == 0);
        assert!(
            !self.calm || self.rate_limited == 0,
            "ran into a limit that was announced"
        );
        assert_eq!(self.scheduler.buffered(), 0);
    }
}

fn check_window(arrivals: &mut VecDeque<Moment>, now: Moment, rate: Rate) {
    arrivals.push_back(now);
    while arrivals
        .front()
        .is_some_and(|first| first + micros(rate.period) <= now)
    {
        arrivals.pop_front();
    }
    assert!(arrivals.len() <= rate.count as usize, "more than {rate}");
}
