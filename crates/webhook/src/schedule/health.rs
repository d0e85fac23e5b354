//! The health of a queue's endpoint, by its answers.

use std::time::Duration;

use jiff::Timestamp;

use super::backoff;
use super::clock::{Clock, Tick};
use super::concurrency::{Record, Standing};
use super::{CircuitState, InARow, QueueConfig};

/// The failures in a row that open the circuit.
const OPENS_AFTER: u32 = 5;
/// The refusals in a row that switch a webhook off: answers of "forbidden", or that its channel takes nothing. Of "forbidden", the first
/// five fail what they hold and open the circuit, and five more are single deliveries at its growing intervals, minutes in all. So a
/// passing fault costs few deliveries, and a thousand such webhooks stay within the 10,000 answers in ten minutes for which Discord bans an
/// address.
pub(super) const FORBIDDEN_LIMIT: u32 = 10;
/// The answers of "too fast" in a row, each after the wait that the one before asked for, after which such answers are not taken literally
/// any more.
const TRUSTED_WAITS: u32 = 3;
const SHORTEST_UNTRUSTED_WAIT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Health {
    record: Record,
    /// The failures in a row. The other counts are in a row too.
    failures: u32,
    refusals: u32,
    limits: u32,
    circuit: Option<Circuit>,
}

/// The endpoint has refused [`FORBIDDEN_LIMIT`] times in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooOften;

#[derive(Debug)]
struct Circuit {
    since: Timestamp,
    next_try: Tick,
}

impl Health {
    /// Makes it of what a previous scheduler left.
    pub(super) fn new(config: &QueueConfig, clock: &Clock) -> Self {
        let latest = clock.now().after(backoff::LONGEST);
        let recorded = config.circuit;
        Health {
            record: match (recorded, config.proven) {
                (Some(_), _) => Record::Suspect,
                (None, true) => Record::Proven,
                (None, false) => Record::Unproven,
            },
            failures: recorded
                .map_or(0, |state| state.failures)
                .max(config.in_a_row.failures),
            refusals: config.in_a_row.refusals,
            limits: config.in_a_row.limits,
            circuit: recorded.map(|state| Circuit {
                since: state.since,
                next_try: clock.tick(state.next_try).min(latest),
            }),
        }
    }

    pub(super) fn standing(&self, clock: &Clock) -> Standing {
        self.record.standing(clock.now())
    }

    /// Notes how a request went.
    pub(super) fn went(&mut self, record: Record) {
        self.record = record;
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn is_open(&self) -> bool {
        self.circuit.is_some()
    }

    /// Returns until when no request is made.
    pub(super) fn next_try(&self) -> Tick {
        self.circuit
            .as_ref()
            .map_or(Tick::DISTANT_PAST, |circuit| circuit.next_try)
    }

    /// Makes it due, since a person wants it tried.
    pub(super) fn try_now(&mut self) {
        if let Some(circuit) = &mut self.circuit {
            circuit.next_try = Tick::DISTANT_PAST;
        }
    }

    /// Notes that its first row has failed before, under a previous scheduler if not under this one: that is later than anything that was
    /// recorded.
    pub(super) fn failed_before(&mut self) {
        if !matches!(self.record, Record::Prompt(_)) {
            self.record = Record::Suspect;
        }
    }

    /// Notes a success. Returns whether it closed the circuit.
    pub(super) fn succeeded(&mut self) -> bool {
        let closed = self.is_open();
        *self = Health {
            record: self.record,
            failures: 0,
            refusals: 0,
            limits: 0,
            circuit: None,
        };
        closed
    }

    /// Returns what is counted of it, except its requests.
    pub(super) fn in_a_row(&self) -> InARow {
        InARow {
            failures: self.failures,
            refusals: self.refusals,
            // More of them change nothing, and need not be written.
            limits: self.limits.min(TRUSTED_WAITS + 1),
            posts: Vec::new(),
        }
    }

    /// Notes that the endpoint failed. Returns the circuit, if it is open now.
    pub(super) fn failed(&mut self, clock: &Clock, random: &mut fastrand::Rng) -> Option<CircuitState> {
        self.refusals = 0;
        self.fail(clock, random)
    }

    /// Notes that no answer of the endpoint itself came, which may still refuse what it refused before: the count of refusals stays.
    pub(super) fn unavailable(&mut self, clock: &Clock, random: &mut fastrand::Rng) -> Option<CircuitState> {
        self.fail(clock, random)
    }

    /// Notes that its channel takes nothing, and that the next try will show nothing else for a while. `Err` when that has happened too
    /// often.
    pub(super) fn misdirected(
        &mut self,
        clock: &Clock,
        random: &mut fastrand::Rng,
    ) -> Result<Option<CircuitState>, TooOften> {
        self.failures = self.failures.max(OPENS_AFTER - 1);
        self.forbidden(clock, random)
    }

    /// Notes that it refused the webhook itself. `Err` when that has happened too often.
    pub(super) fn forbidden(
        &mut self,
        clock: &Clock,
        random: &mut fastrand::Rng,
    ) -> Result<Option<CircuitState>, TooOften> {
        self.refusals = self.refusals.saturating_add(1);
        let circuit = self.fail(clock, random);
        if self.refusals < FORBIDDEN_LIMIT {
            Ok(circuit)
        } else {
            Err(TooOften)
        }
    }

    fn fail(&mut self, clock: &Clock, random: &mut fastrand::Rng) -> Option<CircuitState> {
        self.failures = self.failures.saturating_add(1);
        self.limits = 0;
        if self.circuit.is_none() && self.failures < OPENS_AFTER {
            return None;
        }
        let now = clock.now();
        let next_try = now.after(backoff::probe(self.failures, random));
        let since = self
            .circuit
            .as_ref()
            .map_or(clock.wall(now), |circuit| circuit.since);
        self.circuit = Some(Circuit { since, next_try });
        Some(CircuitState {
            failures: self.failures,
            since,
            next_try: clock.wall(next_try),
        })
    }

    /// Returns whether the endpoint's answers of "too fast" are still taken literally.
    pub(super) fn trusts_waits(&self) -> bool {
        self.limits <= TRUSTED_WAITS
    }

    /// Returns how long to wait when the answer says `wait`.
    pub(super) fn limited(&mut self, wait: Duration) -> Duration {
        self.limits = self.limits.saturating_add(1);
        if self.limits > TRUSTED_WAITS {
            wait.max(SHORTEST_UNTRUSTED_WAIT)
        } else {
            wait
        }
    }
}
