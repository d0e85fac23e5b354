//! A column of a written row, as JSON and as what it is compared with.

use pgrx::pg_sys;

use super::equality::Equality;
use super::field::TextBuffer;
use super::memory::SessionMemory;
use super::output::{LONGEST, Output, Written};
use super::subtransaction;
use super::trigger::{Attribute, RowValues};

/// Of a value whose length varies.
const HEADER: usize = 4;

/// A column of one table, prepared for its values.
pub struct Column {
    relation: pg_sys::Oid,
    attribute: Attribute,
    output: Output,
}

/// A value as it is stored.
enum Stored {
    Null,
    /// In memory as a whole; its size, if that varies.
    Whole(pg_sys::Datum, usize),
    /// Compressed, or stored elsewhere; its size when it is unpacked.
    Packed(pg_sys::Datum, usize),
}

impl Column {
    /// It lasts as long as the memory.
    pub fn of(relation: pg_sys::Oid, attribute: Attribute, memory: &SessionMemory) -> Self {
        Column {
            relation,
            attribute,
            output: Output::of(attribute.type_oid, memory),
        }
    }

    /// Writes the value as JSON: null if it cannot be read. Values of another table are null.
    pub fn write(&self, values: &RowValues, out: &mut TextBuffer) -> Written {
        let mark = out.len();
        match self.stored(values) {
            Stored::Null => {
                out.push(b"null");
                Written::Whole
            }
            Stored::Whole(value, size) if size <= LONGEST && self.output.is_certain_of(size) => {
                // SAFETY: the value is of the column's type, and whole.
                unsafe { self.output.write(value, out) }
            }
            Stored::Whole(_, size) | Stored::Packed(_, size) if size > LONGEST && !self.output.is_text() => {
                out.push(b"null");
                Written::Cut
            }
            Stored::Whole(value, size) | Stored::Packed(value, size) => {
                let written = subtransaction::attempt(|| self.write_unpacked(value, size, out));
                written.unwrap_or_else(|_| {
                    out.truncate(mark);
                    out.push(b"null");
                    Written::Cut
                })
            }
        }
    }

    /// Whether the value is what the column has to be. What cannot be read is not.
    pub fn equals(&self, values: &RowValues, equality: &Equality) -> bool {
        match self.stored(values) {
            Stored::Null => false,
            Stored::Whole(value, _) => equality.holds(Some(value)),
            Stored::Packed(_, size) if size > LONGEST => false,
            Stored::Packed(value, _) => {
                // SAFETY: a value of variable length.
                let compare = || equality.holds(Some(unsafe { unpack(value) }));
                subtransaction::attempt(compare).unwrap_or(false)
            }
        }
    }

    /// The value, if it is a number without a fraction.
    pub fn integer(&self, values: &RowValues) -> Option<i64> {
        let Stored::Whole(value, _) = self.stored(values) else {
            return None;
        };
        // SAFETY: a look into the catalogue.
        match unsafe { pg_sys::getBaseType(self.attribute.type_oid) } {
            pg_sys::INT2OID => Some(i64::from(value.value() as i16)),
            pg_sys::INT4OID => Some(i64::from(value.value() as i32)),
            pg_sys::INT8OID => Some(value.value() as i64),
            _ => None,
        }
    }

    /// Whether [`Column::integer`] gives its values.
    pub fn is_integer(&self) -> bool {
        // SAFETY: as above.
        let base = unsafe { pg_sys::getBaseType(self.attribute.type_oid) };
        matches!(base, pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID)
    }

    /// Reading what is stored elsewhere may fail, and so may the type's own code.
    fn write_unpacked(&self, value: pg_sys::Datum, size: usize, out: &mut TextBuffer) -> Written {
        if size <= LONGEST {
            // SAFETY: the value is of the column's type; one whose length varies is made whole.
            return unsafe {
                let whole = if self.output.is_varlena {
                    unpack(value)
                } else {
                    value
                };
                self.output.write(whole, out)
            };
        }
        // SAFETY: a text, of which no more than the beginning is read; it ends between two characters.
        unsafe {
            let slice = pg_sys::pg_detoast_datum_slice(value.cast_mut_ptr(), 0, LONGEST as i32);
            let length = pgrx::varsize_any_exhdr(slice) as i32;
            let fits = pg_sys::pg_mbcliplen(pgrx::vardata_any(slice), length, length);
            let clipped = pg_sys::pg_detoast_datum_slice(slice, 0, fits);
            self.output.write(pg_sys::Datum::from(clipped), out);
        }
        Written::Cut
    }

    fn stored(&self, values: &RowValues) -> Stored {
        if values.relation() != self.relation {
            return Stored::Null;
        }
        let Some(value) = values.get(self.attribute.place) else {
            return Stored::Null;
        };
        if !self.output.is_varlena {
            return Stored::Whole(value, 0);
        }
        // SAFETY: a value of variable length begins with its header, which says where and how long it is.
        unsafe {
            let header = value.cast_mut_ptr::<pg_sys::varlena>();
            if pgrx::varatt_is_1b_e(header) || pgrx::varatt_is_4b_c(header) {
                let size = pg_sys::toast_raw_datum_size(value);
                Stored::Packed(value, size.saturating_sub(HEADER))
            } else {
                Stored::Whole(value, pgrx::varsize_any_exhdr(header))
            }
        }
    }
}

/// # Safety
/// A value of variable length.
unsafe fn unpack(value: pg_sys::Datum) -> pg_sys::Datum {
    // SAFETY: by the caller's promise; the result is in the current memory context.
    unsafe { pg_sys::Datum::from(pg_sys::pg_detoast_datum(value.cast_mut_ptr())) }
}
