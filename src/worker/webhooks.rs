//! Reading webhooks, and writing their states.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use pgrx::prelude::*;
use webhook::active::StoredWebhook;
use webhook::schedule::{CircuitState, InARow, QueueChange, QueueId};
use webhook::signing::StoredSigning;

use super::store::Store;
use crate::plan::{Rows, with_spi};
use crate::timestamp::to_timestamptz;

/// The definition of events' messages: for all webhooks or for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    pub webhook: Option<i64>,
    /// The definition, as JSON.
    pub definition: String,
}

impl Store {
    pub fn active_webhooks(&self) -> Vec<StoredWebhook> {
        with_spi(|spi| {
            let rows = self.active_webhooks.execute(spi, &[]);
            (0..rows.len()).filter_map(|row| webhook(&rows, row)).collect()
        })
    }

    pub fn wordings(&self) -> Vec<Wording> {
        with_spi(|spi| {
            let rows = self.wordings.execute(spi, &[]);
            (0..rows.len())
                .filter_map(|row| {
                    Some(Wording {
                        webhook: rows.get(row, 1),
                        definition: rows.get(row, 2)?,
                    })
                })
                .collect()
        })
    }

    /// Writes the counts of webhooks, except of those that were activated again. Each count comes with the time when the webhook was
    /// activated.
    pub fn record_in_a_row(&self, counted: &BTreeMap<QueueId, (Timestamp, InARow)>) {
        let numbers = |number: fn(&InARow) -> u32| {
            let numbers = counted
                .values()
                .map(|(_, counts)| i32::try_from(number(counts)).unwrap_or(i32::MAX));
            numbers.collect::<Vec<_>>().into()
        };
        let since = counted.values().map(|(since, _)| to_timestamptz(*since));
        let posts = counted.values().map(|(_, counts)| {
            let posts: Vec<String> = counts.posts.iter().map(|at| format!("\"{at}\"")).collect();
            format!("{{{}}}", posts.join(","))
        });
        with_spi(|spi| {
            self.set_in_a_row.execute(
                spi,
                &[
                    counted.keys().map(|queue| queue.0).collect::<Vec<_>>().into(),
                    since.collect::<Vec<_>>().into(),
                    numbers(|counts| counts.failures),
                    numbers(|counts| counts.refusals),
                    numbers(|counts| counts.limits),
                    posts.collect::<Vec<_>>().into(),
                ],
            );
        });
    }

    /// Notes that deliveries of these webhooks have expired.
    pub fn note_expired(&self, queues: &[i64]) {
        with_spi(|spi| {
            self.note_expired.execute(spi, &[queues.to_vec().into()]);
        });
    }

    /// Writes what is wrong with the webhook's streams.
    pub fn note_stream(&self, queue: QueueId, note: Option<&str>) {
        with_spi(|spi| {
            self.note_stream.execute(spi, &[queue.0.into(), note.into()]);
        });
    }

    /// Writes what has changed of a webhook. `since` is when it was activated as the requests knew it: if it has been activated again
    /// meanwhile, it stays on. `error` is the last failure.
    pub fn record_queue(&self, change: &QueueChange, since: Timestamp, error: Option<&str>) {
        with_spi(|spi| match change {
            QueueChange::SwitchedOff { queue, reason, at } => {
                let arguments = [
                    queue.0.into(),
                    to_timestamptz(since).into(),
                    to_timestamptz(*at).into(),
                    (&**reason).into(),
                ];
                if self.switch_off.execute(spi, &arguments).len() > 0 {
                    self.close_circuit.execute(spi, &[queue.0.into()]);
                    crate::report::warning(
                        PgSqlErrorCode::ERRCODE_CONNECTION_DOES_NOT_EXIST,
                        format!("zentry_notify: webhook {} is switched off: {reason}", queue.0),
                        "Mend its URL with zentry_update_webhook, then send what failed with zentry_retry_failed.",
                    );
                }
            }
            QueueChange::CircuitOpened { queue, state } | QueueChange::CircuitMoved { queue, state } => {
                self.set_circuit.execute(
                    spi,
                    &[
                        queue.0.into(),
                        i32::try_from(state.failures).unwrap_or(i32::MAX).into(),
                        to_timestamptz(state.since).into(),
                        to_timestamptz(state.next_try).into(),
                        error.into(),
                        to_timestamptz(since).into(),
                    ],
                );
            }
            QueueChange::CircuitClosed { queue } => {
                self.close_circuit.execute(spi, &[queue.0.into()]);
            }
        });
    }
}

fn webhook(rows: &Rows, row: usize) -> Option<StoredWebhook> {
    let micros = |column| {
        rows.get::<i64>(row, column)
            .map(|us| Duration::from_micros(us.unsigned_abs()))
    };
    let circuit = rows.get::<i32>(row, 8).and_then(|failures| {
        Some(CircuitState {
            failures: failures.unsigned_abs(),
            since: rows.get::<Timestamp>(row, 9)?,
            next_try: rows.get::<Timestamp>(row, 10)?,
        })
    });
    Some(StoredWebhook {
        id: QueueId(rows.get(row, 1)?),
        webhook_type: rows.get(row, 2)?,
        webhook_url: rows.get(row, 3)?,
        max_events_per_message: rows.get::<i32>(row, 4)?.unsigned_abs() as usize,
        min_interval: micros(5).unwrap_or_default(),
        max_age: micros(6),
        activated_at: rows.get::<Timestamp>(row, 7)?,
        circuit,
        last_sent_at: rows.get::<Timestamp>(row, 11),
        last_failed_at: rows.get::<Timestamp>(row, 12),
        quiet_hours: rows.get(row, 13),
        mention: rows.get(row, 14),
        omit_keys: rows
            .get::<String>(row, 15)
            .and_then(|keys| serde_json::from_str(&keys).ok())
            .unwrap_or_default(),
        in_a_row: in_a_row(rows, row),
        rate_limit: rows.get(row, 20),
        rate_group: rows.get(row, 21),
        appearance: rows.get(row, 22).unwrap_or_default(),
        signing: StoredSigning {
            secret: rows.get(row, 23),
            previous: rows.get::<String>(row, 24).zip(rows.get::<Timestamp>(row, 25)),
            headers: rows.get(row, 26),
        },
    })
}

fn in_a_row(rows: &Rows, row: usize) -> InARow {
    let count = |column| rows.get::<i32>(row, column).map_or(0, i32::unsigned_abs);
    let posts = rows.get::<String>(row, 19);
    let posts: Vec<i64> = posts
        .and_then(|posts| serde_json::from_str(&posts).ok())
        .unwrap_or_default();
    let posts = posts.into_iter();
    InARow {
        failures: count(16),
        refusals: count(17),
        limits: count(18),
        posts: posts
            .filter_map(|micros| Timestamp::from_microsecond(micros).ok())
            .collect(),
    }
}
