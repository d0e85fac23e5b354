//! The reckoning: what had to arrive, what arrived, and what may have arrived twice.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use zentry_e2e::emulator::{Kind, Verdict};
use zentry_e2e::numbered;

use super::{Channel, Setup};

#[derive(Default)]
pub struct Account {
    /// When senders' sessions were ended, and whose webhooks they held.
    strikes: Vec<(Timestamp, HashSet<i64>)>,
}

/// A message that was taken: when it came, and the numbers in it.
type Message = (Timestamp, Vec<i64>);

#[derive(Default)]
pub struct Balance {
    events: usize,
    webhooks: usize,
    messages: usize,
    /// Messages with something in them that had come before, and events in them that had.
    repeats: usize,
    repeated: usize,
    most_repeats: usize,
    /// Events that were in flight at the strikes, at most.
    in_flight: usize,
    strikes: usize,
    sessions_ended: usize,
    /// Of Discord, by address.
    discord: BTreeMap<IpAddr, usize>,
    limited: usize,
    took: Duration,
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        writeln!(
            f,
            "{} events to {} webhooks in {} messages within {seconds:.0} s; {} sessions of senders ended, by {} strikes",
            self.events, self.webhooks, self.messages, self.sessions_ended, self.strikes
        )?;
        writeln!(
            f,
            "lost 0, out of order 0; came twice: {} events in {} messages (of a webhook {} at most), of {} events that were in flight",
            self.repeated, self.repeats, self.most_repeats, self.in_flight
        )?;
        for (address, messages) in &self.discord {
            writeln!(
                f,
                "from {address}: {messages} messages to Discord, {:.1} a second",
                *messages as f64 / seconds
            )?;
        }
        write!(f, "refused by a rate limit: {}", self.limited)
    }
}

impl Account {
    pub fn struck(&mut self, at: Timestamp, held: Vec<i64>) {
        self.strikes.push((at, held.into_iter().collect()));
    }

    /// All that is committed must have reached its webhook, in order, and nothing else. Of each webhook a session that ends leaves one message in flight at
    /// most, and that one, or a part of it, may come again.
    ///
    /// # Panics
    /// When anything is amiss.
    pub fn settle(&self, setup: &Setup, sessions_ended: usize, took: Duration) -> Balance {
        let committed = committed(setup);
        let mut balance = Balance {
            webhooks: setup.channels.len(),
            strikes: self.strikes.len(),
            sessions_ended,
            took,
            ..Balance::default()
        };
        for channel in &setup.channels {
            let name = channel.webhook.name();
            let messages = numbered::timed_messages(&channel.webhook);
            let expected = committed.get(&channel.project).cloned().unwrap_or_default();
            check_complete(&name, &messages, &expected);
            let (repeats, repeated) = check_repeats(&name, &messages);
            assert!(
                repeats <= sessions_ended,
                "{name} got {repeats} messages again, and {sessions_ended} sessions have ended"
            );
            assert_eq!(channel.webhook.requests() > 0, !expected.is_empty(), "{name}");
            balance.events += expected.len();
            balance.messages += messages.len();
            balance.repeats += repeats;
            balance.repeated += repeated;
            balance.most_repeats = balance.most_repeats.max(repeats);
            balance.in_flight += self.in_flight(channel, &messages);
        }
        for received in setup.emulator.received() {
            if received.accepted() && received.kind == Some(Kind::Discord) {
                *balance.discord.entry(received.from).or_default() += 1;
            }
            balance.limited += usize::from(received.verdict == Verdict::RateLimited);
        }
        balance
    }

    /// Events of the messages that were the last before each strike at who held the webhook.
    fn in_flight(&self, channel: &Channel, messages: &[Message]) -> usize {
        let hits = self.strikes.iter().filter(|(_, held)| held.contains(&channel.id));
        let last = hits.filter_map(|(at, _)| {
            let after = messages.partition_point(|(came, _)| came <= at);
            // What was in the network's buffers came after it.
            messages[after.saturating_sub(1)..messages.len().min(after + 1)]
                .iter()
                .map(|(_, numbers)| numbers.len())
                .max()
        });
        last.sum()
    }
}

/// The numbers of each project's tasks.
fn committed(setup: &Setup) -> BTreeMap<i64, BTreeSet<i64>> {
    const NUMBERS: &str =
        "SELECT project_id, substr(title, 6)::bigint FROM tasks_task WHERE title ~ '^Task \\d+$'";
    let mut client = setup.cluster.connect().unwrap();
    let mut committed: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
    for row in client.query(NUMBERS, &[]).unwrap() {
        committed.entry(row.get(0)).or_default().insert(row.get(1));
    }
    committed
}

/// Each number arrived, and when it came first it came in order.
fn check_complete(webhook: &str, messages: &[Message], expected: &BTreeSet<i64>) {
    let first = numbered::first(messages.iter().flat_map(|(_, numbers)| numbers).copied());
    let arrived: BTreeSet<i64> = first.iter().copied().collect();
    let lost: Vec<_> = expected.difference(&arrived).collect();
    assert_eq!(lost, [&0; 0], "{webhook} has not got these");
    let invented: Vec<_> = arrived.difference(expected).collect();
    assert_eq!(invented, [&0; 0], "{webhook} got these, which nobody committed");
    assert!(first.is_sorted(), "{webhook} got these in this order: {first:?}");
}

/// Messages with numbers that had come before, each of them in one message, and how many numbers those are.
fn check_repeats(webhook: &str, messages: &[Message]) -> (usize, usize) {
    let (mut repeats, mut repeated) = (0, 0);
    // The message in which a number came last.
    let mut came: BTreeMap<i64, usize> = BTreeMap::new();
    for (place, (at, numbers)) in messages.iter().enumerate() {
        let before: Vec<usize> = numbers
            .iter()
            .filter_map(|number| came.get(number))
            .copied()
            .collect();
        if !before.is_empty() {
            repeats += 1;
            repeated += before.len();
            assert!(
                before.iter().all(|place| *place == before[0]),
                "{webhook} got {numbers:?} at {at}, of which more than one message had come"
            );
        }
        came.extend(numbers.iter().map(|number| (*number, place)));
    }
    (repeats, repeated)
}
