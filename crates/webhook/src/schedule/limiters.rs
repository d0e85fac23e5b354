//! The limiters of single webhooks and of groups.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::clock::Clock;
use super::endpoint_queue::{EndpointQueue, State};
use super::limiter::{Limiter, Shared};
use super::rate::Rate;
use super::window::Window;
use super::{Policy, QueueId, Scheduler};

#[derive(Debug, Default)]
pub(super) struct Limiters(BTreeMap<Shared, Rc<RefCell<Window>>>);

impl Limiters {
    /// Gives a queue the limiter that its configuration asks for. The requests that it has made count there.
    pub(super) fn join(&mut self, queue: &mut EndpointQueue, clock: &Clock, policy: &Policy) {
        if rate(queue, policy).is_none() {
            queue.limiter = None;
            return;
        }
        let config = &queue.config;
        let group = config.rate_group.clone().map(Shared::Group);
        let shared = group.unwrap_or(Shared::Own(config.id));
        if queue
            .limiter
            .as_ref()
            .is_some_and(|limiter| limiter.shared == shared)
        {
            return;
        }
        let window = self.0.entry(shared.clone()).or_insert_with(|| {
            // The rate is set when all queues have joined.
            Rc::new(RefCell::new(Window::new(Rate {
                count: u32::MAX,
                ..Rate::NONE
            })))
        });
        let posts = queue.posts.iter();
        window
            .borrow_mut()
            .remember(posts.map(|at| clock.tick(*at).min(clock.now())));
        queue.limiter = Some(Limiter {
            shared,
            window: window.clone(),
        });
    }
}

/// Returns the rate of a queue by itself. None: it has none.
fn rate(queue: &EndpointQueue, policy: &Policy) -> Option<Rate> {
    let of_vendor = || queue.config.vendor.rate(policy);
    queue.config.rate.or_else(of_vendor)
}

impl Scheduler {
    /// Sets the rates of all limiters, each to the lowest of its queues'.
    pub(super) fn limit(&mut self) {
        for queue in self.queues.values_mut() {
            self.limiters.join(queue, &self.clock, &self.policy);
        }
        let mut rates: BTreeMap<&Shared, Rate> = BTreeMap::new();
        for queue in self.queues.values() {
            if let (Some(limiter), Some(rate)) = (&queue.limiter, rate(queue, &self.policy)) {
                let lowest = rates.entry(&limiter.shared).or_insert(rate);
                if rate.is_below(*lowest) {
                    *lowest = rate;
                }
            }
        }
        let mut changed: BTreeSet<Shared> = BTreeSet::new();
        self.limiters.0.retain(|shared, window| match rates.get(shared) {
            Some(rate) => {
                if window.borrow_mut().set(*rate) {
                    changed.insert(shared.clone());
                }
                true
            }
            None => false,
        });
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
