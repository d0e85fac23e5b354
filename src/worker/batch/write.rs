//! The open batch is written: all of it in one go, or what the database takes of it.

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

/// What the database does not take.
#[derive(Default)]
pub(super) struct Refused {
    pub deliveries: Vec<(QueueId, DeliveryId)>,
    /// Of which it takes nothing.
    pub queues: Vec<QueueId>,
    /// Events of which it is not written what was found out about them.
    pub events: HashMap<i64, Fate>,
    pub failure: Option<Failure>,
    /// Why it is not written how far projects have come.
    pub progress: Option<Failure>,
}

/// The deliveries that are to be written.
fn rows_of(events: &[OpenEvent]) -> Vec<(&OpenEvent, &OpenDelivery)> {
    let rows = events
        .iter()
        .flat_map(|event| event.deliveries.iter().map(move |delivery| (event, delivery)));
    rows.filter(|(_, delivery)| !delivery.held).collect()
}

/// What was found out about an event and is to be written.
fn detail(event: &OpenEvent) -> Option<(i64, &str)> {
    let detail = event.detail.as_deref()?;
    let is_due = event.deliveries.iter().any(|delivery| !delivery.held);
    is_due.then_some((event.id, detail))
}

/// Whether nobody needs its data any more.
fn is_done_with(event: &OpenEvent) -> bool {
    let done = |delivery: &OpenDelivery| delivery.is_finished() && !delivery.held;
    !event.split && !event.deliveries.is_empty() && event.deliveries.iter().all(done)
}

/// The events that are written with all their deliveries, and the queues that are left of others.
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
    /// All that is not held.
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
        // Where somebody has set back the cursor, of others too: then it is found out in parts.
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

    /// What the database takes of it. What is done with is left to housekeeping here.
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
            // It must not hold up what is told.
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
