//! Rows into our own tables without a statement: a heap row and its index entries, and nothing that others may have put in the
//! way (policies, checks, triggers, rules, privileges) is asked.

use pgrx::pg_sys;

use super::acting_as::ActingAs;
use super::field::Field;
use super::heap::{self, Values};
use super::plan::{Plan, with_spi};
use super::relation::OpenRelation;
use super::scan::our_table;
use super::subtransaction;
pub use super::table_layout::Table;
use super::table_layout::{Fill, Index, Layout};
use super::watch::{WRITTEN, Watch};

/// How often a table is looked for that changes while it is opened.
const ATTEMPTS: usize = 10;

/// How many rows are stored at once.
const CHUNK: usize = 500;

/// Why nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// There is no such table.
    Missing,
    /// An index of somebody else's may refuse the row, or there is no room for it: see [`RowWriter::write_all`].
    MayFail,
    /// It is not as it was made: see [`RowWriter::insert`].
    NeedsStatement,
}

/// What a session keeps for a table.
pub struct RowWriter {
    table: &'static Table,
    known: Option<Known>,
}

struct Known {
    oid: pg_sys::Oid,
    layout: Option<Layout>,
    /// As of which it holds.
    changes: u64,
}

/// The table and its indexes, locked.
struct Open {
    relation: OpenRelation,
    indexes: Vec<OpenRelation>,
    /// A number that was drawn already.
    first: Option<i64>,
}

impl RowWriter {
    pub const fn new(table: &'static Table) -> Self {
        RowWriter { table, known: None }
    }

    /// Stores a row of these fields, in the order of the table's columns, and returns its identity (0 if that is among the
    /// fields). What is in the row cannot make it fail, nor, as a rule, a full disk: otherwise, nothing is written.
    pub fn write(&mut self, row: &[Field]) -> Result<i64, Unfit> {
        let table = self.table;
        let (open, layout) = self.open()?;
        if !layout.is_plain() {
            return Err(Unfit::MayFail);
        }
        let mut values = Values::default();
        let identity = fill(table, layout, &open, row, open.first, &mut values)?;
        let formed = heap::form(&open.relation, &mut values);
        if !heap::has_room(&open.relation, &formed)
            && subtransaction::attempt(|| heap::make_room(&open.relation, &formed)).is_err()
        {
            return Err(Unfit::MayFail);
        }
        let stored = heap::store(&open.relation, formed);
        for (index, relation) in layout.indexes.iter().zip(&open.indexes) {
            heap::add_entry(&open.relation, relation, index, &values, stored);
        }
        Ok(identity)
    }

    /// Stores many rows. Indexes of others are served too: what these evaluate runs as the role that runs, and may raise an
    /// error.
    pub fn write_all(&mut self, rows: &[Vec<Field>]) -> Result<(), Unfit> {
        let table = self.table;
        let (open, layout) = self.open()?;
        // Either all of them are written, or none is.
        if !rows.iter().all(|row| fits(table, layout, row)) {
            return Err(Unfit::NeedsStatement);
        }
        let mut first = open.first;
        for chunk in rows.chunks(CHUNK) {
            let batch = heap::Batch::begin(&open.relation, &open.indexes, &layout.indexes);
            let mut all = Vec::with_capacity(chunk.len());
            for row in chunk {
                let mut values = Values::default();
                fill(table, layout, &open, row, first.take(), &mut values)?;
                all.push(values);
            }
            batch.store(&all);
        }
        Ok(())
    }

    /// The same where an INSERT by the role that runs would do nothing else. Nothing is written where it might: then it takes the
    /// statement.
    pub fn write_unguarded(&mut self, rows: &[Vec<Field>]) -> Result<(), Unfit> {
        let guarded = self.lock()?.relation.is_guarded();
        if guarded {
            Err(Unfit::NeedsStatement)
        } else {
            self.write_all(rows)
        }
    }

    /// Stores rows by a statement, as the role that may touch our tables. Whatever is in its way raises an error.
    pub fn insert(&self, rows: &[Vec<Field>]) {
        let columns = self.table.columns;
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let types: Vec<pg_sys::Oid> = columns.iter().map(|(_, oid)| *oid).collect();
        let parameters: Vec<String> = (1..=columns.len()).map(|number| format!("${number}")).collect();
        let sql = format!(
            "INSERT INTO zentry_notify.{} ({}) OVERRIDING SYSTEM VALUE VALUES ({})",
            self.table.name.to_string_lossy(),
            names.join(", "),
            parameters.join(", ")
        );
        let _agent = ActingAs::agent();
        with_spi(|spi| {
            let plan = Plan::prepare(spi, &sql, &types);
            for row in rows {
                if !self.table.takes(row) {
                    pgrx::error!("zentry_notify: a row of other columns than the table's");
                }
                let values: Vec<_> = row.iter().map(Field::datum).collect();
                // SAFETY: the plan was prepared with the types of the table's columns, which the row was seen to be of.
                unsafe { plan.execute_with(spi, &values) };
            }
        });
    }

    /// Locks the table, and looks at it again if anything has changed.
    fn open(&mut self) -> Result<(Open, &Layout), Unfit> {
        let open = self.lock()?;
        match self.known.as_ref().and_then(|known| known.layout.as_ref()) {
            Some(layout) => Ok((open, layout)),
            None => Err(Unfit::NeedsStatement),
        }
    }

    fn lock(&mut self) -> Result<Open, Unfit> {
        for _ in 0..ATTEMPTS {
            let oid = match &self.known {
                Some(known) => known.oid,
                None => our_table(self.table.name).ok_or(Unfit::Missing)?,
            };
            WRITTEN.with(|watch| watch.add(oid));
            let Some(relation) = OpenRelation::open(oid, pg_sys::RowExclusiveLock) else {
                self.known = None;
                continue;
            };
            // With the lock came the messages of what has changed; from now on, nothing does.
            let changes = WRITTEN.with(Watch::changes);
            let is_known = self.known.as_ref().is_some_and(|known| known.changes == changes);
            if !is_known && our_table(self.table.name) != Some(oid) {
                self.known = None;
                continue;
            }
            let known = match self.known.take_if(|_| is_known) {
                Some(known) => known,
                None => Known {
                    oid,
                    layout: Layout::of(&relation, self.table),
                    changes,
                },
            };
            let known = self.known.insert(known);
            let Some(layout) = &known.layout else {
                return Err(Unfit::NeedsStatement);
            };
            let open = |index: &Index| OpenRelation::open(index.oid, pg_sys::RowExclusiveLock);
            let Some(indexes) = layout.indexes.iter().map(open).collect() else {
                self.known = None;
                continue;
            };
            let mut open = Open {
                relation,
                indexes,
                first: None,
            };
            if !is_known {
                open.first = first_identity(layout, &open)?;
            }
            return Ok(open);
        }
        Err(Unfit::Missing)
    }
}

/// Draws a number above all that the table has: its sequence may be behind (a restored dump, a promoted subscriber). None: the
/// identity is given.
fn first_identity(layout: &Layout, open: &Open) -> Result<Option<i64>, Unfit> {
    let Some(sequence) = &layout.sequence else {
        return Ok(None);
    };
    let used = match layout.identity_index {
        Some(index) => heap::highest(&open.relation, &open.indexes[index]).unwrap_or(0),
        None => 0,
    };
    sequence.next_above(used).map(Some).ok_or(Unfit::NeedsStatement)
}

/// Whether the columns take the row as it is.
fn fits(table: &Table, layout: &Layout, row: &[Field]) -> bool {
    table.takes(row)
        && layout.fills.iter().all(|fill| match fill {
            Fill::Given {
                place,
                nullable,
                limit,
            } => {
                let field = &row[*place];
                (*nullable || field.type_oid().is_some()) && limit.is_none_or(|limit| !field.is_longer(limit))
            }
            Fill::Null | Fill::Identity => true,
        })
}

/// Puts the row into `values`, and returns its identity, if that is drawn.
fn fill(
    table: &Table,
    layout: &Layout,
    open: &Open,
    row: &[Field],
    first: Option<i64>,
    values: &mut Values,
) -> Result<i64, Unfit> {
    if !fits(table, layout, row) {
        return Err(Unfit::NeedsStatement);
    }
    let mut identity = 0;
    for fill in &layout.fills {
        match fill {
            Fill::Given { place, .. } => values.push(row[*place].datum()),
            Fill::Null => values.push(None),
            Fill::Identity => {
                let next = match first.or_else(|| layout.sequence.as_ref()?.next()) {
                    Some(next) => next,
                    None => first_identity(layout, open)?.unwrap_or(0),
                };
                identity = next;
                values.push(Some(pg_sys::Datum::from(next)));
            }
        }
    }
    Ok(identity)
}
