//! Rows as a trigger has them.

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

/// Which row it is, and which command has written it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub table: pg_sys::Oid,
    place: (u16, u16, u16),
}

/// A command of a transaction, whatever savepoint it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    transaction: pg_sys::TransactionId,
    command: pg_sys::CommandId,
}

impl Command {
    fn of(command: pg_sys::CommandId) -> Self {
        // SAFETY: a plain read of this process's transaction.
        let transaction = unsafe { pg_sys::GetTopTransactionIdIfAny() };
        Command { transaction, command }
    }
}

impl<'a> Row<'a> {
    /// # Safety
    /// The tuple is a row of the relation, and both last as long as the result.
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
        // SAFETY: as many places as the descriptor has columns.
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

    /// Whether an UPDATE has put it into another partition, which PostgreSQL does by a DELETE and an INSERT.
    pub fn has_moved(&self) -> bool {
        /// What a row's `ctid` has then (`MovedPartitionsOffsetNumber`).
        const MOVED: u16 = 0xFFFD;
        // SAFETY: a row has its header.
        let next = unsafe { (*self.tuple.t_data).t_ctid };
        next.ip_posid == MOVED && next.ip_blkid.bi_hi == 0xFFFF && next.ip_blkid.bi_lo == 0xFFFF
    }

    /// The command of this transaction that has deleted the row. Of a heap's row that this transaction has deleted.
    pub fn deleted_by(&self) -> Command {
        // SAFETY: the header of a heap's row.
        Command::of(unsafe { pg_sys::HeapTupleHeaderGetCmax(self.tuple.t_data) })
    }

    /// The command of this transaction that has inserted the row. Of a heap's row that this transaction has inserted.
    pub fn inserted_by(&self) -> Command {
        // SAFETY: the header of a heap's row.
        Command::of(unsafe { pg_sys::HeapTupleHeaderGetCmin(self.tuple.t_data) })
    }
}

/// A copy of a row, which outlives its trigger's call.
pub struct KeptRow {
    row: Row<'static>,
    /// What the row points to.
    memory: SessionMemory,
}

impl KeptRow {
    pub fn of(row: &Row) -> Self {
        let memory = SessionMemory::new(c"zentry_notify kept row");
        // SAFETY: a row with its header; the descriptor is copied, so that it does not depend on the relation's. The memory goes with the
        // copy, and nothing hands the row out for longer than the borrow of this.
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

    /// Memory that lives as long as the row.
    pub fn memory(&self) -> &SessionMemory {
        &self.memory
    }
}

/// A row's values by column, as they are stored.
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

    pub fn get(&self, place: usize) -> Option<pg_sys::Datum> {
        match self.nulls.get(place) {
            Some(false) => self.values.get(place).copied(),
            _ => None,
        }
    }
}
