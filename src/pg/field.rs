//! Values for rows of our own tables, with their types.

use std::ffi::CStr;

use pgrx::pg_sys;

/// Bytes of a text or a json, in the database's encoding, with the header that PostgreSQL wants before them. It is kept and
/// filled again, so that a row costs no allocation.
#[derive(Clone, Debug)]
pub struct TextBuffer {
    bytes: Vec<u8>,
}

/// Of what PostgreSQL calls a varlena with a header of four bytes.
const HEADER: usize = 4;

/// A buffer that has grown beyond this is given back.
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

    /// Forgets all after the first `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.bytes.truncate(HEADER + length);
    }

    /// As a value, as long as nothing is added.
    pub fn finish(&mut self) -> Text<'_> {
        let length = i32::try_from(self.bytes.len()).unwrap_or(i32::MAX);
        // SAFETY: the buffer begins with the header's four bytes; allocations of its size are aligned for it.
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
    /// It is not looked at: it has to be json.
    Json(Text<'a>),
    /// JSON as text; what is none raises an error.
    Jsonb(&'a CStr),
}

impl Field<'_> {
    /// None: null is of any type.
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

    /// Whether it is a text of more bytes.
    pub(super) fn is_longer(&self, limit: usize) -> bool {
        matches!(self, Field::Text(text) if text.as_bytes().len() > limit)
    }

    /// Returns the value as PostgreSQL has it. It is valid as long as the field's text, and the current memory context.
    pub(super) fn datum(&self) -> Option<pg_sys::Datum> {
        Some(match self {
            Field::Null => return None,
            Field::Char(value) => pg_sys::Datum::from(*value as i8),
            Field::Int2(value) => pg_sys::Datum::from(*value),
            Field::Int8(value) | Field::Timestamptz(value) => pg_sys::Datum::from(*value),
            Field::Text(text) | Field::Json(text) => text.datum(),
            // SAFETY: the input function of jsonb takes a string that ends with a zero.
            Field::Jsonb(text) => unsafe {
                return pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(text.as_ptr().into())]);
            },
        })
    }
}
