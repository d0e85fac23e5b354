//! The statements on our own tables: integrations and rows in, outcomes out.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::Timestamp;
use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum};
use webhook::event::Event;
use webhook::schedule::{
    self, CircuitState, Claim, Delivery, DeliveryChange, DeliveryId, LaneChange, LaneId, Outcome, Tally,
};

use super::counters::{End, Ends, Sums};
use super::marks::Marks;
use super::statements;
use crate::plan::{Plan, Rows, with_spi};
use crate::settings;
use crate::timestamp::{from_timestamptz, to_timestamptz};

/// Rows that one statement gives up at most, so that no transaction grows with the backlog.
const FAIL_PAGE: i32 = 10_000;

/// An active integration, as its row says.
#[derive(Debug)]
pub struct Integration {
    pub id: LaneId,
    pub webhook_type: String,
    pub webhook_url: String,
    pub max_events_per_message: usize,
    pub min_interval: Duration,
    pub max_age: Option<Duration>,
    pub activated_at: Timestamp,
    pub circuit: Option<CircuitState>,
    /// Of the last deliveries that were sent, and given up.
    pub last_sent_at: Option<Timestamp>,
    pub last_failed_at: Option<Timestamp>,
    pub quiet_hours: Option<String>,
    pub mention: Option<String>,
}

impl Integration {
    /// Changes when it has become another endpoint or was switched on again: what is known of it does not hold any more. The
    /// URL alone would not do: somebody may switch it on before the worker has read that it was off.
    pub fn revision(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.webhook_type, &self.webhook_url, self.activated_at).hash(&mut hasher);
        hasher.finish()
    }

    /// Its endpoint took the last delivery.
    pub fn proven(&self) -> bool {
        self.last_sent_at
            .is_some_and(|sent| sent >= self.activated_at && Some(sent) > self.last_failed_at)
    }
}

/// What an event's messages say: everybody's, or those of one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    pub webhook: Option<i64>,
    /// JSON.
    pub definition: String,
}

/// Plans kept for the worker's life.
pub struct Queue {
    integrations: Plan,
    wordings: Plan,
    claim: Plan,
    record: Plan,
    count: Plan,
    tally: Plan,
    switch_off: Plan,
    fail_waiting: Plan,
    set_circuit: Plan,
    close_circuit: Plan,
}

/// The OID of one of our tables.
fn table(name: &str) -> u32 {
    let sql = format!("SELECT pg_catalog.to_regclass('zentry_notify.{name}')::pg_catalog.oid");
    let oid = with_spi(|| value::<pg_sys::Oid>(&Plan::prepare(&sql, &[]).execute(&[]), 0, 1));
    oid.unwrap_or(pg_sys::InvalidOid).to_u32()
}

impl Queue {
    pub fn prepare() -> Queue {
        let (log, integrations) = (table("notification_log"), table("webhook_integration"));
        Queue {
            integrations: statements::integrations(),
            wordings: statements::wordings(),
            claim: statements::claim(log),
            record: statements::record(log),
            count: statements::count(integrations),
            tally: statements::tally(integrations),
            switch_off: statements::switch_off(),
            fail_waiting: statements::fail_waiting(),
            set_circuit: statements::set_circuit(),
            close_circuit: statements::close_circuit(),
        }
    }

    pub fn integrations(&self) -> Vec<Integration> {
        with_spi(|| {
            let rows = self.integrations.execute(&[]);
            (0..rows.len())
                .filter_map(|row| integration(&rows, row))
                .collect()
        })
    }

    pub fn wordings(&self) -> Vec<Wording> {
        with_spi(|| {
            let rows = self.wordings.execute(&[]);
            (0..rows.len())
                .filter_map(|row| {
                    Some(Wording {
                        webhook: value(&rows, row, 1),
                        definition: value(&rows, row, 2)?,
                    })
                })
                .collect()
        })
    }

    /// The first waiting rows of each claimed lane from its mark on, in order of id. A lane that has none is there with an
    /// empty list.
    pub fn claim(&self, claims: &[Claim], marks: &Marks) -> Vec<(LaneId, Vec<Delivery>)> {
        let lanes: Vec<i64> = claims.iter().map(|claim| claim.lane.0).collect();
        let pages: Vec<i32> = claims
            .iter()
            .map(|claim| claim.limit.try_into().unwrap_or(i32::MAX))
            .collect();
        let from: Vec<i64> = claims.iter().map(|claim| marks.of(claim.lane)).collect();
        let mut found: BTreeMap<LaneId, Vec<Delivery>> = BTreeMap::new();
        with_spi(|| {
            let rows = self
                .claim
                .execute(&[lanes.into_datum(), pages.into_datum(), from.into_datum()]);
            for (lane, delivery) in (0..rows.len()).filter_map(|row| delivery(&rows, row)) {
                found.entry(lane).or_default().push(delivery);
            }
        });
        claims
            .iter()
            .map(|claim| (claim.lane, found.remove(&claim.lane).unwrap_or_default()))
            .collect()
    }

    /// Writes outcomes down.
    pub fn record(&self, changes: &[&DeliveryChange]) {
        if changes.is_empty() {
            return;
        }
        fn column<'a, T>(
            changes: &[&'a DeliveryChange],
            value: impl Fn(&'a DeliveryChange) -> T,
        ) -> Option<pg_sys::Datum>
        where
            Vec<T>: IntoDatum,
        {
            changes
                .iter()
                .map(|change| value(change))
                .collect::<Vec<T>>()
                .into_datum()
        }
        let log_payloads = settings::log_payloads();
        with_spi(|| {
            self.record.execute(&[
                column(changes, |c| c.id.0),
                column(changes, |c| status(c.outcome)),
                column(changes, attempts),
                column(changes, |c| c.status_code.map(i32::from)),
                // Discord's answer has the message in it.
                column(changes, |c| {
                    let kept = log_payloads || c.outcome != Outcome::Sent;
                    c.body.as_deref().filter(|_| kept)
                }),
                column(changes, |c| c.error.as_deref()),
                column(changes, |c| {
                    (c.outcome == Outcome::Sent).then(|| to_timestamptz(c.at))
                }),
                column(changes, |c| next_attempt(c.outcome).map(to_timestamptz)),
                log_payloads.into_datum(),
            ]);
        });
    }

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
            times.collect::<Vec<_>>().into_datum()
        };
        let numbers = |number: fn(&End) -> i64| ends.values().map(number).collect::<Vec<_>>().into_datum();
        let errors: Vec<Option<&str>> = ends.values().map(|end| end.error.as_deref()).collect();
        with_spi(|| {
            self.count.execute(&[
                ends.keys().map(|lane| lane.0).collect::<Vec<_>>().into_datum(),
                numbers(|end| end.sent),
                numbers(|end| end.failed),
                times(|end| end.last_sent),
                times(|end| end.last_failed),
                errors.into_datum(),
            ]);
        });
    }

    /// Writes down what has changed of an integration. `url` is the one that was called: if it has been mended meanwhile, the
    /// integration stays on. `error` is the last failure.
    pub fn record_lane(&self, change: &LaneChange, url: &str, error: Option<&str>) {
        with_spi(|| match change {
            LaneChange::SwitchedOff { lane, reason, at } => {
                let arguments = [
                    lane.0.into_datum(),
                    url.into_datum(),
                    to_timestamptz(*at).into_datum(),
                    reason.into_datum(),
                ];
                if self.switch_off.execute(&arguments).len() > 0 {
                    self.close_circuit.execute(&[lane.0.into_datum()]);
                    crate::report::warning(
                        PgSqlErrorCode::ERRCODE_CONNECTION_DOES_NOT_EXIST,
                        format!("zentry_notify: webhook {} is switched off: {reason}", lane.0),
                        "Mend its URL with zentry_update_webhook, then send what failed with zentry_retry_failed.",
                    );
                }
            }
            LaneChange::CircuitOpened { lane, state } | LaneChange::CircuitMoved { lane, state } => {
                self.set_circuit.execute(&[
                    lane.0.into_datum(),
                    i32::try_from(state.failures).unwrap_or(i32::MAX).into_datum(),
                    to_timestamptz(state.since).into_datum(),
                    to_timestamptz(state.next_try).into_datum(),
                    error.into_datum(),
                ]);
            }
            LaneChange::CircuitClosed { lane } => {
                self.close_circuit.execute(&[lane.0.into_datum()]);
            }
        });
    }

    /// Gives up a page of what waits for an integration that is switched off. If somebody has mended it meanwhile, what
    /// waits is sent.
    pub fn fail_waiting(&self, lane: LaneId, reason: &str, at: Timestamp) -> GivenUp {
        let mut tally = Tally::default();
        let failed = with_spi(|| {
            let arguments = [
                lane.0.into_datum(),
                reason.into_datum(),
                FAIL_PAGE.into_datum(),
                settings::log_payloads().into_datum(),
            ];
            let rows = self.fail_waiting.execute(&arguments);
            (0..rows.len())
                .filter_map(|row| value::<String>(&rows, row, 1))
                .for_each(|event_type| tally.failed(lane, &event_type));
            rows.len()
        });
        let ends = (failed > 0).then(|| (lane, End::given_up(failed as i64, at, reason)));
        let ends = ends.into_iter().collect();
        GivenUp {
            sums: Sums { tally, ends },
            more: failed == FAIL_PAGE as usize,
        }
    }

    fn count_tally(&self, tally: &Tally) {
        fn column<T>(
            tally: &Tally,
            value: impl Fn((LaneId, &str, &schedule::Counts)) -> T,
        ) -> Option<pg_sys::Datum>
        where
            Vec<T>: IntoDatum,
        {
            tally.iter().map(value).collect::<Vec<T>>().into_datum()
        }
        let number = |value: fn(&schedule::Counts) -> u64| {
            column(tally, |(.., counts)| {
                i64::try_from(value(counts)).unwrap_or(i64::MAX)
            })
        };
        with_spi(|| {
            self.tally.execute(&[
                column(tally, |(lane, ..)| lane.0),
                column(tally, |(_, event_type, _)| event_type.to_owned()),
                number(|c| c.sent),
                number(|c| c.failed),
                number(|c| c.retried),
                number(|c| c.requests),
                number(|c| c.messages),
                number(|c| c.rate_limited),
                column(tally, |(.., counts)| counts.latency_sum.as_secs_f64()),
                column(tally, |(.., counts)| array_literal(counts.latency.counts())),
            ]);
        });
    }
}

/// What came of giving up a page.
pub struct GivenUp {
    pub sums: Sums,
    /// There may be more that waits.
    pub more: bool,
}

/// Arrays of different lengths can't be passed as an array.
fn array_literal(counts: &[u64]) -> String {
    let counts: Vec<String> = counts.iter().map(u64::to_string).collect();
    format!("{{{}}}", counts.join(","))
}

fn status(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Sent => "sent",
        Outcome::Retry { .. } | Outcome::Waiting { .. } => "retry",
        Outcome::Failed => "failed",
    }
}

/// The scheduler counts what failed; the log shows how often it was posted.
fn attempts(change: &DeliveryChange) -> i32 {
    let attempts = change.attempts + u32::from(change.outcome == Outcome::Sent);
    i32::try_from(attempts).unwrap_or(i32::MAX)
}

fn next_attempt(outcome: Outcome) -> Option<Timestamp> {
    match outcome {
        Outcome::Retry { next_attempt_at } | Outcome::Waiting { next_attempt_at } => Some(next_attempt_at),
        Outcome::Sent | Outcome::Failed => None,
    }
}

fn value<T: FromDatum>(rows: &Rows, row: usize, column: usize) -> Option<T> {
    // SAFETY: each caller names the type that its statement gives the column.
    unsafe { T::from_datum(rows.get(row, column).0?, false) }
}

fn integration(rows: &Rows, row: usize) -> Option<Integration> {
    let micros = |column| value::<i64>(rows, row, column).map(|us| Duration::from_micros(us.unsigned_abs()));
    let circuit = value::<i32>(rows, row, 8).and_then(|failures| {
        Some(CircuitState {
            failures: failures.unsigned_abs(),
            since: timestamp(rows, row, 9)?,
            next_try: timestamp(rows, row, 10)?,
        })
    });
    Some(Integration {
        id: LaneId(value(rows, row, 1)?),
        webhook_type: value(rows, row, 2)?,
        webhook_url: value(rows, row, 3)?,
        max_events_per_message: value::<i32>(rows, row, 4)?.unsigned_abs() as usize,
        min_interval: micros(5).unwrap_or_default(),
        max_age: micros(6),
        activated_at: timestamp(rows, row, 7)?,
        circuit,
        last_sent_at: timestamp(rows, row, 11),
        last_failed_at: timestamp(rows, row, 12),
        quiet_hours: value(rows, row, 13),
        mention: value(rows, row, 14),
    })
}

fn delivery(rows: &Rows, row: usize) -> Option<(LaneId, Delivery)> {
    let created_at = timestamp(rows, row, 6)?;
    let event = Event {
        event_type: value::<String>(rows, row, 3)?.into(),
        data: value::<String>(rows, row, 4)?.into(),
        occurred_at: created_at,
    };
    let delivery = Delivery {
        id: DeliveryId(value(rows, row, 1)?),
        event,
        attempts: value::<i32>(rows, row, 5)?.unsigned_abs(),
        created_at,
        next_attempt_at: timestamp(rows, row, 7),
    };
    Some((LaneId(value(rows, row, 2)?), delivery))
}

fn timestamp(rows: &Rows, row: usize, column: usize) -> Option<Timestamp> {
    let since_2000 = rows.get(row, column).0?.value() as i64;
    Some(from_timestamptz(since_2000))
}
