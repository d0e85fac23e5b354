//! The call of a row trigger, with its rows.

mod attribute;
mod row;

use std::ffi::{CStr, CString};

use pgrx::prelude::*;

use super::version;
use crate::report;
pub use attribute::Attribute;
use attribute::attribute_of;
pub use row::{Command, Identity, KeptRow, Row, RowValues};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Insert,
    Update,
    Delete,
}

/// The call of an AFTER ... FOR EACH ROW trigger.
pub struct RowTrigger<'a> {
    data: &'a pg_sys::TriggerData,
    pub operation: Operation,
}

fn refuse(message: String, hint: &str) -> ! {
    report::error(
        PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
        message,
        "",
        hint,
    )
}

/// The call of a trigger of any kind.
pub struct AnyTrigger<'a> {
    data: &'a pg_sys::TriggerData,
}

impl AnyTrigger<'_> {
    const HINT: &'static str = "CREATE EXTENSION makes the triggers that call it.";

    /// An error unless the function was called by a trigger.
    ///
    /// # Safety
    /// `call` is what PostgreSQL has called the function with, and the call lasts as long as the result.
    pub unsafe fn of(call: pg_sys::FunctionCallInfo, function: &str) -> Self {
        // SAFETY: by the caller's promise.
        unsafe { Self::or_hint(call, function, Self::HINT) }
    }

    /// # Safety
    /// As [`Self::of`].
    unsafe fn or_hint(call: pg_sys::FunctionCallInfo, function: &str, hint: &str) -> Self {
        // SAFETY: by the caller's promise; a node's tag says what it is.
        let context = unsafe { (*call).context };
        // SAFETY: as above.
        if context.is_null() || unsafe { (*context).type_ } != pg_sys::NodeTag::T_TriggerData {
            refuse(
                format!("function \"{function}\" was not called by trigger manager"),
                hint,
            );
        }
        AnyTrigger {
            // SAFETY: it is tagged as that.
            data: unsafe { &*context.cast::<pg_sys::TriggerData>() },
        }
    }

    /// Every session takes note that the table has changed, when the transaction commits.
    pub fn invalidate_relation(&self) {
        // SAFETY: a trigger fires on an open relation.
        unsafe { pg_sys::CacheInvalidateRelcache(self.data.tg_relation) };
    }
}

impl<'a> RowTrigger<'a> {
    const HINT: &'static str = "zentry_attach makes the triggers that call it.";

    /// An error unless the function was called by such a trigger: there would be no rows.
    ///
    /// # Safety
    /// `call` is what PostgreSQL has called the function with, and the call lasts as long as the result.
    pub unsafe fn of(call: pg_sys::FunctionCallInfo, function: &str) -> Self {
        // SAFETY: by the caller's promise.
        let data = unsafe { AnyTrigger::or_hint(call, function, Self::HINT) }.data;
        let after = data.tg_event & pg_sys::TRIGGER_EVENT_TIMINGMASK == pg_sys::TRIGGER_EVENT_AFTER;
        let row = data.tg_event & pg_sys::TRIGGER_EVENT_ROW != 0;
        let operation = match data.tg_event & pg_sys::TRIGGER_EVENT_OPMASK {
            pg_sys::TRIGGER_EVENT_INSERT => Some(Operation::Insert),
            pg_sys::TRIGGER_EVENT_UPDATE => Some(Operation::Update),
            pg_sys::TRIGGER_EVENT_DELETE => Some(Operation::Delete),
            _ => None,
        };
        match operation {
            Some(operation) if after && row => RowTrigger { data, operation },
            _ => refuse(
                format!("function \"{function}\" must be fired AFTER ROW"),
                Self::HINT,
            ),
        }
    }

    /// The trigger's own.
    pub fn oid(&self) -> pg_sys::Oid {
        // SAFETY: the trigger that fires.
        unsafe { (*self.data.tg_trigger).tgoid }
    }

    /// What CREATE TRIGGER has in the function's parentheses.
    pub fn arguments(&self) -> Vec<String> {
        // SAFETY: as many C strings as it says.
        unsafe {
            let trigger = &*self.data.tg_trigger;
            (0..usize::try_from(trigger.tgnargs).unwrap_or(0))
                .map(|i| {
                    CStr::from_ptr(*trigger.tgargs.add(i))
                        .to_string_lossy()
                        .into_owned()
                })
                .collect()
        }
    }

    pub fn relation(&self) -> TriggerRelation<'a> {
        // SAFETY: the relation is open as long as the trigger's call.
        TriggerRelation(unsafe { &*self.data.tg_relation })
    }

    /// The row as it is now, or as it was when it was deleted.
    pub fn row(&self) -> Row<'a> {
        let tuple = match self.operation {
            Operation::Insert | Operation::Delete => self.data.tg_trigtuple,
            Operation::Update => self.data.tg_newtuple,
        };
        // SAFETY: which tuple is which is the trigger protocol's.
        unsafe { Row::of(tuple, self.relation().0) }
    }

    /// The row as it was before an UPDATE or a DELETE.
    pub fn old_row(&self) -> Option<Row<'a>> {
        match self.operation {
            Operation::Insert => None,
            Operation::Update | Operation::Delete => {
                // SAFETY: as in row().
                Some(unsafe { Row::of(self.data.tg_trigtuple, self.relation().0) })
            }
        }
    }
}

/// The table that was written.
#[derive(Clone, Copy)]
pub struct TriggerRelation<'a>(&'a pg_sys::RelationData);

impl TriggerRelation<'_> {
    pub fn oid(&self) -> pg_sys::Oid {
        self.0.rd_id
    }

    /// Whether it is a partition whose rows are PostgreSQL's own.
    pub fn is_heap_partition(&self) -> bool {
        // SAFETY: an open relation has its catalogue row.
        let class = unsafe { &*self.0.rd_rel };
        class.relispartition && class.relam == pg_sys::HEAP_TABLE_AM_OID
    }

    pub fn name(&self) -> String {
        // SAFETY: as above.
        unsafe { name_of(&(*self.0.rd_rel).relname) }
    }

    pub fn attribute(&self, name: &str) -> Option<Attribute> {
        attribute_of(self.0.rd_att, name)
    }

    pub fn has_trigger(&self, name: &str) -> bool {
        self.trigger(name).is_some()
    }

    fn trigger(&self, name: &str) -> Option<&pg_sys::Trigger> {
        // SAFETY: null when there are none, else as many as it says.
        unsafe {
            let triggers = self.0.trigdesc.as_ref()?;
            (0..triggers.numtriggers as usize)
                .map(|place| &*triggers.triggers.add(place))
                .find(|trigger| CStr::from_ptr(trigger.tgname).to_bytes() == name.as_bytes())
        }
    }

    /// Returns what a trigger asks, as nodeToString writes it. None: nothing.
    pub fn condition_of(&self, trigger: &str) -> Option<CString> {
        let condition = self.trigger(trigger)?.tgqual;
        // SAFETY: null, or a text of the relation cache, which is copied.
        (!condition.is_null()).then(|| unsafe { CStr::from_ptr(condition).to_owned() })
    }

    /// The same, with the expressions of virtual generated columns in their place, as PostgreSQL evaluates it.
    pub fn computed_condition_of(&self, trigger: &str) -> Option<CString> {
        let condition = self.condition_of(trigger)?;
        // SAFETY: a condition of a trigger of this relation, which is open.
        Some(unsafe { version::with_virtual_columns(&condition, &raw const *self.0) })
    }

    pub fn descriptor(&self) -> pg_sys::TupleDesc {
        self.0.rd_att
    }
}

fn name_of(name: &pg_sys::NameData) -> String {
    // SAFETY: a name ends with a NUL.
    unsafe { CStr::from_ptr(name.data.as_ptr()) }
        .to_string_lossy()
        .into_owned()
}

/// Makes a function of Rust, which takes a trigger's call (`RowTrigger`, `AnyTrigger`), one that CREATE FUNCTION ... LANGUAGE c finds by the first name.
#[macro_export]
macro_rules! pg_trigger_function {
    ($wrapper:ident, $information:ident, $function:ident, $call:ident) => {
        #[doc(hidden)]
        #[allow(unsafe_code)] // of this module, wherever the macro is used
        #[unsafe(no_mangle)]
        pub extern "C" fn $information() -> &'static pgrx::pg_sys::Pg_finfo_record {
            const VERSION_1: pgrx::pg_sys::Pg_finfo_record = pgrx::pg_sys::Pg_finfo_record { api_version: 1 };
            &VERSION_1
        }

        #[doc(hidden)]
        #[allow(unsafe_code)] // of this module, wherever the macro is used
        #[unsafe(no_mangle)]
        #[pgrx::pg_guard]
        pub unsafe extern "C-unwind" fn $wrapper(
            call: pgrx::pg_sys::FunctionCallInfo,
        ) -> pgrx::pg_sys::Datum {
            // SAFETY: PostgreSQL calls the function so.
            let trigger = unsafe { $crate::pg::trigger::$call::of(call, stringify!($function)) };
            $function(&trigger);
            pgrx::pg_sys::Datum::null()
        }
    };
}
