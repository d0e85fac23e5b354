//! The rows of a write, as the trigger gets them.

use pgrx::PgTrigger;
use pgrx::prelude::*;

use super::source::Source;

/// The old and the new row of a write, as far as there are.
pub struct Rows {
    descriptor: pg_sys::TupleDesc,
    pub old: Option<pg_sys::HeapTuple>,
    pub new: Option<pg_sys::HeapTuple>,
}

impl Rows {
    pub fn of(trigger: &PgTrigger) -> Rows {
        let data = trigger.trigger_data();
        // SAFETY: the relation of a firing trigger is open; which tuple is which is the trigger protocol's.
        unsafe {
            let descriptor = (*data.tg_relation).rd_att;
            let operation = data.tg_event & pg_sys::TRIGGER_EVENT_OPMASK;
            let (old, new) = match operation {
                pg_sys::TRIGGER_EVENT_INSERT => (None, Some(data.tg_trigtuple)),
                pg_sys::TRIGGER_EVENT_DELETE => (Some(data.tg_trigtuple), None),
                _ => (Some(data.tg_trigtuple), Some(data.tg_newtuple)),
            };
            Rows { descriptor, old, new }
        }
    }

    /// Of the new row, or of the one that was deleted.
    pub fn values_of(&self, source: &Source) -> Option<Vec<Option<pg_sys::Datum>>> {
        self.new.or(self.old).map(|tuple| self.values(tuple, source))
    }

    pub fn values(&self, tuple: pg_sys::HeapTuple, source: &Source) -> Vec<Option<pg_sys::Datum>> {
        source
            .columns
            .iter()
            .map(|column| {
                let tuple = if column.old { self.old? } else { tuple };
                self.value(tuple, column.attribute)
            })
            .collect()
    }

    pub fn value(&self, tuple: pg_sys::HeapTuple, attribute: i32) -> Option<pg_sys::Datum> {
        let mut is_null = false;
        // SAFETY: the tuple belongs to the descriptor, and the attribute was found in it.
        let value = unsafe { pg_sys::SPI_getbinval(tuple, self.descriptor, attribute, &mut is_null) };
        (!is_null).then_some(value)
    }
}
