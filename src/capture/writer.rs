//! Rows into our own tables without a plan: a kept executor state does what INSERT would do, and nothing is started or ended
//! for each row.
//!
//! It is for a table that is as we made it. Once a DBA has added something that needs the whole of INSERT (a trigger, a rule, a
//! policy, a check, a column with a default that is computed), there is no writer, and the caller's statement does it.

use std::ffi::CStr;

use pgrx::{PgMemoryContexts, pg_sys};

use super::watch::{WRITTEN, Watch};
use crate::relation::OpenRelation;
use crate::version;

/// Where a column's value comes from.
enum Fill {
    /// Index in the values of a row.
    Given(usize),
    Constant(Option<pg_sys::Datum>),
    Now,
    /// The next value of the identity's sequence.
    Next(*mut pg_sys::ExprState),
}

pub struct TableWriter {
    relation: pg_sys::Oid,
    indexes: Vec<pg_sys::Oid>,
    columns: Vec<Fill>,
    /// Index of the identity in `columns`.
    identity: usize,
    state: *mut pg_sys::EState,
    target: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    /// As of which it holds.
    changes: u64,
    /// All that the pointers point to; freed with it.
    _memory: PgMemoryContexts,
}

impl TableWriter {
    /// For rows of these columns, none of them null, with the types of their values. None: the table needs an INSERT statement
    /// of `role`, which may say why it may not be.
    pub fn prepare(
        table: &CStr,
        given: &[(&str, pg_sys::Oid)],
        role: pg_sys::Oid,
        changes: u64,
    ) -> Option<Self> {
        // SAFETY: catalogue look-ups; what does not exist gives an invalid OID.
        let oid = unsafe {
            let schema = pg_sys::get_namespace_oid(c"zentry_notify".as_ptr(), true);
            pg_sys::get_relname_relid(table.as_ptr(), schema)
        };
        WRITTEN.with(|watch| watch.add(oid));
        let relation = OpenRelation::open(oid, pg_sys::RowExclusiveLock)?;
        if !takes_plain_rows(&relation, role) {
            return None;
        }
        // SAFETY: the context before is put back.
        let mut memory = unsafe {
            PgMemoryContexts::TopMemoryContext.switch_to(|_| PgMemoryContexts::new("zentry_notify writer"))
        };
        // SAFETY: all is made of an open relation, in memory that lives as long as the writer.
        let make = |_: &mut PgMemoryContexts| unsafe {
            let state = pg_sys::CreateExecutorState();
            let columns = fills(&relation, given, state)?;
            let target = pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
            pg_sys::InitResultRelInfo(target, relation.as_ptr(), 0, std::ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(target, false);
            pg_sys::ExecCloseIndices(target);
            // A copy: a slot counts the references to a relation's own descriptor, and these end with the transaction.
            let descriptor = pg_sys::CreateTupleDescCopy(relation.descriptor());
            let slot = pg_sys::MakeSingleTupleTableSlot(descriptor, &raw const pg_sys::TTSOpsVirtual);
            Some((state, columns, target, slot))
        };
        // SAFETY: the context before is put back.
        let (state, columns, target, slot) = unsafe { memory.switch_to(make)? };
        let identity = columns.iter().position(|fill| matches!(fill, Fill::Next(_)))?;
        Some(TableWriter {
            relation: oid,
            indexes: relation.indexes(),
            columns,
            identity,
            state,
            target,
            slot,
            changes,
            _memory: memory,
        })
    }

    /// Returns the lowest identity that a row was given; of no row, the highest that there is. None: the table has changed, and
    /// nothing was written.
    pub fn write<const N: usize>(&self, rows: impl IntoIterator<Item = [pg_sys::Datum; N]>) -> Option<i64> {
        let open = |oid: &pg_sys::Oid| OpenRelation::open(*oid, pg_sys::RowExclusiveLock);
        let relation = open(&self.relation)?;
        let indexes = self.indexes.iter().map(open).collect::<Option<Vec<_>>>()?;
        // With the locks come the messages of what has changed.
        if WRITTEN.with(Watch::changes) != self.changes {
            return None;
        }
        let mut lowest = i64::MAX;
        // SAFETY: target, slot and state were made for this table and its indexes, which have not changed since; the target
        // points to relations that stay open until the last row is written. The identity is a bigint.
        unsafe {
            (*self.target).ri_RelationDesc = relation.as_ptr();
            for (i, index) in indexes.iter().enumerate() {
                *(*self.target).ri_IndexRelationDescs.add(i) = index.as_ptr();
            }
            for row in rows {
                self.fill(&row);
                lowest = lowest.min((*(*self.slot).tts_values.add(self.identity)).value() as i64);
                version::insert_row(self.target, self.state, self.slot);
                pg_sys::MemoryContextReset((*self.context()).ecxt_per_tuple_memory);
            }
        }
        Some(lowest)
    }

    /// Puts the row into the slot.
    unsafe fn fill(&self, row: &[pg_sys::Datum]) {
        // SAFETY: the slot has a place for each of the columns.
        unsafe {
            if let Some(clear) = (*(*self.slot).tts_ops).clear {
                clear(self.slot);
            }
            for (i, column) in self.columns.iter().enumerate() {
                let mut is_null = false;
                let value = match column {
                    Fill::Given(place) => row[*place],
                    Fill::Constant(value) => {
                        is_null = value.is_none();
                        value.unwrap_or(pg_sys::Datum::null())
                    }
                    Fill::Now => pg_sys::Datum::from(pg_sys::GetCurrentTransactionStartTimestamp()),
                    Fill::Next(next) => pg_sys::ExecEvalExpr(*next, self.context(), &mut is_null),
                };
                *(*self.slot).tts_values.add(i) = value;
                *(*self.slot).tts_isnull.add(i) = is_null;
            }
            pg_sys::ExecStoreVirtualTuple(self.slot);
        }
    }

    unsafe fn context(&self) -> *mut pg_sys::ExprContext {
        // SAFETY: made when first asked for.
        unsafe {
            match (*self.state).es_per_tuple_exprcontext {
                context if context.is_null() => pg_sys::MakePerTupleExprContext(self.state),
                context => context,
            }
        }
    }
}

/// Whether storing a row and its index entries is all that an INSERT of `role` would do.
fn takes_plain_rows(relation: &OpenRelation, role: pg_sys::Oid) -> bool {
    // SAFETY: the parts of an open relation, null when there are none; catalogue look-ups.
    let plain = unsafe {
        let constraints = (*relation.descriptor()).constr;
        let checks = !constraints.is_null() && (*constraints).num_check > 0;
        let class = relation.class();
        (*relation.as_ptr()).trigdesc.is_null()
            && !checks
            && pg_sys::pg_class_aclcheck(class.oid, role, pg_sys::ACL_INSERT as pg_sys::AclMode)
                == pg_sys::AclResult::ACLCHECK_OK
    };
    let plain_index = |oid: pg_sys::Oid| {
        // SAFETY: of an open index.
        OpenRelation::open(oid, pg_sys::RowExclusiveLock).is_some_and(|index| unsafe {
            index.class().relam == pg_sys::BTREE_AM_OID
                && pg_sys::RelationGetIndexExpressions(index.as_ptr()).is_null()
        })
    };
    plain && relation.is_plain_heap() && relation.indexes().into_iter().all(plain_index)
}

/// What each of the table's columns gets; None when one of them is not to be had so.
///
/// # Safety
/// The current memory context lives as long as `state`.
unsafe fn fills(
    relation: &OpenRelation,
    given: &[(&str, pg_sys::Oid)],
    state: *mut pg_sys::EState,
) -> Option<Vec<Fill>> {
    let columns = relation.columns();
    let fills: Option<Vec<Fill>> = columns
        .iter()
        .map(
            |column| match given.iter().position(|(name, _)| *name == column.name()) {
                _ if column.attisdropped => Some(Fill::Constant(None)),
                Some(place) => takes(column, given[place].1).then_some(Fill::Given(place)),
                // SAFETY: by the caller's promise.
                None => unsafe { default(relation, column, state) },
            },
        )
        .collect();
    let all_taken =
        |fills: &Vec<Fill>| fills.iter().filter(|fill| matches!(fill, Fill::Given(_))).count() == given.len();
    fills.filter(all_taken)
}

/// Whether a value of that type can be stored in the column as it is. Names of events are checked where they are registered.
fn takes(column: &pg_sys::FormData_pg_attribute, type_oid: pg_sys::Oid) -> bool {
    const EVENT_TYPE: i32 = 50 + 4; // varchar(50)
    let same = match (column.atttypid, type_oid) {
        (pg_sys::VARCHAROID, pg_sys::TEXTOID) => column.atttypmod < 0 || column.atttypmod >= EVENT_TYPE,
        (column, given) => column == given,
    };
    same && column.attgenerated == 0
}

/// # Safety
/// The current memory context lives as long as `state`.
unsafe fn default(
    relation: &OpenRelation,
    column: &pg_sys::FormData_pg_attribute,
    state: *mut pg_sys::EState,
) -> Option<Fill> {
    if column.attgenerated != 0 {
        return None;
    }
    // SAFETY: the column is the relation's; a node is read as what its tag says.
    unsafe {
        let node = pg_sys::build_column_default(relation.as_ptr(), i32::from(column.attnum));
        if node.is_null() {
            return (!column.attnotnull).then_some(Fill::Constant(None));
        }
        let node = pg_sys::expression_planner(node.cast());
        match (*node).type_ {
            pg_sys::NodeTag::T_Const => {
                let constant = &*node.cast::<pg_sys::Const>();
                let value = (!constant.constisnull).then_some(constant.constvalue);
                (value.is_some() || !column.attnotnull).then_some(Fill::Constant(value))
            }
            pg_sys::NodeTag::T_NextValueExpr => Some(Fill::Next(pg_sys::ExecPrepareExpr(node, state))),
            pg_sys::NodeTag::T_FuncExpr
                if (*node.cast::<pg_sys::FuncExpr>()).funcid.to_u32() == pg_sys::F_NOW =>
            {
                Some(Fill::Now)
            }
            _ => None,
        }
    }
}
