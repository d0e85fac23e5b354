//! The rows of a write. An UPDATE that moves a row to another partition, which PostgreSQL splits into a DELETE and an INSERT, is put together again.

use std::cell::OnceCell;
use std::rc::Rc;

use crate::pg::column::Column;
use crate::pg::equality::Equality;
use crate::pg::field::TextBuffer;
use crate::pg::output::Written;
use crate::pg::scan;
use crate::pg::trigger::{Command, Identity, KeptRow, Operation, Row, RowTrigger, RowValues};

/// The rows that were written.
pub struct Rows<'a> {
    pub operation: Operation,
    row: RowValues<'a>,
    old: Old<'a>,
}

/// The row before the write.
enum Old<'a> {
    None,
    /// A row of the same table, with its values once they are read.
    Here(Row<'a>, OnceCell<RowValues<'a>>),
    /// The old row is in the partition that the row has left, whose columns may have other numbers.
    Moved(Rc<Moved>),
}

/// A row that has left its partition.
pub struct Moved {
    row: KeptRow,
    /// The command that has moved it.
    by: Command,
    /// The partitioned table.
    root: Option<pgrx::pg_sys::Oid>,
}

/// The last row that has left its partition, and the row that it has become, once that is known.
#[derive(Default)]
pub struct LastMoved(Option<(Rc<Moved>, Option<Identity>)>);

impl LastMoved {
    /// Returns the rows of the trigger's call. None: the row has moved away, and is captured where it arrives.
    pub fn rows_of<'a>(&mut self, trigger: &RowTrigger<'a>) -> Option<Rows<'a>> {
        let row = trigger.row();
        let old = match trigger.operation {
            Operation::Update => trigger
                .old_row()
                .map_or(Old::None, |old| Old::Here(old, OnceCell::new())),
            Operation::Delete if trigger.relation().is_heap_partition() && row.has_moved() => {
                self.0 = Some((Rc::new(Moved::of(&row)), None));
                return None;
            }
            Operation::Delete => Old::Here(row, OnceCell::new()),
            Operation::Insert => match self.arrived_as(trigger, &row) {
                Some(moved) => Old::Moved(moved),
                None => Old::None,
            },
        };
        Some(Rows {
            operation: match old {
                Old::Moved(_) => Operation::Update,
                _ => trigger.operation,
            },
            row: row.read(),
            old,
        })
    }

    /// Returns the moved row that `row` was before, if it is one.
    fn arrived_as(&mut self, trigger: &RowTrigger, row: &Row) -> Option<Rc<Moved>> {
        let (moved, arrived) = self.0.as_mut()?;
        if !trigger.relation().is_heap_partition()
            || row.inserted_by() != moved.by
            || root_of(row) != moved.root
        {
            return None;
        }
        let identity = row.identity();
        (*arrived.get_or_insert(identity) == identity).then(|| moved.clone())
    }
}

impl Moved {
    fn of(row: &Row) -> Self {
        Moved {
            row: KeptRow::of(row),
            by: row.deleted_by(),
            root: root_of(row),
        }
    }

    /// Calls `f` with the column of that name and the values.
    fn with<T>(&self, name: &str, f: impl FnOnce(&Column, &RowValues) -> T) -> Option<T> {
        let row = self.row.row();
        let attribute = row.attribute(name)?;
        let column = Column::of(row.relation(), attribute, self.row.memory());
        Some(f(&column, &row.read()))
    }
}

fn root_of(row: &Row) -> Option<pgrx::pg_sys::Oid> {
    scan::ancestors(row.relation()).pop()
}

impl<'a> Rows<'a> {
    /// Returns the row as it is now, or as it was when it was deleted.
    pub fn row(&self) -> &RowValues<'a> {
        &self.row
    }

    pub fn has_old(&self) -> bool {
        !matches!(self.old, Old::None)
    }

    /// Whether the column had that value before. `column` is that of the table that was written.
    pub fn old_equals(&self, name: &str, column: &Column, value: &Equality) -> bool {
        match &self.old {
            Old::None => false,
            Old::Here(row, values) => column.equals(values.get_or_init(|| row.read()), value),
            Old::Moved(moved) => moved
                .with(name, |column, values| column.equals(values, value))
                .unwrap_or(false),
        }
    }

    /// Returns the column's value before, if that is an integer. The column is of the table that was written.
    pub fn old_integer(&self, name: &str, column: &Column) -> Option<i64> {
        match &self.old {
            Old::None => None,
            Old::Here(row, values) => column.integer(values.get_or_init(|| row.read())),
            Old::Moved(moved) => moved.with(name, Column::integer).flatten(),
        }
    }

    /// Returns the row as it was in the partition that it has left. PostgreSQL does not evaluate the condition of an UPDATE's trigger for
    /// such a write.
    pub fn moved_from(&self) -> Option<&Row<'_>> {
        match &self.old {
            Old::Moved(moved) => Some(moved.row.row()),
            Old::None | Old::Here(..) => None,
        }
    }

    /// Writes the column's value before as JSON. The column is of the table that was written.
    pub fn write_old(&self, name: &str, column: &Column, out: &mut TextBuffer) -> Written {
        let written = match &self.old {
            Old::None => None,
            Old::Here(row, values) => Some(column.write(values.get_or_init(|| row.read()), out)),
            Old::Moved(moved) => moved.with(name, |column, values| column.write(values, out)),
        };
        written.unwrap_or_else(|| {
            out.push(b"null");
            Written::Whole
        })
    }
}
