//! The rates of webhooks and of groups, when queues or their configuration change.

use super::endpoint_queue::State;
use super::{QueueId, Scheduler};

impl Scheduler {
    /// Sets the rates of all limiters, each to the lowest of its queues'.
    pub(super) fn limit(&mut self) {
        for queue in self.queues.values_mut() {
            self.limiters.join(queue, &self.clock, &self.policy);
        }
        let changed = self.limiters.set_rates(self.queues.values(), &self.policy);
        // Queues that wait for a rate that has changed.
        let waiting = self.queues.values().filter(|queue| {
            let limiter = queue.limiter.as_ref();
            matches!(queue.state, State::Waiting(_)) && limiter.is_some_and(|it| changed.contains(&it.shared))
        });
        let waiting: Vec<QueueId> = waiting.map(|queue| queue.config.id).collect();
        for id in waiting {
            self.leave_state(id);
            self.settle(id);
        }
    }
}
