//! A column of a written row: its value as JSON, as an integer, and compared with a constant.

use pgrx::pg_sys;

use super::equality::Equality;
use super::field::TextBuffer;
use super::memory::SessionMemory;
use super::output::{MAX_VALUE, Output, Written};
use super::subtransaction;
use super::trigger::{Attribute, RowValues};

/// Size in bytes of a varlena's header, which `toast_raw_datum_size` counts.
const HEADER: usize = 4;

/// A column of one table, with the functions of its type looked up.
pub struct Column {
    relation: pg_sys::Oid,
    attribute: Attribute,
    output: Output,
}

/// A value as it is stored.
enum Stored {
    Null,
    /// A plain value, with its size in bytes; 0 for a type of fixed length.
    Whole(pg_sys::Datum, usize),
    /// A value that is compressed or stored out of line (TOAST), with its uncompressed size in bytes.
    Packed(pg_sys::Datum, usize),
}

impl Column {
    /// Prepares a column. It is valid as long as `memory`.
    pub fn of(relation: pg_sys::Oid, attribute: Attribute, memory: &SessionMemory) -> Self {
        Column {
            relation,
            attribute,
            output: Output::of(attribute.type_oid, memory),
        }
    }

    /// Whether its values are moments: of type timestamptz, or a domain over it.
    pub fn is_moment(&self) -> bool {
        self.output.is_moment()
    }

    /// Has moments written with their fractions of a second, and not in whole seconds.
    pub fn exact(self) -> Self {
        Column {
            output: self.output.exact(),
            ..self
        }
    }

    /// Writes the value as JSON; null if it cannot be read, or if the row is of another table. It raises no error but an interrupt.
    pub fn write(&self, values: &RowValues, out: &mut TextBuffer) -> Written {
        let mark = out.len();
        match self.stored(values) {
            Stored::Null => {
                out.push(b"null");
                Written::Whole
            }
            Stored::Whole(value, size) if size <= MAX_VALUE && self.output.is_infallible_for(size) => {
                // SAFETY: the value is of the column's type, and plain.
                unsafe { self.output.write(value, out) }
            }
            Stored::Whole(_, size) | Stored::Packed(_, size)
                if size > MAX_VALUE && !self.output.is_text() =>
            {
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

    /// Whether the value equals the constant of `equality`. Null and what cannot be read do not.
    pub fn equals(&self, values: &RowValues, equality: &Equality) -> bool {
        match self.stored(values) {
            Stored::Null => false,
            Stored::Whole(value, _) => equality.holds(Some(value)),
            Stored::Packed(_, size) if size > MAX_VALUE => false,
            Stored::Packed(value, _) => {
                // SAFETY: only a varlena is packed.
                let compare = || equality.holds(Some(unsafe { unpack(value) }));
                subtransaction::attempt(compare).unwrap_or(false)
            }
        }
    }

    /// Returns the value of a column of type smallint, integer or bigint; None if it is null or of another type.
    pub fn integer(&self, values: &RowValues) -> Option<i64> {
        let Stored::Whole(value, _) = self.stored(values) else {
            return None;
        };
        // SAFETY: a catalogue look-up, which returns a type that is no domain as it is.
        match unsafe { pg_sys::getBaseType(self.attribute.type_oid) } {
            pg_sys::INT2OID => Some(i64::from(value.value() as i16)),
            pg_sys::INT4OID => Some(i64::from(value.value() as i32)),
            pg_sys::INT8OID => Some(value.value() as i64),
            _ => None,
        }
    }

    /// Whether the column is of a type that [`Column::integer`] reads.
    pub fn is_integer(&self) -> bool {
        // SAFETY: as in integer().
        let base = unsafe { pg_sys::getBaseType(self.attribute.type_oid) };
        matches!(base, pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID)
    }

    /// Writes a value of `size` bytes, of which a longer text is cut between two characters. Reading out-of-line data may raise an error, and so
    /// may the type's output function.
    fn write_unpacked(&self, value: pg_sys::Datum, size: usize, out: &mut TextBuffer) -> Written {
        if size <= MAX_VALUE {
            // SAFETY: the value is of the column's type; a varlena is unpacked first.
            return unsafe {
                let whole = if self.output.is_varlena {
                    unpack(value)
                } else {
                    value
                };
                self.output.write(whole, out)
            };
        }
        // SAFETY: the value is a text, since write() leaves out every other long value; the slices are allocated in the current memory context.
        unsafe {
            let slice = pg_sys::pg_detoast_datum_slice(value.cast_mut_ptr(), 0, MAX_VALUE as i32);
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
        // SAFETY: a varlena that is not null points to its header, which says how it is stored and how long it is.
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

/// Returns the value decompressed and fetched from out-of-line storage.
///
/// # Safety
/// `value` is a varlena.
unsafe fn unpack(value: pg_sys::Datum) -> pg_sys::Datum {
    // SAFETY: by the caller's promise; the result is `value` itself or allocated in the current memory context.
    unsafe { pg_sys::Datum::from(pg_sys::pg_detoast_datum(value.cast_mut_ptr())) }
}
