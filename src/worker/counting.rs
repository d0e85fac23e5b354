//! Writing the counters into their tables.

use jiff::Timestamp;
use pgrx::IntoDatum;
use webhook::schedule::{self, QueueId, Tally};

use super::counters::{End, Ends, Sums};
use super::store::Store;
use crate::plan::{Argument, with_spi};
use crate::timestamp::to_timestamptz;

impl Store {
    /// Adds to the counters.
    pub fn count(&self, sums: &Sums) {
        if !sums.ends.is_empty() {
            self.count_ends(&sums.ends);
        }
        if !sums.tally.is_empty() {
            self.count_tally(&sums.tally);
        }
    }

    fn count_ends(&self, ends: &Ends) {
        let times = |time: fn(&End) -> Option<Timestamp>| {
            let times = ends.values().map(|end| time(end).map(to_timestamptz));
            times.collect::<Vec<_>>().into()
        };
        let numbers = |number: fn(&End) -> i64| ends.values().map(number).collect::<Vec<_>>().into();
        let errors: Vec<Option<&str>> = ends.values().map(|end| end.error.as_deref()).collect();
        with_spi(|spi| {
            self.count.execute(
                spi,
                &[
                    ends.keys().map(|queue| queue.0).collect::<Vec<_>>().into(),
                    numbers(|end| end.sent),
                    numbers(|end| end.failed),
                    times(|end| end.last_sent),
                    times(|end| end.last_failed),
                    errors.into(),
                ],
            );
        });
    }

    fn count_tally(&self, tally: &Tally) {
        fn column<T>(tally: &Tally, value: impl Fn((QueueId, &str, &schedule::Counts)) -> T) -> Argument
        where
            Vec<T>: IntoDatum,
        {
            tally.iter().map(value).collect::<Vec<T>>().into()
        }
        let number = |value: fn(&schedule::Counts) -> u64| {
            column(tally, |(.., counts)| {
                i64::try_from(value(counts)).unwrap_or(i64::MAX)
            })
        };
        with_spi(|spi| {
            self.tally.execute(
                spi,
                &[
                    column(tally, |(queue, ..)| queue.0),
                    column(tally, |(_, event_type, _)| event_type.to_owned()),
                    number(|c| c.sent),
                    number(|c| c.failed),
                    number(|c| c.retried),
                    number(|c| c.requests),
                    number(|c| c.messages),
                    number(|c| c.rate_limited),
                    column(tally, |(.., counts)| counts.latency_sum.as_secs_f64()),
                    column(tally, |(.., counts)| array_literal(counts.latency.counts())),
                ],
            );
        });
    }
}

/// Returns the literal of an array: arrays of different lengths cannot be elements of an array.
fn array_literal(counts: &[u64]) -> String {
    let counts: Vec<String> = counts.iter().map(u64::to_string).collect();
    format!("{{{}}}", counts.join(","))
}
