//! The counts of requests and deliveries, by webhook and event type.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use super::{Delivery, QueueId};
use crate::histogram::Histogram;
use crate::outcome::Verdict;

/// The event type that stands for all of a webhook's.
pub const ALL_EVENTS: &str = "*";

/// Counts that are to be added to the counters. For each webhook there is a count of all its events beside those of each type: a message
/// may hold events of several types, so that its request counts for each of them, and the types' requests add up to more than there were.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally(BTreeMap<QueueId, Vec<(Box<str>, Counts)>>);

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Deliveries that the endpoint took.
    pub sent: u64,
    /// Deliveries that failed for good.
    pub failed: u64,
    /// How often deliveries failed for now, and are sent again.
    pub retried: u64,
    /// Requests that held such an event, whatever their answers.
    pub requests: u64,
    /// Requests among these that the endpoint took.
    pub messages: u64,
    /// Requests among these that were answered "too fast".
    pub rate_limited: u64,
    /// The times from the event to the answer, of the deliveries that were sent.
    pub latency: Histogram,
    pub latency_sum: Duration,
}

impl Tally {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of webhooks that something was counted of.
    pub fn queues(&self) -> usize {
        self.0.len()
    }

    /// Returns the counts of each webhook, by event type and for [`ALL_EVENTS`].
    pub fn iter(&self) -> impl Iterator<Item = (QueueId, &str, &Counts)> {
        self.0.iter().flat_map(|(queue, events)| {
            events
                .iter()
                .map(|(event_type, counts)| (*queue, &**event_type, counts))
        })
    }

    pub fn merge(&mut self, other: Tally) {
        for (queue, events) in other.0 {
            match self.0.entry(queue) {
                Entry::Vacant(place) => {
                    place.insert(events);
                }
                Entry::Occupied(mut known) => {
                    for (event_type, counts) in events {
                        of(known.get_mut(), &event_type).merge(&counts);
                    }
                }
            }
        }
    }

    /// Counts a request that was judged and held these deliveries, at least one.
    pub(super) fn request<'a>(
        &mut self,
        queue: QueueId,
        held: impl Iterator<Item = &'a Delivery>,
        verdict: &Verdict,
    ) {
        let mut types: Vec<&str> = vec![ALL_EVENTS];
        for delivery in held {
            let event_type = &*delivery.event.event_type;
            if !types.contains(&event_type) {
                types.push(event_type);
            }
        }
        for event_type in types {
            let counts = self.of(queue, event_type);
            counts.requests += 1;
            counts.messages += u64::from(*verdict == Verdict::Sent);
            counts.rate_limited += u64::from(matches!(verdict, Verdict::RateLimited { .. }));
        }
    }

    pub(super) fn sent(&mut self, queue: QueueId, event_type: &str, latency: Duration) {
        self.both(queue, event_type, |counts| {
            counts.sent += 1;
            counts.latency.add(latency);
            counts.latency_sum = counts.latency_sum.saturating_add(latency);
        });
    }

    pub(super) fn retried(&mut self, queue: QueueId, event_type: &str) {
        self.both(queue, event_type, |counts| counts.retried += 1);
    }

    /// Counts a delivery that failed for good, in the scheduler or outside of it.
    pub fn failed(&mut self, queue: QueueId, event_type: &str) {
        self.both(queue, event_type, |counts| counts.failed += 1);
    }

    fn both(&mut self, queue: QueueId, event_type: &str, count: impl Fn(&mut Counts)) {
        let events = self.0.entry(queue).or_default();
        count(of(events, ALL_EVENTS));
        count(of(events, event_type));
    }

    fn of(&mut self, queue: QueueId, event_type: &str) -> &mut Counts {
        of(self.0.entry(queue).or_default(), event_type)
    }
}

/// Returns the counts of an event type. There are a handful: looking at each is quicker than a map of names.
fn of<'a>(events: &'a mut Vec<(Box<str>, Counts)>, event_type: &str) -> &'a mut Counts {
    let index = events.iter().position(|(known, _)| **known == *event_type);
    let index = index.unwrap_or_else(|| {
        events.push((event_type.into(), Counts::default()));
        events.len() - 1
    });
    &mut events[index].1
}

impl Counts {
    fn merge(&mut self, other: &Counts) {
        self.sent += other.sent;
        self.failed += other.failed;
        self.retried += other.retried;
        self.requests += other.requests;
        self.messages += other.messages;
        self.rate_limited += other.rate_limited;
        self.latency.merge(&other.latency);
        self.latency_sum = self.latency_sum.saturating_add(other.latency_sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::RateScope;

    /// Counts so many of everything, each in its own number.
    fn count(tally: &mut Tally, queue: QueueId, times: u64) {
        let limited = Verdict::RateLimited {
            wait: Duration::ZERO,
            scope: RateScope::Webhook,
        };
        for _ in 0..times {
            tally.request(queue, std::iter::empty(), &Verdict::Sent);
            for _ in 0..2 {
                tally.request(queue, std::iter::empty(), &limited);
            }
            for _ in 0..3 {
                tally.failed(queue, "a");
            }
            for _ in 0..4 {
                tally.retried(queue, "a");
            }
            for _ in 0..5 {
                tally.sent(queue, "a", Duration::from_secs(1));
            }
        }
    }

    #[test]
    fn what_is_counted_apart_and_merged_is_what_is_counted_together() {
        let (one, other) = (QueueId(1), QueueId(2));
        let mut together = Tally::default();
        count(&mut together, one, 5);
        count(&mut together, other, 3);
        let mut merged = Tally::default();
        count(&mut merged, one, 2);
        let mut rest = Tally::default();
        count(&mut rest, one, 3);
        count(&mut rest, other, 3);
        merged.merge(rest);
        assert_eq!(merged, together);
        let all = together.of(one, ALL_EVENTS);
        assert_eq!((all.requests, all.messages, all.rate_limited), (15, 5, 10));
        assert_eq!((all.failed, all.retried, all.sent), (15, 20, 25));
        assert_eq!(all.latency_sum, Duration::from_secs(25));
    }
}
