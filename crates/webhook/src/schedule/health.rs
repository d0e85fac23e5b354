//! What a queue's answers say of its endpoint.

use std::time::Duration;

use jiff::Timestamp;

use super::backoff;
use super::clock::{Clock, Tick};
use super::concurrency::{Record, Standing};
use super::{CircuitState, InARow, QueueConfig};

/// Failures in a row that open the circuit.
const OPENS_AFTER: u32 = 5;
/// Refusals in a row that switch a webhook off: answers of "forbidden", or that its channel takes nothing. Of "forbidden", the
/// first five fail what they hold and open the circuit, five more are single deliveries at its growing intervals, minutes
/// in all: a passing fault costs few deliveries, and a thousand webhooks of this kind stay within the 10,000 such answers in ten minutes for which Discord bans
/// an address.
pub(super) const FORBIDDEN_LIMIT: u32 = 10;
/// Answers of "too fast" in a row, each after the wait that the one before asked for, from which on the answers are not
/// believed to the letter any more.
const TRUSTED_WAITS: u32 = 3;
const SHORTEST_UNTRUSTED_WAIT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Health {
    record: Record,
    /// All in a row.
    failures: u32,
    refusals: u32,
    limits: u32,
    circuit: Option<Circuit>,
}

/// Refused [`FORBIDDEN_LIMIT`] times in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooOften;

#[derive(Debug)]
struct Circuit {
    since: Timestamp,
    next_try: Tick,
}

impl Health {
    /// With what an earlier life of the scheduler left.
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

    /// How a request went.
    pub(super) fn went(&mut self, record: Record) {
        self.record = record;
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn is_open(&self) -> bool {
        self.circuit.is_some()
    }

    /// No request before this.
    pub(super) fn next_try(&self) -> Tick {
        self.circuit
            .as_ref()
            .map_or(Tick::DISTANT_PAST, |circuit| circuit.next_try)
    }

    /// A person wants it tried.
    pub(super) fn try_now(&mut self) {
        if let Some(circuit) = &mut self.circuit {
            circuit.next_try = Tick::DISTANT_PAST;
        }
    }

    /// Its first row failed, in an earlier life if it was not in this one: that is later than anything recorded.
    pub(super) fn failed_before(&mut self) {
        if !matches!(self.record, Record::Prompt(_)) {
            self.record = Record::Suspect;
        }
    }

    /// Whether this closed the circuit.
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

    /// What is counted of it, but for its requests.
    pub(super) fn in_a_row(&self) -> InARow {
        InARow {
            failures: self.failures,
            refusals: self.refusals,
            // More of them change nothing, and need not be written down.
            limits: self.limits.min(TRUSTED_WAITS + 1),
            posts: Vec::new(),
        }
    }

    /// The endpoint failed. Returns the circuit, if it is open now.
    pub(super) fn failed(&mut self, clock: &Clock, random: &mut fastrand::Rng) -> Option<CircuitState> {
        self.refusals = 0;
        self.fail(clock, random)
    }

    /// Nobody answered for the endpoint: it may still refuse whatever it refused before.
    pub(super) fn unavailable(&mut self, clock: &Clock, random: &mut fastrand::Rng) -> Option<CircuitState> {
        self.fail(clock, random)
    }

    /// Its channel takes nothing, and what is tried next will show nothing else for a while. `Err` when that has happened too often.
    pub(super) fn misdirected(
        &mut self,
        clock: &Clock,
        random: &mut fastrand::Rng,
    ) -> Result<Option<CircuitState>, TooOften> {
        self.failures = self.failures.max(OPENS_AFTER - 1);
        self.forbidden(clock, random)
    }

    /// Refused for what it is. `Err` when that has happened too often.
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

    /// Whether the endpoint's answers of "too fast" are still believed to the letter.
    pub(super) fn trusts_waits(&self) -> bool {
        self.limits <= TRUSTED_WAITS
    }

    /// How long to wait when the answer says `wait`.
    pub(super) fn limited(&mut self, wait: Duration) -> Duration {
        self.limits = self.limits.saturating_add(1);
        if self.limits > TRUSTED_WAITS {
            wait.max(SHORTEST_UNTRUSTED_WAIT)
        } else {
            wait
        }
    }
}
