//! Claiming: which queues to read, and how many rows of each.

use jiff::Timestamp;

use super::clock::Tick;
use super::endpoint_queue::State;
use super::run_queue::Group;
use super::{Claim, Delivery, QueueId, Scheduler};
use crate::digest::SHOWN;

impl Scheduler {
    /// Returns the queues to read now. Each claim has to be [supplied](Self::supply) before its queue goes on.
    ///
    /// A queue is claimed when it holds no rows, nothing of it is in flight and its changes have been taken: what is read
    /// takes the place of what was known, and no row needs to be excluded.
    pub fn claims(&mut self, now: Timestamp) -> Vec<Claim> {
        self.advance(now);
        let mut claims = Vec::new();
        if self.draining {
            return claims;
        }
        let mut hungry: usize = Group::ALL
            .iter()
            .map(|group| self.hungry.waiting(*group).min(self.ahead(*group)))
            .sum();
        while self.prefetch.free() > 0
            && let Some((_, id)) = self.hungry.first(|group| self.may_claim(group))
        {
            claims.extend(self.claim(id, hungry));
            hungry = hungry.saturating_sub(1);
        }
        claims
    }

    fn claim(&mut self, id: QueueId, hungry: usize) -> Option<Claim> {
        self.leave_state(id);
        let queue = self.queues.get_mut(&id)?;
        let message = queue.message_size();
        let limit = match queue.config.digest {
            Some(_) => queue.digest_page(),
            None => queue
                .page
                .next(message, self.clock.now())
                // With two rows it can be found out whether the first one is to blame for failures.
                .max(2)
                .min(self.prefetch.portion(hungry, message)),
        };
        let turn = queue.turn.unwrap_or_default();
        queue.state = State::Claimed(self.claimed.join(queue.group(&self.clock), turn, id), limit);
        queue.more = false;
        self.prefetch.promise(queue.weight(limit));
        Some(Claim {
            queue: id,
            limit,
            shown: queue.config.digest.is_some().then_some(SHOWN),
        })
    }

    /// Takes the rows of a claim, in order of id. Fewer than its limit mean that the queue has no more. Rows of a queue that has been
    /// reconfigured since its claim are ignored.
    pub fn supply(&mut self, queue: QueueId, mut rows: Vec<Delivery>, now: Timestamp) {
        let now = self.clock.read(now);
        let id = queue;
        let Some(queue) = self.queues.get(&id) else { return };
        let State::Claimed(_, limit) = queue.state else {
            return;
        };
        let noticed = queue.more;
        self.leave_state(id);
        let Some(queue) = self.queues.get_mut(&id) else {
            return;
        };
        rows.truncate(limit);
        let full = rows.len() == limit;
        if full {
            queue.page.filled(now);
        }
        if rows.first().is_some_and(|head| head.attempts > 0) {
            queue.health.failed_before();
        }
        queue.more = full || noticed;
        queue.rows = rows.into();
        queue.supplied();
        self.prefetch.count(queue);
        self.settle(id);
    }

    fn may_claim(&self, group: Group) -> bool {
        self.gates.parked_until(group.pool, self.clock.now()) <= self.clock.now() && self.lacks(group)
    }

    /// Returns whether the group's next connections would have to wait for rows, or would go to queues that came later.
    fn lacks(&self, group: Group) -> bool {
        let (ready, claimed) = (self.ready.waiting(group), self.claimed.waiting(group));
        let overtaken = self.hungry.next(group) < self.ready.next(group);
        claimed < self.ahead(group) && (overtaken || ready + claimed < self.ahead(group))
    }

    /// Returns for how many queues of a group rows are read ahead. Queues further back hold none.
    fn ahead(&self, group: Group) -> usize {
        2 * self.concurrency.share(group.standing)
    }

    /// Returns when [`claims`](Self::claims) will have something, apart from timers.
    pub(super) fn next_claim(&self) -> Option<Tick> {
        let groups = Group::ALL
            .iter()
            .filter(|group| self.hungry.waiting(**group) > 0 && self.lacks(**group));
        let parked = groups
            .map(|group| self.gates.parked_until(group.pool, self.clock.now()))
            .min()?;
        // Requests that become slow free the room that their rows take.
        let room = match self.prefetch.free() {
            0 => self.next_slow()?,
            _ => self.clock.now(),
        };
        Some(parked.max(room))
    }
}
