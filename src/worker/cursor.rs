//! The route cursor as the database has it.

use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum};
use webhook::id_set::IdSet;
use webhook::route_cursor::{Look, RouteCursor};

use super::events::Page;
use crate::pg::scan::our_table;
use crate::pg::unnumbered;
use crate::plan::{Plan, with_spi};

/// The cursor, and what the database has of it.
#[derive(Default)]
pub struct StoredCursor {
    cursor: RouteCursor,
    /// As it stands in the table.
    stored: String,
    /// A dump's events are here, and its cursor is not: nothing may be routed.
    awaited: bool,
}

impl StoredCursor {
    /// Reads it. None: it is as it was known.
    pub fn load(&self) -> Option<StoredCursor> {
        const SQL: &str = "SELECT c.routed::text, c.restored = 'awaited' FROM zentry_notify.route_cursor c";
        let (stored, awaited) = with_spi(|| {
            let rows = Plan::prepare(SQL, &[]).execute(&[]);
            // SAFETY: the types are those of the statement's columns.
            let row = (rows.len() > 0).then(|| unsafe {
                (
                    rows.get(0, 1).0.and_then(|d| String::from_datum(d, false)),
                    rows.get(0, 2).0.and_then(|d| bool::from_datum(d, false)),
                )
            });
            // A dump that is being restored may have taken the row away.
            let (stored, awaited) = row.unwrap_or((None, Some(true)));
            (stored.unwrap_or_default(), awaited == Some(true))
        });
        (stored != self.stored || awaited != self.awaited).then(|| {
            let set = IdSet::parse(&stored);
            StoredCursor {
                awaited: awaited || set.is_none(),
                cursor: RouteCursor::new(set.unwrap_or_default()),
                stored,
            }
        })
    }

    /// Whether something may still come below what is routed, or nothing any more that was not looked for yet.
    pub fn has_gaps(&self) -> bool {
        self.cursor.gaps() > 0
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
        self.awaited |= page.awaited;
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

    /// Writes down that these events are routed; an error when the table does not have what was written there last: somebody
    /// else has changed it. Returns what [`wrote`](Self::wrote) has to be given when the transaction has committed.
    pub fn write(&self, statement: &Plan, ids: impl IntoIterator<Item = i64>) -> IdSet {
        let set = self.cursor.with(ids);
        let text = set.to_text();
        if text != self.stored {
            let written = with_spi(|| {
                statement
                    .execute(&[text.into_datum(), self.stored.as_str().into_datum()])
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
        set
    }

    pub fn wrote(&mut self, set: IdSet) {
        self.stored = set.to_text();
        self.cursor.wrote(set);
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
    pub fn of_snapshot() -> Self {
        // Before the next number is asked for: who gets one meanwhile has a lower one.
        let unnumbered = our_table(c"event").map_or_else(Vec::new, unnumbered::writers);
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
