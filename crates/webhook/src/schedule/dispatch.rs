//! Which lane sends next, and what.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::change::EXPIRED;
use super::clock::Tick;
use super::lane::Flight;
use super::slots::Standing;
use super::turns::Group;
use super::{Compose, DeliveryChange, LaneId, Outcome, Request, Scheduler};

impl Scheduler {
    /// The requests that may leave now.
    pub fn poll(&mut self, now: Timestamp, compose: &mut impl Compose) -> Vec<Request> {
        self.advance(now);
        let mut requests = Vec::new();
        if self.draining {
            return requests;
        }
        while let Some((group, id)) = self.ready.first(|group| self.may_send(group)) {
            self.unplace(id);
            self.expire(id);
            let request = self.send(id, group.standing, compose);
            self.settle(id);
            requests.extend(request);
        }
        requests
    }

    fn may_send(&self, group: Group) -> bool {
        let opens_at = self.gates.opens_at(group.pool);
        self.slots.free(group.standing) && opens_at.is_some_and(|at| at <= self.clock.now())
    }

    /// When [`poll`](Self::poll) will have something, timers aside.
    pub(super) fn next_dispatch(&self) -> Option<Tick> {
        let groups = Group::ALL.iter().filter(|group| self.ready.waiting(**group) > 0);
        groups
            .filter_map(|group| {
                // What holds it up otherwise ends with an answer, or when a request becomes slow.
                match self.gates.opens_at(group.pool) {
                    Some(at) if self.slots.free(group.standing) => Some(at.max(self.clock.now())),
                    _ => self.next_slow(),
                }
            })
            .min()
    }

    /// Fails the first rows of a lane that are too old.
    fn expire(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        let max_age = lane.max_age(&self.policy);
        let at = self.clock.wall(self.clock.now());
        let mut error: Option<Arc<str>> = None;
        while let Some(delivery) = lane.pop_expired(max_age, at) {
            let error = error.get_or_insert_with(|| {
                let max_age = SignedDuration::try_from(max_age).unwrap_or(SignedDuration::MAX);
                format!("{EXPIRED}not delivered within {max_age:#}").into()
            });
            self.stock.release(1);
            lane.changed_in = Some(self.batch);
            self.tally.failed(id, &delivery.event.event_type);
            self.changes.deliveries.push(DeliveryChange {
                id: delivery.id,
                lane: id,
                outcome: Outcome::Failed,
                at,
                attempts: delivery.attempts,
                status_code: None,
                body: None,
                error: Some(error.clone()),
            });
        }
    }

    /// Makes a request of the lane's first rows, if they are still due now that others have expired.
    fn send(&mut self, id: LaneId, standing: Standing, compose: &mut impl Compose) -> Option<Request> {
        let lane = self.lanes.get_mut(&id)?;
        let now = self.clock.now();
        if lane.gate(&self.clock) > now {
            return None;
        }
        if lane.gathers(now).is_some() {
            // What has come meanwhile is read with them.
            if lane.more {
                self.give_rows_back(id);
            }
            return None;
        }
        let sendable = lane.sendable(&self.clock, &self.policy);
        let rows = lane
            .rows
            .make_contiguous()
            .get(..sendable)
            .filter(|rows| !rows.is_empty())?;
        let composed = compose.compose(id, rows);
        let taken = composed.taken.clamp(1, rows.len());
        let deliveries = rows[..taken].iter().map(|delivery| delivery.id).collect();

        lane.flight = Some(Flight {
            taken,
            left: now,
            pool: lane.pool(),
            standing,
            revision: lane.config.revision,
            slow: false,
            aside: false,
        });
        lane.turn = None;
        lane.left();
        self.slots.take(standing);
        self.gates.leave(lane.pool());
        Some(Request {
            id: self.flights.leave(id),
            lane: id,
            body: composed.body,
            deliveries,
        })
    }
}
