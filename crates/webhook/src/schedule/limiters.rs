//! The limiters of single webhooks and of groups.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::Policy;
use super::clock::Clock;
use super::endpoint_queue::EndpointQueue;
use super::limiter::{Limiter, Shared};
use super::window::Window;
use crate::rate::Rate;

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

    /// Sets the rate of each limiter to the lowest of its queues'. Returns those whose rate has changed.
    pub(super) fn set_rates<'a>(
        &mut self,
        queues: impl Iterator<Item = &'a EndpointQueue>,
        policy: &Policy,
    ) -> BTreeSet<Shared> {
        let mut rates: BTreeMap<&Shared, Rate> = BTreeMap::new();
        for queue in queues {
            if let (Some(limiter), Some(rate)) = (&queue.limiter, rate(queue, policy)) {
                let lowest = rates.entry(&limiter.shared).or_insert(rate);
                if rate.is_below(*lowest) {
                    *lowest = rate;
                }
            }
        }
        let mut changed: BTreeSet<Shared> = BTreeSet::new();
        self.0.retain(|shared, window| match rates.get(shared) {
            Some(rate) => {
                if window.borrow_mut().set(*rate) {
                    changed.insert(shared.clone());
                }
                true
            }
            None => false,
        });
        changed
    }
}

/// Returns the rate of a queue by itself. None: it has none.
fn rate(queue: &EndpointQueue, policy: &Policy) -> Option<Rate> {
    let of_vendor = || policy.rate_of(queue.config.vendor);
    queue.config.rate.or_else(of_vendor)
}
