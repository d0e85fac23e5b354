//! Dispatching: which queue sends next, and what.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::change::EXPIRED;
use super::clock::Tick;
use super::concurrency::Standing;
use super::in_flight::InFlight;
use super::pool::Pool;
use super::run_queue::Group;
use super::{Compose, DeliveryChange, Outcome, QueueId, Request, Scheduler};
use crate::kinds::EndpointKind;

impl Scheduler {
    /// Returns the requests that may leave now.
    pub fn poll(&mut self, now: Timestamp, compose: &mut impl Compose) -> Vec<Request> {
        self.advance(now);
        let mut requests = Vec::new();
        if self.draining {
            return requests;
        }
        while let Some((group, id)) = self.ready.first(|group| self.may_send(group)) {
            self.leave_state(id);
            self.expire(id);
            let request = self.send(id, group.standing, compose);
            self.settle(id);
            requests.extend(request);
        }
        self.say_what_it_wants();
        requests
    }

    /// Others that share the ways leave room for what has to wait for its turn here, and take it where nothing does.
    pub(super) fn say_what_it_wants(&mut self) {
        let mut groups = Group::ALL.into_iter().filter(|group| group.pool == Pool::Discord);
        let waits =
            groups.any(|group| self.ready.waiting(group) > 0 && self.concurrency.free(group.standing));
        let now = self.clock.now();
        let parked = self.gates.parked_until(Pool::Discord, now) > now;
        self.gates.want(waits && !parked && !self.draining);
    }

    fn may_send(&self, group: Group) -> bool {
        let opens_at = self.gates.opens_at(group.pool, self.clock.now());
        self.concurrency.free(group.standing) && opens_at.is_some_and(|at| at <= self.clock.now())
    }

    /// Returns when [`poll`](Self::poll) will have something, apart from timers.
    pub(super) fn next_dispatch(&self) -> Option<Tick> {
        let groups = Group::ALL.iter().filter(|group| self.ready.waiting(**group) > 0);
        groups
            .filter_map(|group| {
                // Other limits end with an answer, or when a request becomes slow.
                match self.gates.opens_at(group.pool, self.clock.now()) {
                    Some(at) if self.concurrency.free(group.standing) => Some(at.max(self.clock.now())),
                    _ => self.next_slow(),
                }
            })
            .min()
    }

    /// Fails the first rows of a queue that have expired; those of a digest once all of them are here.
    fn expire(&mut self, id: QueueId) {
        let Some(queue) = self.queues.get_mut(&id) else {
            return;
        };
        if queue.has_to_gather() {
            return;
        }
        let max_age = queue.max_age(&self.policy);
        let at = self.clock.wall(self.clock.now());
        let mut error: Option<Arc<str>> = None;
        let expired = queue.take_expired(max_age, at);
        self.prefetch.count(queue);
        for delivery in expired {
            let error = error.get_or_insert_with(|| {
                let max_age = SignedDuration::try_from(max_age).unwrap_or(SignedDuration::MAX);
                format!("{EXPIRED}not delivered within {max_age:#}").into()
            });
            queue.changed_in = Some(self.batch);
            self.tally.failed(id, &delivery.event.event_type);
            self.changes.deliveries.push(DeliveryChange {
                id: delivery.id,
                queue: id,
                outcome: Outcome::Failed,
                at,
                attempts: delivery.attempts,
                status_code: None,
                body: None,
                error: Some(error.clone()),
            });
        }
    }

    /// Makes a request of the queue's first rows, if they are still due now that others have expired.
    fn send(&mut self, id: QueueId, standing: Standing, compose: &mut impl Compose) -> Option<Request> {
        let queue = self.queues.get_mut(&id)?;
        let now = self.clock.now();
        if queue.gate(&self.clock) > now {
            return None;
        }
        if queue.has_to_gather() {
            self.give_rows_back(id);
            return None;
        }
        if queue.gathers(now).is_some() {
            // Rows that were written meanwhile are read with them.
            if queue.more {
                self.give_rows_back(id);
            }
            return None;
        }
        let (pool, kind) = (queue.pool(), queue.config.kind);
        let way = self.gates.choose(pool, kind, id, queue.avoided(now), now);
        let way = match way {
            Ok(way) => way,
            Err(again) => {
                queue.wait_for_way(again);
                return None;
            }
        };
        let sendable = queue.sendable(&self.clock, &self.policy);
        let rows = queue
            .rows
            .make_contiguous()
            .get(..sendable)
            .filter(|rows| !rows.is_empty())?;
        let composed = compose.compose(id, rows);
        let taken = composed.taken.clamp(1, rows.len());
        let deliveries = rows[..taken].iter().map(|delivery| delivery.id).collect();

        queue.in_flight = Some(InFlight {
            taken,
            left: now,
            way: (kind != EndpointKind::Nats).then_some(way),
            pool,
            standing,
            revision: queue.config.revision,
            slow: false,
            aside: false,
        });
        queue.turn = None;
        queue.left();
        self.concurrency.take(standing);
        if kind != EndpointKind::Nats {
            self.gates.leave(way, pool);
        }
        Some(Request {
            id: self.in_flight.leave(id),
            queue: id,
            way,
            body: composed.body,
            message_id: composed.message_id,
            publication: composed.publication,
            traceparent: composed.traceparent,
            deliveries,
        })
    }
}
