//! What has been looked up for the rows of a statement: many of them have the same project or the same person.

use std::collections::HashMap;

use pgrx::{PgMemoryContexts, pg_sys};

/// With some hundred bytes each; when there are more, it begins anew.
const LIMIT: usize = 1_000;

pub type Values = Vec<Option<pg_sys::Datum>>;

/// A point between the commands of a transaction. Whoever executes another command moves it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Moment {
    transaction: pg_sys::TransactionId,
    subtransaction: pg_sys::SubTransactionId,
    command: pg_sys::CommandId,
}

impl Moment {
    fn now() -> Self {
        // SAFETY: plain reads of this process's transaction state.
        unsafe {
            Moment {
                transaction: pg_sys::GetTopTransactionIdIfAny(),
                subtransaction: pg_sys::GetCurrentSubTransactionId(),
                command: pg_sys::GetCurrentCommandId(false),
            }
        }
    }
}

/// A column's type, as far as copying its values needs it.
#[derive(Clone, Copy)]
pub struct Shape {
    pub by_value: bool,
    /// In bytes; negative: it varies.
    pub length: i16,
}

impl Shape {
    /// A copy of the value in the current memory context, detoasted.
    ///
    /// # Safety
    /// The value is of a column's type that has this shape.
    unsafe fn copy(self, value: pg_sys::Datum) -> pg_sys::Datum {
        if self.by_value {
            return value;
        }
        // SAFETY: by the caller's promise it points to a varlena or to so many bytes.
        unsafe {
            match usize::try_from(self.length) {
                Ok(length) => {
                    let copy = pg_sys::palloc(length);
                    std::ptr::copy_nonoverlapping(value.cast_mut_ptr(), copy, length);
                    copy.into()
                }
                Err(_) => pg_sys::pg_detoast_datum_copy(value.cast_mut_ptr()).into(),
            }
        }
    }
}

/// Values by read and key (one that is passed by value), from the second row of a statement on: most have one.
pub struct Memo {
    last: Option<Moment>,
    /// Nothing but our own trigger has run since the row before.
    goes_on: bool,
    found: HashMap<(usize, usize), Values>,
    /// What the values point to.
    memory: PgMemoryContexts,
}

impl Memo {
    pub fn new() -> Self {
        // SAFETY: the context before is put back.
        let memory = unsafe {
            PgMemoryContexts::TopMemoryContext.switch_to(|_| PgMemoryContexts::new("zentry_notify look-ups"))
        };
        Memo {
            last: None,
            goes_on: false,
            found: HashMap::new(),
            memory,
        }
    }

    /// Before a row's look-ups.
    pub fn begin(&mut self) {
        self.goes_on = self.last == Some(Moment::now());
        if !self.found.is_empty() && (!self.goes_on || self.found.len() >= LIMIT) {
            self.found.clear();
            // SAFETY: what pointed to it is gone; what a row before was given is used up with its trigger's call.
            unsafe { self.memory.reset() };
        }
    }

    /// After a row's look-ups.
    pub fn end(&mut self) {
        self.last = Some(Moment::now());
    }

    pub fn get(&self, read: usize, key: pg_sys::Datum) -> Option<Values> {
        self.found.get(&(read, key.value())).cloned()
    }

    /// Keeps a copy of what the read has found by the key.
    pub fn keep(
        &mut self,
        read: usize,
        key: pg_sys::Datum,
        values: &Values,
        shapes: impl Iterator<Item = Shape>,
    ) {
        if !self.goes_on {
            return;
        }
        let copy = |(value, shape): (&Option<pg_sys::Datum>, Shape)| {
            // SAFETY: the value is of a type of that shape.
            value.map(|value| unsafe { shape.copy(value) })
        };
        // SAFETY: the context before is put back.
        let copies = unsafe {
            self.memory
                .switch_to(|_| values.iter().zip(shapes).map(copy).collect())
        };
        self.found.insert((read, key.value()), copies);
    }
}
