//! The reckoning: what had to arrive, what arrived, and what may have arrived twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use zentry_e2e::emulator::Webhook;
use zentry_e2e::numbered;

use crate::load::RANGE;

/// The worker writes an outcome down within a tenth of a second, and what it does then takes its time on a busy machine.
const UNWRITTEN: SignedDuration = SignedDuration::from_millis(300);

#[derive(Debug, Default)]
pub struct Account {
    /// When the sender was dead for certain.
    deaths: Vec<Timestamp>,
}

/// A message that was taken: when it came, and the numbers in it.
type Message = (Timestamp, Vec<i64>);

#[derive(Debug)]
pub struct Balance {
    deaths: usize,
    events: usize,
    channels: usize,
    duplicates: usize,
    bound: usize,
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} deaths of the sender; {} events to {} channels: lost 0, arrived twice {}, of {} that were in flight or not written down",
            self.deaths, self.events, self.channels, self.duplicates, self.bound
        )
    }
}

impl Account {
    pub fn died(&mut self, at: Timestamp) {
        self.deaths.push(at);
    }

    /// All `committed` must have reached every webhook, in order, and no other.
    ///
    /// # Panics
    /// When anything is amiss.
    pub fn settle(&self, committed: &BTreeSet<i64>, webhooks: &[Webhook]) -> Balance {
        let mut balance = Balance {
            deaths: self.deaths.len(),
            events: committed.len(),
            channels: webhooks.len(),
            duplicates: 0,
            bound: 0,
        };
        for webhook in webhooks {
            let messages = numbered::timed_messages(webhook);
            let arrivals: Vec<i64> = messages
                .iter()
                .flat_map(|(_, numbers)| numbers)
                .copied()
                .collect();
            check_complete(&webhook.name(), &arrivals, committed);
            check_order(&webhook.name(), &arrivals);
            let (duplicates, bound) = self.check_duplicates(&webhook.name(), &messages);
            balance.duplicates += duplicates;
            balance.bound += bound;
        }
        balance
    }

    /// At each death, what arrived within [`UNWRITTEN`] before it may not have been written down, and one message may have been on its way:
    /// the last that came before, or, when it was still in the network's buffers, the first that came after. Their events, once for
    /// each death, and no others may have come again.
    fn check_duplicates(&self, webhook: &str, messages: &[Message]) -> (usize, usize) {
        let mut allowed: BTreeMap<i64, usize> = BTreeMap::new();
        let mut bound = 0;
        for death in &self.deaths {
            let from = messages.partition_point(|(at, _)| *at < *death - UNWRITTEN);
            let after = messages.partition_point(|(at, _)| at <= death);
            let from = from.min(after.saturating_sub(1));
            let suspects = messages[from..messages.len().min(after + 1)]
                .iter()
                .flat_map(|(_, numbers)| numbers);
            let suspects: BTreeSet<_> = suspects.collect();
            bound += suspects.len();
            for number in suspects {
                *allowed.entry(*number).or_default() += 1;
            }
        }
        let mut times: BTreeMap<i64, usize> = BTreeMap::new();
        for number in messages.iter().flat_map(|(_, numbers)| numbers) {
            *times.entry(*number).or_default() += 1;
        }
        for (number, times) in &times {
            let allowed = 1 + allowed.get(number).unwrap_or(&0);
            assert!(
                *times <= allowed,
                "{webhook} got {number} {times} times instead of {allowed} at most"
            );
        }
        let duplicates = times.values().map(|times| times - 1).sum();
        assert!(
            duplicates <= bound,
            "{webhook} got {duplicates} events again, and {bound} were in flight or not written down"
        );
        (duplicates, bound)
    }
}

fn check_complete(webhook: &str, arrivals: &[i64], committed: &BTreeSet<i64>) {
    let arrived: BTreeSet<i64> = arrivals.iter().copied().collect();
    let lost: Vec<_> = committed.difference(&arrived).collect();
    assert_eq!(lost, [&0; 0], "{webhook} has not got these");
    let invented: Vec<_> = arrived.difference(committed).collect();
    assert_eq!(invented, [&0; 0], "{webhook} got these, which nobody committed");
}

/// Each writer's tasks must have arrived, for the first time, in the order in which it wrote them.
fn check_order(webhook: &str, arrivals: &[i64]) {
    let mut last: BTreeMap<i64, i64> = BTreeMap::new();
    for number in numbered::first(arrivals.iter().copied()) {
        let before = last.insert(number / RANGE, number);
        assert!(
            before.is_none_or(|before| before < number),
            "{webhook} got {number} after {before:?}"
        );
    }
}
