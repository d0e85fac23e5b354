//! Evaluates the condition of an UPDATE trigger for a row that an UPDATE has moved to another partition, for which PostgreSQL fires no UPDATE
//! trigger. As for a trigger, the condition runs as the role that writes, from the tree that PostgreSQL stores.

use std::ffi::{CStr, CString};

use pgrx::{PgTupleDesc, pg_sys};

use super::memory::SessionMemory;
use super::subtransaction;
use super::trigger::{Row, RowValues, TriggerRelation};

/// The condition of a trigger of one table.
pub struct MovedWhen {
    /// In the format of nodeToString; None: it always holds.
    condition: Option<CString>,
    descriptor: pg_sys::TupleDesc,
    /// Holds the descriptor.
    _memory: SessionMemory,
}

impl MovedWhen {
    pub fn of(relation: TriggerRelation, trigger: &str) -> Self {
        let memory = SessionMemory::new(c"zentry_notify condition");
        let condition = relation
            .is_heap_partition()
            .then(|| relation.computed_condition_of(trigger))
            .flatten();
        MovedWhen {
            condition,
            // SAFETY: the relation is open; the copy is allocated in `memory`.
            descriptor: memory.within(|| unsafe { pg_sys::CreateTupleDescCopy(relation.descriptor()) }),
            _memory: memory,
        }
    }

    /// Whether the condition holds of `old`, the row in the other partition, and `new`, the row in this one. An error counts as false.
    pub fn holds(&self, old: &Row, new: &RowValues) -> bool {
        let Some(condition) = &self.condition else {
            return true;
        };
        subtransaction::attempt(|| self.evaluate(condition, old, new)).unwrap_or(false)
    }

    fn evaluate(&self, condition: &CStr, old: &Row, new: &RowValues) -> bool {
        let was = old.read();
        // SAFETY: the condition is over OLD and NEW of the table that the descriptor is of, and both slots have that descriptor. All is allocated in
        // the state's context, which FreeExecutorState deletes, or the abort of the subtransaction.
        unsafe {
            let state = pg_sys::CreateExecutorState();
            let before = pg_sys::MemoryContextSwitchTo((*state).es_query_cxt);
            let tree = pg_sys::stringToNode(condition.as_ptr()).cast::<pg_sys::Node>();
            pg_sys::ChangeVarNodes(tree, pg_sys::PRS2_OLD_VARNO as i32, pg_sys::INNER_VAR, 0);
            pg_sys::ChangeVarNodes(tree, pg_sys::PRS2_NEW_VARNO as i32, pg_sys::OUTER_VAR, 0);
            let qual = pg_sys::ExecPrepareQual(pg_sys::make_ands_implicit(tree.cast()), state);
            let context = pg_sys::MakePerTupleExprContext(state);
            (*context).ecxt_innertuple = self.slot(|_, name| {
                let there = old.attribute(name).map(|attribute| attribute.place);
                there.and_then(|there| was.get(there))
            });
            (*context).ecxt_outertuple = self.slot(|place, _| new.get(place));
            let mut is_null = false;
            let holds = match qual.as_ref().and_then(|qual| qual.evalfunc) {
                Some(evaluate) => evaluate(qual, context, &mut is_null).value() != 0 && !is_null,
                None => true,
            };
            pg_sys::MemoryContextSwitchTo(before);
            pg_sys::FreeExecutorState(state);
            holds
        }
    }

    /// Returns a virtual tuple of the table; `value` returns the value of a column by its index and name.
    ///
    /// # Safety
    /// The values are of the columns' types, and live as long as the slot, which is allocated in the current memory context.
    unsafe fn slot(
        &self,
        value: impl Fn(usize, &str) -> Option<pg_sys::Datum>,
    ) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: by the caller's promise; a slot has room for each column of its descriptor.
        unsafe {
            let slot = pg_sys::MakeSingleTupleTableSlot(self.descriptor, &raw const pg_sys::TTSOpsVirtual);
            for (place, column) in PgTupleDesc::from_pg_unchecked(self.descriptor).iter().enumerate() {
                let value = (!column.attisdropped)
                    .then(|| value(place, column.name()))
                    .flatten();
                *(*slot).tts_values.add(place) = value.unwrap_or(pg_sys::Datum::null());
                *(*slot).tts_isnull.add(place) = value.is_none();
            }
            pg_sys::ExecStoreVirtualTuple(slot)
        }
    }
}
