//! When a queue's next request may leave.

use super::{Delivery, EndpointQueue, LONGEST_WAIT, LOOKS_AGAIN};
use crate::schedule::clock::{Clock, Tick};

impl EndpointQueue {
    /// Returns until when the queue makes no request.
    pub(in crate::schedule) fn gate(&self, clock: &Clock) -> Tick {
        self.gate_but_for_rate(clock).max(self.rate_gate(clock))
    }

    fn gate_but_for_rate(&self, clock: &Clock) -> Tick {
        let head = self.rows.front().map_or(Tick::DISTANT_PAST, |head| {
            self.due(head, clock).max(self.gathered_at(head, clock))
        });
        let asked = self
            .own_pace()
            .max(self.rests_until)
            .max(self.ways_until)
            .max(self.quiet_until(clock));
        if self.asks() {
            return asked;
        }
        asked.max(self.health.next_try()).max(head)
    }

    /// Returns until when the rate of the queue or its group lets nothing leave, or its message waits for more events.
    fn rate_gate(&self, clock: &Clock) -> Tick {
        let gathers = if self.asks() || self.rows.len() >= self.message_size() {
            Tick::DISTANT_PAST
        } else {
            self.gathers_until
        };
        let window = self.limiter.as_ref().map(|limiter| limiter.window.borrow());
        window.map_or(gathers, |window| {
            window.opens_at_or_after(clock.now()).max(gathers)
        })
    }

    /// Returns whether it waits for nothing but its group's rate: then it keeps its place among the group, so that a queue that sends more
    /// often takes no other's turn.
    pub(in crate::schedule) fn stands_in_line(&mut self, clock: &Clock) -> bool {
        let waits = self.limiter.is_some() && self.gate_but_for_rate(clock) <= clock.now();
        if waits {
            self.gathers_since.get_or_insert(clock.now());
        }
        waits && self.config.rate_group.is_some()
    }

    /// Returns when the digest leaves that begins with this delivery. The rest of a refused digest does not wait for the next time.
    fn gathered_at(&self, head: &Delivery, clock: &Clock) -> Tick {
        match &self.config.digest {
            Some(digest) if self.refused == 0 => clock.tick(digest.due(head.created_at)),
            _ => Tick::DISTANT_PAST,
        }
    }

    fn quiet_until(&self, clock: &Clock) -> Tick {
        let hours = self.config.quiet_hours.as_ref();
        let end = hours.and_then(|hours| hours.end(clock.wall(clock.now())));
        end.map_or(Tick::DISTANT_PAST, |end| clock.tick(end))
    }

    fn own_pace(&self) -> Tick {
        let own = self.answered_at.map(|at| at.after(self.config.min_interval));
        own.map_or(self.paced_until, |own| own.max(self.paced_until))
    }

    /// Returns until when a message that is not full waits for more events. None: it leaves.
    pub(in crate::schedule) fn gathers(&mut self, now: Tick) -> Option<Tick> {
        let full = self.rows.len() >= self.message_size();
        let alone = self.rows.front().is_some_and(|head| self.goes_alone(head));
        if full || alone || self.refused > 0 || self.asks() || self.config.digest.is_some() {
            return None;
        }
        let window = self.limiter.as_ref()?.window.borrow();
        let until = window.gathers_until(now);
        if until <= now {
            return None;
        }
        // What others of its group send in the meantime must neither delay it for ever nor cost it its turn.
        let since = *self.gathers_since.get_or_insert(now);
        let until = until.min(since.after(window.spacing()));
        (until > now).then(|| {
            // Events that come meanwhile may fill it up.
            self.gathers_until = until.min(now.after(LOOKS_AGAIN));
            until
        })
    }

    pub(super) fn due(&self, delivery: &Delivery, clock: &Clock) -> Tick {
        let latest = clock.now().after(LONGEST_WAIT);
        let row = delivery.next_attempt_at.filter(|_| !self.resumed);
        let row = row.map_or(Tick::DISTANT_PAST, |at| clock.tick(at).min(latest));
        match self.hold {
            Some(hold) if delivery.id <= hold.last => row.min(hold.until),
            _ => row,
        }
    }
}
