//! The route cursor, as memory and the database have it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use pgrx::prelude::*;
use webhook::id_set::IdSet;
use webhook::route_cursor::{Look, RouteCursor};

use super::events::Page;
use super::store::Store;
use crate::pg::scan::our_table;
use crate::pg::transaction;
use crate::pg::unnumbered;
use crate::plan::{Argument, Plan, with_spi};

pub type Split = BTreeMap<i64, Vec<i64>>;

/// What a transaction has written of the cursor.
pub struct Written {
    set: IdSet,
    split: Option<Split>,
    place: Option<String>,
}

/// The route cursor, and what the database has of it.
#[derive(Default)]
pub struct StoredCursor {
    cursor: RouteCursor,
    /// The cursor as it stands in the table.
    stored: String,
    /// The row's `ctid` when it was last seen. While a session holds an old snapshot, its earlier versions stay too, and need not be read.
    place: RefCell<Option<String>>,
    /// Events that are partly routed, with the queues whose deliveries are not written.
    split: Split,
    /// Whether a dump's events are here and its cursor is not: nothing may be routed.
    awaited: bool,
}

impl StoredCursor {
    /// Reads the cursor. None: it is the one that is known.
    pub fn load(&self, store: &Store) -> Option<StoredCursor> {
        let place = self.place.borrow().clone();
        let known = place.and_then(|place| Row::read(&store.cursor_at, &[place.into()]));
        if known.is_some_and(|row| self.is(&row)) {
            return None;
        }
        // A dump that is being restored may have removed the row.
        let row = Row::read(&store.stored_cursor, &[]).unwrap_or_default();
        if self.is(&row) {
            self.place.replace(row.place);
            return None;
        }
        let set = IdSet::parse(&row.routed);
        Some(StoredCursor {
            awaited: row.awaited || set.is_none(),
            cursor: RouteCursor::new(set.unwrap_or_default()),
            stored: row.routed,
            place: RefCell::new(row.place),
            split: row.split,
        })
    }

    fn is(&self, row: &Row) -> bool {
        row.routed == self.stored && row.awaited == self.awaited
    }

    /// Returns whether there are holes in what is routed: ids that may still be committed, or of which it is not known yet that they never
    /// will be.
    pub fn has_gaps(&self) -> bool {
        self.cursor.gaps() > 0
    }

    pub fn may_route(&self) -> bool {
        !self.awaited
    }

    pub fn cursor(&self) -> &RouteCursor {
        &self.cursor
    }

    /// Returns the id below which all events are routed and written.
    pub fn routed_below(&self) -> i64 {
        let first = self.cursor.written().ranges().next();
        first.map_or(i64::MIN, |range| range.high)
    }

    /// Notes that a page was read with the transaction's snapshot.
    pub fn read(&mut self, page: &Page, moment: Moment) {
        let ids: Vec<i64> = page.events.iter().map(|event| event.id).collect();
        self.cursor.read(&Look {
            // If the events came in another order, it is unknown which ids were read.
            complete: page.complete && ids.is_sorted(),
            ids: &ids,
            oldest_running: moment.oldest_running,
            unnumbered: &moment.unnumbered,
            next_transaction: moment.next_transaction,
        });
    }

    /// Returns the queues that still have to be told of an event. None: all of them.
    pub fn left_of(&self, event: i64) -> Option<&[i64]> {
        self.split.get(&event).map(Vec::as_slice)
    }

    /// Writes that these events are routed, and that those of `split` are routed to all but their queues. It is an error when the table has
    /// another cursor than was last written: somebody else has changed it. The result goes to [`wrote`](Self::wrote) when the transaction
    /// has committed.
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
        let mut place = self.place.borrow().clone();
        if text != self.stored || split.is_some() {
            let split = split.as_ref().unwrap_or(&self.split);
            let split = serde_json::to_string(split).unwrap_or_default();
            place = with_spi(|spi| {
                let stored = self.stored.as_str().into();
                let rows = statement.execute(spi, &[text.into(), stored, split.into()]);
                rows.first()
            });
            if place.is_none() {
                ereport!(
                    ERROR,
                    PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
                    CHANGED_BY_OTHERS
                );
            }
        }
        Written { set, split, place }
    }

    pub fn wrote(&mut self, written: Written) {
        self.stored = written.set.to_text();
        self.place.replace(written.place);
        self.cursor.wrote(written.set);
        if let Some(split) = written.split {
            self.split = split;
        }
    }
}

/// The table's row.
struct Row {
    routed: String,
    awaited: bool,
    split: Split,
    place: Option<String>,
}

impl Default for Row {
    fn default() -> Self {
        Row {
            routed: String::new(),
            awaited: true,
            split: Split::default(),
            place: None,
        }
    }
}

impl Row {
    fn read(statement: &Plan, arguments: &[Argument]) -> Option<Row> {
        with_spi(|spi| {
            let rows = statement.execute(spi, arguments);
            (rows.len() > 0).then(|| Row {
                routed: rows.get(0, 1).unwrap_or_default(),
                awaited: rows.get(0, 2) == Some(true),
                split: rows
                    .get::<String>(0, 3)
                    .and_then(|split| serde_json::from_str(&split).ok())
                    .unwrap_or_default(),
                place: rows.get(0, 4),
            })
        })
    }
}

pub const CHANGED_BY_OTHERS: &str = "the route cursor was changed by somebody else";

/// The transactions that run, as of the current snapshot.
pub struct Moment {
    oldest_running: u64,
    /// Sessions that may have drawn an event's id and have no transaction id.
    unnumbered: Vec<u64>,
    next_transaction: u64,
}

impl Moment {
    /// Takes it from the transaction's snapshot, with which everything was read. The snapshot's upper bound is not the next transaction id:
    /// a transaction may run whose id is higher than those of all that have ended.
    pub fn of_snapshot(cursor: &RouteCursor, page: &Page) -> Self {
        let ids: Vec<i64> = page.events.iter().map(|event| event.id).collect();
        let table = our_table(c"event").filter(|_| cursor.leaves_gaps(&ids));
        // This comes before the next transaction id is read: a session that gets one in between has a lower one.
        let unnumbered = table.map_or_else(Vec::new, unnumbered::writers);
        let numbers = transaction::numbers();
        Moment {
            oldest_running: numbers.oldest_running,
            unnumbered,
            next_transaction: numbers.next,
        }
    }
}
