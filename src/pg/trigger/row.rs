//! The rows of a trigger's call.

use std::marker::PhantomData;

use pgrx::prelude::*;

use super::attribute::{Attribute, attribute_of};
use crate::pg::memory::SessionMemory;

/// A row of the table.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    relation: pg_sys::Oid,
    tuple: &'a pg_sys::HeapTupleData,
    descriptor: pg_sys::TupleDesc,
}

/// The table and the place (`ctid`) of a row version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub table: pg_sys::Oid,
    place: (u16, u16, u16),
}

/// A command of a top-level transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    transaction: pg_sys::TransactionId,
    command: pg_sys::CommandId,
}

impl Command {
    fn of(command: pg_sys::CommandId) -> Self {
        // SAFETY: reads this process's transaction state.
        let transaction = unsafe { pg_sys::GetTopTransactionIdIfAny() };
        Command { transaction, command }
    }
}

impl<'a> Row<'a> {
    /// Returns a row.
    ///
    /// # Safety
    /// `tuple` is a row of `relation`, and both last as long as the result.
    pub(super) unsafe fn of(tuple: pg_sys::HeapTuple, relation: &'a pg_sys::RelationData) -> Self {
        Row {
            relation: relation.rd_id,
            // SAFETY: by the caller's promise.
            tuple: unsafe { &*tuple },
            descriptor: relation.rd_att,
        }
    }

    pub fn relation(&self) -> pg_sys::Oid {
        self.relation
    }

    /// Returns the row's values.
    pub fn read(&self) -> RowValues<'a> {
        let mut values = RowValues {
            relation: self.relation,
            values: Vec::new(),
            nulls: Vec::new(),
            _row: PhantomData,
        };
        // SAFETY: the tuple is of the descriptor, and both vectors have an element for each of its columns.
        unsafe {
            let columns = (*self.descriptor).natts as usize;
            values.values.resize(columns, pg_sys::Datum::null());
            values.nulls.resize(columns, true);
            pg_sys::heap_deform_tuple(
                std::ptr::from_ref(self.tuple).cast_mut(),
                self.descriptor,
                values.values.as_mut_ptr(),
                values.nulls.as_mut_ptr(),
            );
        }
        values
    }

    pub fn attribute(&self, name: &str) -> Option<Attribute> {
        attribute_of(self.descriptor, name)
    }

    pub fn identity(&self) -> Identity {
        let place = self.tuple.t_self;
        Identity {
            table: self.tuple.t_tableOid,
            place: (place.ip_blkid.bi_hi, place.ip_blkid.bi_lo, place.ip_posid),
        }
    }

    /// Whether an UPDATE has moved the row to another partition, which PostgreSQL does by a DELETE and an INSERT.
    pub fn has_moved(&self) -> bool {
        /// `MovedPartitionsOffsetNumber`, the offset in the `ctid` of such a row.
        const MOVED: u16 = 0xFFFD;
        // SAFETY: t_data points to the tuple's header.
        let next = unsafe { (*self.tuple.t_data).t_ctid };
        next.ip_posid == MOVED && next.ip_blkid.bi_hi == 0xFFFF && next.ip_blkid.bi_lo == 0xFFFF
    }

    /// Returns the command that has deleted the row. It has to be a heap row that this transaction has deleted.
    pub fn deleted_by(&self) -> Command {
        // SAFETY: t_data points to the header of a heap tuple; its cmax is defined if this transaction has set it.
        Command::of(unsafe { pg_sys::HeapTupleHeaderGetCmax(self.tuple.t_data) })
    }

    /// Returns the command that has inserted the row. It has to be a heap row that this transaction has inserted.
    pub fn inserted_by(&self) -> Command {
        // SAFETY: as above, for its cmin.
        Command::of(unsafe { pg_sys::HeapTupleHeaderGetCmin(self.tuple.t_data) })
    }
}

/// A copy of a row that outlives its trigger's call.
pub struct KeptRow {
    row: Row<'static>,
    /// Holds the row and its descriptor.
    memory: SessionMemory,
}

impl KeptRow {
    pub fn of(row: &Row) -> Self {
        let memory = SessionMemory::new(c"zentry_notify kept row");
        // SAFETY: tuple and descriptor are copied into `memory`, which is freed with the KeptRow; row() lends the row for no longer than its own
        // borrow.
        let copy = memory.within(|| unsafe {
            Row {
                relation: row.relation,
                tuple: &*pg_sys::heap_copytuple(std::ptr::from_ref(row.tuple).cast_mut()),
                descriptor: pg_sys::CreateTupleDescCopy(row.descriptor),
            }
        });
        KeptRow { row: copy, memory }
    }

    pub fn row(&self) -> &Row<'_> {
        &self.row
    }

    /// Returns the memory of the row.
    pub fn memory(&self) -> &SessionMemory {
        &self.memory
    }
}

/// A row's values by column, in the form in which they are stored.
pub struct RowValues<'a> {
    relation: pg_sys::Oid,
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
    _row: PhantomData<Row<'a>>,
}

impl RowValues<'_> {
    pub fn relation(&self) -> pg_sys::Oid {
        self.relation
    }

    /// Returns the value at an index; None: it is null, or there is no such column.
    pub fn get(&self, place: usize) -> Option<pg_sys::Datum> {
        match self.nulls.get(place) {
            Some(false) => self.values.get(place).copied(),
            _ => None,
        }
    }
}
