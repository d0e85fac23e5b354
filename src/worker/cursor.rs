//! The route cursor as the database has it.

use std::collections::BTreeMap;

use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum};
use webhook::id_set::IdSet;
use webhook::route_cursor::{Look, RouteCursor};

use super::events::Page;
use crate::pg::scan::our_table;
use crate::pg::unnumbered;
use crate::plan::{Plan, with_spi};

pub type Split = BTreeMap<i64, Vec<i64>>;

/// What a transaction has written.
pub struct Written {
    set: IdSet,
    split: Option<Split>,
}

/// The cursor, and what the database has of it.
#[derive(Default)]
pub struct StoredCursor {
    cursor: RouteCursor,
    /// As it stands in the table.
    stored: String,
    /// Events that are routed in part: of each, the lanes whose deliveries are not written down.
    split: Split,
    /// A dump's events are here, and its cursor is not: nothing may be routed.
    awaited: bool,
}

impl StoredCursor {
    /// Reads it. None: it is as it was known.
    pub fn load(&self, statement: &Plan) -> Option<StoredCursor> {
        let (stored, awaited, split) = with_spi(|| {
            let rows = statement.execute(&[]);
            // SAFETY: the types are those of the statement's columns.
            let row = (rows.len() > 0).then(|| unsafe {
                (
                    rows.get(0, 1).0.and_then(|d| String::from_datum(d, false)),
                    rows.get(0, 2).0.and_then(|d| bool::from_datum(d, false)),
                    rows.get(0, 3).0.and_then(|d| String::from_datum(d, false)),
                )
            });
            // A dump that is being restored may have taken the row away.
            let (stored, awaited, split) = row.unwrap_or((None, Some(true), None));
            let split = split.and_then(|split| serde_json::from_str(&split).ok());
            (
                stored.unwrap_or_default(),
                awaited == Some(true),
                split.unwrap_or_default(),
            )
        });
        (stored != self.stored || awaited != self.awaited).then(|| {
            let set = IdSet::parse(&stored);
            StoredCursor {
                awaited: awaited || set.is_none(),
                cursor: RouteCursor::new(set.unwrap_or_default()),
                stored,
                split,
            }
        })
    }

    pub fn may_route(&self) -> bool {
        !self.awaited
    }

    pub fn cursor(&self) -> &RouteCursor {
        &self.cursor
    }

    /// All events below it are routed, and written down so.
    pub fn routed_below(&self) -> i64 {
        let first = self.cursor.written().ranges().next();
        first.map_or(i64::MIN, |range| range.high)
    }

    /// Takes a page in hand that was read with the transaction's snapshot.
    pub fn read(&mut self, page: &Page, moment: Moment) {
        let ids: Vec<i64> = page.events.iter().map(|event| event.id).collect();
        self.cursor.read(&Look {
            // If they came in another order, nobody knows what was read.
            complete: page.complete && ids.is_sorted(),
            ids: &ids,
            oldest_running: moment.oldest_running,
            unnumbered: &moment.unnumbered,
            next_transaction: moment.next_transaction,
        });
    }

    /// The lanes that an event still has to be told to; None: to all.
    pub fn left_of(&self, event: i64) -> Option<&[i64]> {
        self.split.get(&event).map(Vec::as_slice)
    }

    /// Writes down that these events are routed, and those of `split` to all but these lanes; an error when the table does not have
    /// what was written there last: somebody else has changed it. Returns what [`wrote`](Self::wrote) has to be given when the
    /// transaction has committed.
    pub fn write(&self, statement: &Plan, ids: impl IntoIterator<Item = i64>, split: Split) -> Written {
        let set = self.cursor.with(ids);
        let text = set.to_text();
        let split = (!split.is_empty() || !self.split.is_empty())
            .then(|| {
                let mut all = self.split.clone();
                all.extend(split);
                all.retain(|event, _| !set.contains(*event));
                all
            })
            .filter(|split| *split != self.split);
        if text != self.stored || split.is_some() {
            let split = split.as_ref().unwrap_or(&self.split);
            let split = serde_json::to_string(split).unwrap_or_default();
            let written = with_spi(|| {
                let stored = self.stored.as_str().into_datum();
                statement
                    .execute(&[text.into_datum(), stored, split.into_datum()])
                    .len()
            });
            if written == 0 {
                ereport!(
                    ERROR,
                    PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
                    CHANGED_BY_OTHERS
                );
            }
        }
        Written { set, split }
    }

    pub fn wrote(&mut self, written: Written) {
        self.stored = written.set.to_text();
        self.cursor.wrote(written.set);
        if let Some(split) = written.split {
            self.split = split;
        }
    }
}

pub const CHANGED_BY_OTHERS: &str = "the route cursor was changed by somebody else";

/// Transactions as of the current snapshot.
pub struct Moment {
    oldest_running: u64,
    /// Sessions that may have drawn an event's id, and have no number.
    unnumbered: Vec<u64>,
    next_transaction: u64,
}

impl Moment {
    /// Of the transaction's snapshot, which everything was read with. The next transaction's number is not the snapshot's upper bound: a transaction
    /// may run whose number is higher than that of all that have ended.
    pub fn of_snapshot(cursor: &RouteCursor, page: &Page) -> Self {
        let ids: Vec<i64> = page.events.iter().map(|event| event.id).collect();
        let table = our_table(c"event").filter(|_| cursor.leaves_gaps(&ids));
        // Before the next number is asked for: who gets one meanwhile has a lower one.
        let unnumbered = table.map_or_else(Vec::new, unnumbered::writers);
        // SAFETY: there is an active snapshot; the other is a plain read under a lock of its own.
        let (oldest, next) = unsafe {
            let snapshot = pg_sys::GetActiveSnapshot();
            ((*snapshot).xmin, pg_sys::ReadNextFullTransactionId().value)
        };
        // The snapshot's has no epoch; it is not above the next one.
        let epoch = next & !u64::from(u32::MAX);
        let oldest = epoch | u64::from(oldest.into_inner());
        Moment {
            oldest_running: if oldest > next { oldest - (1 << 32) } else { oldest },
            unnumbered,
            next_transaction: next,
        }
    }
}
