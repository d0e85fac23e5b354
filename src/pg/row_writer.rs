//! Writing rows into the extension's own tables without a statement: a heap row and its index entries. Policies, checks, triggers, rules and
//! privileges, which users may have put on the tables, do not apply.

use pgrx::pg_sys;

use super::acting_as::ActingAs;
use super::field::Field;
use super::heap::{self, Values};
use super::plan::{Plan, with_spi};
use super::relation::{Locked, OpenRelation};
use super::scan::our_table;
use super::subtransaction;
pub use super::table_layout::Table;
use super::table_layout::{Fill, Layout};
use super::watch::{WRITTEN, Watch};

/// How often a table is opened anew that was changed while it was opened.
const ATTEMPTS: usize = 10;

/// How many rows are stored at once.
const CHUNK: usize = 500;

/// Why nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// There is no such table.
    Missing,
    /// An index that a user has made may refuse the row, there is no room for it, or the table is locked, and to wait for that may end in an error:
    /// [`RowWriter::write_all`] may write it, in a subtransaction.
    MayFail,
    /// The table was changed by somebody: only [`RowWriter::insert`] can write the row.
    NeedsStatement,
}

/// Writes rows of one table. A session keeps it, with the table's layout.
pub struct RowWriter {
    table: &'static Table,
    known: Option<Known>,
}

struct Known {
    oid: pg_sys::Oid,
    /// None: rows of the table need a statement.
    layout: Option<Layout>,
    /// The count of changes ([`Watch::changes`]) when the layout was read.
    changes: u64,
}

/// Whether to wait for a lock that another session keeps from being taken.
#[derive(Clone, Copy)]
enum Wait {
    Yes,
    No,
}

/// The table and its indexes, locked for writing.
struct Open {
    relation: OpenRelation,
    indexes: Vec<OpenRelation>,
    /// A number for the first row, which was drawn already.
    first: Option<i64>,
}

impl RowWriter {
    pub const fn new(table: &'static Table) -> Self {
        RowWriter { table, known: None }
    }

    /// Stores a row of these fields, in the order of the table's columns, and returns its identity (0 if that is among the fields). It raises no
    /// error for what is in the row, for a lock, nor, as a rule, for a full disk.
    ///
    /// # Errors
    /// Why the row cannot be written so; nothing was written.
    pub fn write(&mut self, row: &[Field]) -> Result<i64, Unfit> {
        let table = self.table;
        let (open, layout) = self.open(Wait::No)?;
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

    /// Stores many rows. Indexes that users have made are maintained too: their expressions and predicates run as the current role, and may raise
    /// an error.
    ///
    /// # Errors
    /// Why the rows cannot be written so; nothing was written.
    pub fn write_all<'f>(&mut self, rows: &[impl AsRef<[Field<'f>]>]) -> Result<(), Unfit> {
        let table = self.table;
        let (open, layout) = self.open(Wait::Yes)?;
        // All rows are checked before the first is stored.
        if !rows.iter().all(|row| fits(table, layout, row.as_ref())) {
            return Err(Unfit::NeedsStatement);
        }
        let mut first = open.first;
        for chunk in rows.chunks(CHUNK) {
            let batch = heap::Batch::begin(&open.relation, &open.indexes, &layout.indexes);
            let mut all = Vec::with_capacity(chunk.len());
            for row in chunk {
                let mut values = Values::default();
                fill(table, layout, &open, row.as_ref(), first.take(), &mut values)?;
                all.push(values);
            }
            batch.store(&all);
        }
        Ok(())
    }

    /// As [`RowWriter::write_all`], if an INSERT by the current role would do the same.
    ///
    /// # Errors
    /// [`Unfit::NeedsStatement`] also where an INSERT might do more, or fail; nothing was written.
    pub fn write_unguarded<'f>(&mut self, rows: &[impl AsRef<[Field<'f>]>]) -> Result<(), Unfit> {
        let guarded = self.lock(Wait::Yes)?.relation.is_guarded();
        if guarded {
            Err(Unfit::NeedsStatement)
        } else {
            self.write_all(rows)
        }
    }

    /// Stores rows by an INSERT statement, as the agent, and raises its errors.
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
                // SAFETY: the plan was prepared with the types of the table's columns, and takes() has checked that the fields are of these types.
                unsafe { plan.execute_with(spi, &values) };
            }
        });
    }

    /// Locks the table and its indexes for writing, and returns them with the layout, which is read again if anything has changed.
    fn open(&mut self, wait: Wait) -> Result<(Open, &Layout), Unfit> {
        let open = self.lock(wait)?;
        match self.known.as_ref().and_then(|known| known.layout.as_ref()) {
            Some(layout) => Ok((open, layout)),
            None => Err(Unfit::NeedsStatement),
        }
    }

    /// Locks the table and its indexes for writing, and sees to it that `known` holds.
    fn lock(&mut self, wait: Wait) -> Result<Open, Unfit> {
        for _ in 0..ATTEMPTS {
            let oid = match &self.known {
                Some(known) => known.oid,
                None => our_table(self.table.name).ok_or(Unfit::Missing)?,
            };
            WRITTEN.with(|watch| watch.add(oid));
            let Some(relation) = wait.open(oid)? else {
                self.known = None;
                continue;
            };
            // Taking the lock has processed the invalidation messages; while it is held, nobody changes the table.
            let changes = WRITTEN.with(Watch::changes);
            let is_known = self.known.as_ref().is_some_and(|known| known.changes == changes);
            if !is_known && our_table(self.table.name) != Some(oid) {
                self.known = None;
                continue;
            }
            let known = match self.known.take_if(|_| is_known) {
                Some(known) => known,
                None => {
                    // The layout is read from the indexes, too. Their locks are kept.
                    for index in relation.indexes() {
                        wait.open(index)?;
                    }
                    Known {
                        oid,
                        layout: Layout::of(&relation, self.table),
                        changes,
                    }
                }
            };
            let known = self.known.insert(known);
            let Some(layout) = &known.layout else {
                return Err(Unfit::NeedsStatement);
            };
            if let (Wait::No, Some(sequence)) = (wait, &layout.sequence) {
                sequence.lock_at_once().map_err(|Locked| Unfit::MayFail)?;
            }
            let mut indexes = Vec::with_capacity(layout.indexes.len());
            for index in &layout.indexes {
                indexes.extend(wait.open(index.oid)?);
            }
            if indexes.len() < layout.indexes.len() {
                self.known = None;
                continue;
            }
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

impl Wait {
    /// Opens a relation for writing; None: it does not exist.
    fn open(self, oid: pg_sys::Oid) -> Result<Option<OpenRelation>, Unfit> {
        match self {
            Self::Yes => Ok(OpenRelation::open(oid, pg_sys::RowExclusiveLock)),
            Self::No => {
                OpenRelation::open_at_once(oid, pg_sys::RowExclusiveLock).map_err(|Locked| Unfit::MayFail)
            }
        }
    }
}

/// Draws a number above all numbers in the table, whose sequence may be behind them (after a restored dump, in a promoted subscriber). None: the
/// identity is among the fields.
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

/// Whether the row can be stored as it is: types, nulls and lengths are those of the columns.
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

/// Appends the row's values to `values`, in the order of the table's columns, and returns the identity that was drawn, or 0.
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
