//! Writing the open batch: all of it at once, or as much as the database takes.

use std::collections::{HashMap, HashSet};

use webhook::open_batch::{OpenDelivery, OpenEvent};
use webhook::schedule::{DeliveryId, QueueId};

use crate::pg::subtransaction::{self, Failure};
use crate::settings;
use crate::worker::cursor::{self, Split};
use crate::worker::database;
use crate::worker::parts::{Fate, Parts, Piece};
use crate::worker::state::Worker;

/// What a transaction has written of the batch.
pub(super) struct Written {
    pub cursor: cursor::Written,
    pub deliveries: HashSet<DeliveryId>,
    pub refused: Refused,
}

/// What the database has refused.
#[derive(Default)]
pub(super) struct Refused {
    pub deliveries: Vec<(QueueId, DeliveryId)>,
    /// Queues of which it takes nothing.
    pub queues: Vec<QueueId>,
    /// Events whose details were not written.
    pub events: HashMap<i64, Fate>,
    pub failure: Option<Failure>,
    /// Why the progress of projects was not written.
    pub progress: Option<Failure>,
}

/// Returns the deliveries that are to be written.
fn rows_of(events: &[OpenEvent]) -> Vec<(&OpenEvent, &OpenDelivery)> {
    let rows = events
        .iter()
        .flat_map(|event| event.deliveries.iter().map(move |delivery| (event, delivery)));
    rows.filter(|(_, delivery)| !delivery.held).collect()
}

/// Returns the detail of an event, if it is to be written.
fn detail(event: &OpenEvent) -> Option<(i64, &str)> {
    let detail = event.detail.as_deref()?;
    let is_due = event.deliveries.iter().any(|delivery| !delivery.held);
    is_due.then_some((event.id, detail))
}

/// Returns whether the event's data are needed no more.
fn is_done_with(event: &OpenEvent) -> bool {
    let done = |delivery: &OpenDelivery| delivery.is_finished() && !delivery.held;
    !event.split && !event.deliveries.is_empty() && event.deliveries.iter().all(done)
}

/// Returns the events that are written with all their deliveries, and for the others the queues whose deliveries are not.
fn divide(events: &[OpenEvent], is_written: impl Fn(&OpenDelivery) -> bool) -> (Vec<i64>, Split) {
    let mut whole = Vec::new();
    let mut split = Split::new();
    for event in events {
        let left = event.deliveries.iter().filter(|delivery| !is_written(delivery));
        let left: Vec<i64> = left.map(|delivery| delivery.queue.0).collect();
        if left.is_empty() {
            whole.push(event.id);
        } else {
            split.insert(event.id, left);
        }
    }
    (whole, split)
}

impl Worker {
    /// Writes everything that is not held back.
    pub(super) fn write_all(&self, events: &[OpenEvent]) -> Result<Written, Failure> {
        let (store, cursor, ledger) = (&self.store, &self.cursor, &self.ledger);
        let rows = rows_of(events);
        let forgotten: HashSet<i64> = match settings::log_payloads() {
            true => HashSet::new(),
            false => events
                .iter()
                .filter(|event| is_done_with(event))
                .map(|event| event.id)
                .collect(),
        };
        let details: Vec<(i64, &str)> = events
            .iter()
            .filter_map(detail)
            .filter(|(id, _)| !forgotten.contains(id))
            .collect();
        // If somebody has set the cursor back, details of other events may be there too. Then the batch is written in parts, which finds
        // out.
        let doubtful = events
            .iter()
            .filter(|event| event.split || cursor.left_of(event.id).is_some());
        let doubtful: Vec<i64> = doubtful.map(|event| event.id).collect();
        database::attempt("zentry_notify: write deliveries", || {
            store.write_details(&details, doubtful);
            store.forget(forgotten.into_iter().collect());
            store.write_deliveries(&rows);
            ledger.write();
            let (whole, split) = divide(events, |delivery| !delivery.held);
            Written {
                cursor: cursor.write(&store.cursor, whole, split),
                deliveries: rows.iter().map(|(_, delivery)| delivery.id).collect(),
                refused: Refused::default(),
            }
        })
    }

    /// Writes as much as the database takes. Events that are finished are not removed here but by housekeeping.
    pub(super) fn write_in_parts(&mut self, events: &[OpenEvent]) -> Result<Written, Failure> {
        let (store, cursor, ledger) = (&self.store, &self.cursor, &self.ledger);
        if !settings::log_payloads() {
            self.housekeeping.hurry();
        }
        let details: Vec<(i64, &str)> = events.iter().filter_map(detail).collect();
        database::attempt("zentry_notify: write what can be written of deliveries", || {
            let pieces = details.iter().map(|_| Piece {
                queue: QueueId(0),
                waits: false,
            });
            let found = Parts::write(pieces.collect(), Failure::is_of_rows, |places| {
                let details: Vec<_> = places.iter().map(|place| details[*place]).collect();
                let doubtful = details.iter().map(|(event, _)| *event).collect();
                store.write_details(&details, doubtful);
            });
            let fates = details.iter().map(|(event, _)| *event).zip(found.fates);
            let unknown: HashMap<i64, Fate> = fates.filter(|(_, fate)| *fate != Fate::Written).collect();
            let mut rows = rows_of(events);
            rows.retain(|(event, _)| !unknown.contains_key(&event.id));
            rows.sort_by_key(|(_, delivery)| (delivery.queue, delivery.id));
            let pieces = rows.iter().map(|(_, delivery)| Piece {
                queue: delivery.queue,
                waits: !delivery.is_finished(),
            });
            let parts = Parts::write(pieces.collect(), Failure::is_of_rows, |places| {
                store.write_deliveries(&places.iter().map(|place| rows[*place]).collect::<Vec<_>>());
            });
            let of = |wanted: Fate| {
                let rows = rows
                    .iter()
                    .zip(&parts.fates)
                    .filter(move |(_, fate)| **fate == wanted);
                rows.map(|((_, delivery), _)| *delivery)
            };
            let written: HashSet<DeliveryId> = of(Fate::Written).map(|delivery| delivery.id).collect();
            // Progress that cannot be written must not hold up deliveries.
            let progress = match subtransaction::attempt(|| ledger.write()) {
                Ok(()) => None,
                Err(failure) if failure.is_of_rows() => Some(failure),
                Err(failure) => failure.raise(),
            };
            let (whole, split) = divide(events, |delivery| written.contains(&delivery.id));
            let queues = parts.refused_queues().collect();
            Written {
                cursor: cursor.write(&store.cursor, whole, split),
                refused: Refused {
                    deliveries: of(Fate::Refused)
                        .map(|delivery| (delivery.queue, delivery.id))
                        .collect(),
                    queues,
                    events: unknown,
                    failure: parts.failure.or(found.failure),
                    progress,
                },
                deliveries: written,
            }
        })
    }
}
