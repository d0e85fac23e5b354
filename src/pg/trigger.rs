//! Calls of trigger functions, and the rows of row triggers.

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

/// The call of a trigger function by a trigger of any kind.
pub struct AnyTrigger<'a> {
    data: &'a pg_sys::TriggerData,
}

impl AnyTrigger<'_> {
    const HINT: &'static str = "CREATE EXTENSION makes the triggers that call it.";

    /// Returns the call. It raises an error if the function was not called by a trigger.
    ///
    /// # Safety
    /// `call` is the argument of the function that PostgreSQL has called, and that call lasts as long as the result.
    pub unsafe fn of(call: pg_sys::FunctionCallInfo, function: &str) -> Self {
        // SAFETY: by the caller's promise.
        unsafe { Self::or_hint(call, function, Self::HINT) }
    }

    /// As [`Self::of`], with the hint of the error.
    ///
    /// # Safety
    /// As for [`Self::of`].
    unsafe fn or_hint(call: pg_sys::FunctionCallInfo, function: &str, hint: &str) -> Self {
        // SAFETY: by the caller's promise; the context is null or a node.
        let context = unsafe { (*call).context };
        // SAFETY: as above.
        if context.is_null() || unsafe { (*context).type_ } != pg_sys::NodeTag::T_TriggerData {
            refuse(
                format!("function \"{function}\" was not called by trigger manager"),
                hint,
            );
        }
        AnyTrigger {
            // SAFETY: the node's tag is that of TriggerData, and it lasts as long as the call.
            data: unsafe { &*context.cast::<pg_sys::TriggerData>() },
        }
    }

    /// Sends all sessions the invalidation message of the trigger's table when the transaction commits, as if the table were changed.
    pub fn invalidate_relation(&self) {
        // SAFETY: the relation of a trigger's call is open.
        unsafe { pg_sys::CacheInvalidateRelcache(self.data.tg_relation) };
    }
}

impl<'a> RowTrigger<'a> {
    const HINT: &'static str = "zentry_attach makes the triggers that call it.";

    /// Returns the call. It raises an error if the function was not called by such a trigger.
    ///
    /// # Safety
    /// As for [`AnyTrigger::of`].
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

    /// Returns the OID of the trigger.
    pub fn oid(&self) -> pg_sys::Oid {
        // SAFETY: tg_trigger points to the trigger that fires.
        unsafe { (*self.data.tg_trigger).tgoid }
    }

    /// Returns the arguments that CREATE TRIGGER gives the function.
    pub fn arguments(&self) -> Vec<String> {
        // SAFETY: tg_trigger points to the trigger that fires; tgargs are tgnargs C strings.
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
        // SAFETY: the relation is open as long as the call.
        TriggerRelation(unsafe { &*self.data.tg_relation })
    }

    /// Returns the row as it is now; of a DELETE, as it was.
    pub fn row(&self) -> Row<'a> {
        let tuple = match self.operation {
            Operation::Insert | Operation::Delete => self.data.tg_trigtuple,
            Operation::Update => self.data.tg_newtuple,
        };
        // SAFETY: in an AFTER ROW trigger, the tuple is set, of the relation, and lasts as long as the call (trigger.h).
        unsafe { Row::of(tuple, self.relation().0) }
    }

    /// Returns the row as it was before an UPDATE or a DELETE; None for an INSERT.
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

/// The table of a trigger's call.
#[derive(Clone, Copy)]
pub struct TriggerRelation<'a>(&'a pg_sys::RelationData);

impl TriggerRelation<'_> {
    pub fn oid(&self) -> pg_sys::Oid {
        self.0.rd_id
    }

    /// Whether it is a partition whose access method is heap.
    pub fn is_heap_partition(&self) -> bool {
        // SAFETY: rd_rel of an open relation points to its row of pg_class.
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
        // SAFETY: trigdesc is null or points to a description of `numtriggers` triggers, which stays while the relation is open; names are C strings.
        unsafe {
            let triggers = self.0.trigdesc.as_ref()?;
            (0..triggers.numtriggers as usize)
                .map(|place| &*triggers.triggers.add(place))
                .find(|trigger| CStr::from_ptr(trigger.tgname).to_bytes() == name.as_bytes())
        }
    }

    /// Returns the condition of a trigger, in the format of nodeToString; None: it has none.
    pub fn condition_of(&self, trigger: &str) -> Option<CString> {
        let condition = self.trigger(trigger)?.tgqual;
        // SAFETY: the pointer is null or to a C string of the relation cache, which is copied.
        (!condition.is_null()).then(|| unsafe { CStr::from_ptr(condition).to_owned() })
    }

    /// As [`Self::condition_of`], with virtual generated columns replaced by their expressions, as PostgreSQL evaluates it.
    pub fn computed_condition_of(&self, trigger: &str) -> Option<CString> {
        let condition = self.condition_of(trigger)?;
        // SAFETY: the condition is of a trigger of this relation, which is open.
        Some(unsafe { version::with_virtual_columns(&condition, &raw const *self.0) })
    }

    pub fn descriptor(&self) -> pg_sys::TupleDesc {
        self.0.rd_att
    }
}

fn name_of(name: &pg_sys::NameData) -> String {
    // SAFETY: a NameData ends with a zero byte.
    unsafe { CStr::from_ptr(name.data.as_ptr()) }
        .to_string_lossy()
        .into_owned()
}

/// Exports a Rust function that takes a trigger's call (`RowTrigger` or `AnyTrigger`) as a trigger function of LANGUAGE c, under the name
/// `$wrapper`; `$information` is that name after `pg_finfo_`.
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
            // SAFETY: PostgreSQL calls the function, and `trigger` does not outlive this call.
            let trigger = unsafe { $crate::pg::trigger::$call::of(call, stringify!($function)) };
            $function(&trigger);
            pgrx::pg_sys::Datum::null()
        }
    };
}
