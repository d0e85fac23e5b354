//! Values for rows of the extension's own tables, with their types.

use std::ffi::CStr;

use pgrx::pg_sys;

/// Bytes of a text or a json in the database's encoding, after room for a varlena header. A buffer is reused, so that a row costs no
/// allocation.
#[derive(Clone, Debug)]
pub struct TextBuffer {
    bytes: Vec<u8>,
}

/// Size in bytes of the header of an uncompressed varlena.
const HEADER: usize = 4;

/// Maximum capacity in bytes that [`TextBuffer::clear`] keeps.
const KEPT: usize = 1 << 20;

impl TextBuffer {
    pub fn new() -> Self {
        TextBuffer {
            bytes: vec![0; HEADER],
        }
    }

    pub fn of(text: impl AsRef<[u8]>) -> Self {
        let mut buffer = Self::new();
        buffer.push(text.as_ref());
        buffer
    }

    pub fn clear(&mut self) {
        self.bytes.truncate(HEADER);
        self.bytes.shrink_to(KEPT);
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub fn push_byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[HEADER..]
    }

    pub fn len(&self) -> usize {
        self.bytes.len() - HEADER
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes all but the first `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.bytes.truncate(HEADER + length);
    }

    /// Writes the header, and returns the value.
    pub fn finish(&mut self) -> Text<'_> {
        let length = i32::try_from(self.bytes.len()).unwrap_or(i32::MAX);
        // SAFETY: the buffer begins with room for the header. malloc aligns every allocation for the header's 32-bit integer.
        unsafe { pgrx::set_varsize_4b(self.bytes.as_mut_ptr().cast(), length) };
        Text(&self.bytes)
    }
}

impl std::io::Write for TextBuffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A text that is made once and written often.
#[derive(Debug)]
pub struct KeptText(TextBuffer);

impl KeptText {
    pub fn of(text: impl AsRef<[u8]>) -> Self {
        let mut buffer = TextBuffer::of(text);
        buffer.finish();
        KeptText(buffer)
    }

    pub fn as_text(&self) -> Text<'_> {
        Text(&self.0.bytes)
    }
}

/// A jsonb that is made once and written often.
#[derive(Debug)]
pub struct KeptJsonb(Vec<u8>);

impl KeptJsonb {
    /// Makes it of JSON as text; what is none raises an error. What that takes of the current memory context stays there.
    pub fn of(text: &CStr) -> Self {
        // SAFETY: the input function of jsonb takes a string that ends with a zero, and returns a value that is whole: its size is in its header.
        let bytes = unsafe {
            let value = pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(text.as_ptr().into())]);
            let Some(value) = value else {
                // It raises an error for what is no JSON, and returns null for nothing.
                pgrx::error!("zentry_notify: jsonb_in returned null")
            };
            let value: *const pg_sys::varlena = value.cast_mut_ptr();
            std::slice::from_raw_parts(value.cast::<u8>(), pgrx::varsize_any(value))
        };
        KeptJsonb(bytes.to_vec())
    }
}

/// A finished [`TextBuffer`].
#[derive(Clone, Copy, Debug)]
pub struct Text<'a>(&'a [u8]);

impl Text<'_> {
    pub fn as_bytes(&self) -> &[u8] {
        &self.0[HEADER..]
    }

    fn datum(&self) -> pg_sys::Datum {
        pg_sys::Datum::from(self.0.as_ptr())
    }
}

/// A value of a column.
#[derive(Clone, Copy, Debug)]
pub enum Field<'a> {
    Null,
    Char(u8),
    Int2(i16),
    Int8(i64),
    /// Microseconds since 2000.
    Timestamptz(i64),
    Text(Text<'a>),
    /// It has to be valid JSON: it is stored without a check.
    Json(Text<'a>),
    Jsonb(&'a KeptJsonb),
}

impl Field<'_> {
    /// Returns the type of the value; None: null is of every type.
    pub fn type_oid(&self) -> Option<pg_sys::Oid> {
        Some(match self {
            Field::Null => return None,
            Field::Char(_) => pg_sys::CHAROID,
            Field::Int2(_) => pg_sys::INT2OID,
            Field::Int8(_) => pg_sys::INT8OID,
            Field::Timestamptz(_) => pg_sys::TIMESTAMPTZOID,
            Field::Text(_) => pg_sys::TEXTOID,
            Field::Json(_) => pg_sys::JSONOID,
            Field::Jsonb(_) => pg_sys::JSONBOID,
        })
    }

    /// Whether it is a text of more than `limit` bytes.
    pub(super) fn is_longer(&self, limit: usize) -> bool {
        matches!(self, Field::Text(text) if text.as_bytes().len() > limit)
    }

    /// Returns the value as a datum, which is valid as long as the field's text or jsonb; None for null.
    pub(super) fn datum(&self) -> Option<pg_sys::Datum> {
        Some(match self {
            Field::Null => return None,
            Field::Char(value) => pg_sys::Datum::from(*value as i8),
            Field::Int2(value) => pg_sys::Datum::from(*value),
            Field::Int8(value) | Field::Timestamptz(value) => pg_sys::Datum::from(*value),
            Field::Text(text) | Field::Json(text) => text.datum(),
            Field::Jsonb(value) => pg_sys::Datum::from(value.0.as_ptr()),
        })
    }
}
