//! Writing the values of a type as JSON.

use std::ffi::CStr;
use std::io::Write;

use pgrx::pg_sys;

use super::field::TextBuffer;
use super::memory::SessionMemory;
use super::pinned::{Dependence, Pinned};
use super::{iso, json};

/// Maximum size of a value in bytes. A longer text is cut; a longer value of another type is written as null.
pub const MAX_VALUE: usize = 65_536;

/// Maximum length in bytes of what an output function makes of a value of at most [`MAX_VALUE`] bytes.
const MAX_OUTPUT: usize = 16 * MAX_VALUE;

/// Maximum size in bytes of a container (array, range, row) whose text certainly fits into memory.
const SAFE_CONTAINER: usize = 8_192;

#[derive(Clone, Copy, Debug)]
enum Kind {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Text,
    Timestamptz,
    ExactTimestamptz,
    Timestamp,
    Date,
    /// A number, unless it is `NaN` or infinite: JSON has no such number.
    Numeric,
    Jsonb,
    /// A string: the text of the type's output function.
    Other,
}

/// Writes values of one type.
pub struct Output {
    kind: Kind,
    /// The type's output function, in the memory that was given to [`Output::of`].
    function: *mut pg_sys::FmgrInfo,
    dependence: Dependence,
    /// Whether it runs only PostgreSQL's own code, which does not fail on an intact value.
    infallible: bool,
    container: bool,
    pub is_varlena: bool,
}

/// How much of a value was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Whole,
    /// The beginning of the value, or null in its place.
    Cut,
}

impl Output {
    /// Returns the output of a type; of a domain, that of its base type. It is valid as long as `memory`.
    pub fn of(type_oid: pg_sys::Oid, memory: &SessionMemory) -> Self {
        let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
        // SAFETY: catalogue look-ups, which raise an error for an unknown type. The FmgrInfo and what it points to are allocated in `memory`.
        let (base, function) = memory.within(|| unsafe {
            let base = pg_sys::getBaseType(type_oid);
            pg_sys::getTypeOutputInfo(base, &mut output, &mut is_varlena);
            let function = pg_sys::palloc0(size_of::<pg_sys::FmgrInfo>()).cast::<pg_sys::FmgrInfo>();
            pg_sys::fmgr_info_cxt(output, function, memory.as_ptr());
            (base, function)
        });
        let mut traits = TypeTraits::default();
        traits.add(base);
        Output {
            kind: kind(base, function),
            function,
            dependence: if traits.session_dependent {
                Dependence::All
            } else {
                Dependence::Styles
            },
            infallible: !traits.foreign,
            container: traits.container,
            is_varlena,
        }
    }

    /// Whether writing an intact value of moderate size cannot fail.
    pub fn is_infallible(&self) -> bool {
        self.infallible
    }

    pub fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Text)
    }

    pub fn is_moment(&self) -> bool {
        matches!(self.kind, Kind::Timestamptz)
    }

    /// Has moments written with their fractions of a second, and not in whole seconds.
    pub fn exact(self) -> Self {
        Output {
            kind: match self.kind {
                Kind::Timestamptz => Kind::ExactTimestamptz,
                kind => kind,
            },
            ..self
        }
    }

    /// Whether writing a value of `size` bytes, which is neither compressed nor stored out of line, cannot fail.
    pub fn is_infallible_for(&self, size: usize) -> bool {
        self.infallible && (!self.container || size <= SAFE_CONTAINER)
    }

    /// Writes the value as JSON; null if its text is too long or not in the database's encoding. The type's code may raise an error.
    ///
    /// # Safety
    /// `value` is of the type, and neither compressed nor stored out of line.
    pub unsafe fn write(&self, value: pg_sys::Datum, out: &mut TextBuffer) -> Written {
        let done = match self.kind {
            Kind::Bool => {
                out.push(if value.value() as u8 != 0 {
                    b"true"
                } else {
                    b"false"
                });
                Ok(())
            }
            Kind::Int2 => write!(out, "{}", value.value() as i16),
            Kind::Int4 => write!(out, "{}", value.value() as i32),
            Kind::Int8 => write!(out, "{}", value.value() as i64),
            Kind::Float4 => write_float(out, f32::from_bits(value.value() as u32)),
            Kind::Float8 => write_float(out, f64::from_bits(value.value() as u64)),
            Kind::Timestamptz => quoted(out, |out| iso::write_moment(out, value.value() as i64)),
            Kind::ExactTimestamptz => {
                quoted(out, |out| iso::write_timestamp(out, value.value() as i64, b"Z"))
            }
            Kind::Timestamp => quoted(out, |out| iso::write_timestamp(out, value.value() as i64, b"")),
            Kind::Date => quoted(out, |out| iso::write_date(out, value.value() as i32)),
            Kind::Text => {
                // SAFETY: by the caller's promise, `value` points to a varlena whose bytes are those of the text.
                let text = unsafe {
                    let text = value.cast_mut_ptr::<pg_sys::varlena>();
                    std::slice::from_raw_parts(
                        pgrx::vardata_any(text).cast::<u8>(),
                        pgrx::varsize_any_exhdr(text),
                    )
                };
                json::write_string(out, text);
                Ok(())
            }
            Kind::Numeric | Kind::Jsonb | Kind::Other => {
                let _pinned = Pinned::enter(self.dependence);
                // SAFETY: by the caller's promise; `function` is the type's output function, which returns a C string in the current memory
                // context.
                let text =
                    unsafe { CStr::from_ptr(pg_sys::OutputFunctionCall(self.function, value)) }.to_bytes();
                if text.len() > MAX_OUTPUT || !is_encoded(text) {
                    out.push(b"null");
                    return Written::Cut;
                }
                match self.kind {
                    Kind::Jsonb => out.push(text),
                    Kind::Numeric if json::is_number(text) => out.push(text),
                    _ => json::write_string(out, text),
                }
                Ok(())
            }
        };
        match done {
            Ok(()) => Written::Whole,
            Err(_) => Written::Cut,
        }
    }
}

fn quoted(
    out: &mut TextBuffer,
    write: impl FnOnce(&mut TextBuffer) -> std::io::Result<()>,
) -> std::io::Result<()> {
    out.push_byte(b'"');
    write(out)?;
    out.push_byte(b'"');
    Ok(())
}

/// Writes the shortest digits that read back as the same value; `NaN` and infinity as strings.
fn write_float<T: Into<f64> + Copy + std::fmt::Display + std::fmt::LowerExp>(
    out: &mut TextBuffer,
    value: T,
) -> std::io::Result<()> {
    let wide: f64 = value.into();
    let size = wide.abs();
    if wide.is_nan() {
        out.push(b"\"NaN\"");
        Ok(())
    } else if wide.is_infinite() {
        out.push(if wide > 0.0 {
            b"\"Infinity\""
        } else {
            b"\"-Infinity\""
        });
        Ok(())
    } else if size != 0.0 && !(1e-5..1e16).contains(&size) {
        write!(out, "{value:e}")
    } else {
        write!(out, "{value}")
    }
}

/// Whether the text is valid in the database's encoding. An output function of an extension may return text that is not.
fn is_encoded(text: &[u8]) -> bool {
    // SAFETY: pg_verifymbstr reads the given number of bytes; with noError it returns false instead of raising an error.
    text.is_ascii() || unsafe { pg_sys::pg_verifymbstr(text.as_ptr().cast(), text.len() as i32, true) }
}

fn kind(base: pg_sys::Oid, function: *mut pg_sys::FmgrInfo) -> Kind {
    match base {
        pg_sys::BOOLOID => Kind::Bool,
        pg_sys::INT2OID => Kind::Int2,
        pg_sys::INT4OID => Kind::Int4,
        pg_sys::INT8OID => Kind::Int8,
        pg_sys::FLOAT4OID => Kind::Float4,
        pg_sys::FLOAT8OID => Kind::Float8,
        pg_sys::TIMESTAMPTZOID => Kind::Timestamptz,
        pg_sys::TIMESTAMPOID => Kind::Timestamp,
        pg_sys::DATEOID => Kind::Date,
        pg_sys::NUMERICOID => Kind::Numeric,
        pg_sys::JSONBOID => Kind::Jsonb,
        _ if writes_text(function) => Kind::Text,
        _ => Kind::Other,
    }
}

/// Whether the type's output function returns the value's bytes as they are: text, varchar, bpchar, and types of extensions that share
/// their functions, such as citext.
fn writes_text(function: *mut pg_sys::FmgrInfo) -> bool {
    [pg_sys::F_TEXTOUT, pg_sys::F_VARCHAROUT, pg_sys::F_BPCHAROUT]
        .into_iter()
        .any(|oid| {
            let mut known = pg_sys::FmgrInfo::default();
            // SAFETY: the OIDs are of built-in functions; `function` was filled by fmgr_info_cxt.
            unsafe {
                pg_sys::fmgr_info(pg_sys::Oid::from(oid), &mut known);
                match ((*function).fn_addr, known.fn_addr) {
                    (Some(given), Some(known)) => given as usize == known as usize,
                    _ => false,
                }
            }
        })
}

/// Properties of a type together with all types that its values contain.
#[derive(Default)]
struct TypeTraits {
    /// Whether an output function is not PostgreSQL's own code.
    foreign: bool,
    /// Whether the text depends on settings beyond the styles: see [`Dependence::All`].
    session_dependent: bool,
    container: bool,
    seen: Vec<pg_sys::Oid>,
}

impl TypeTraits {
    fn add(&mut self, type_oid: pg_sys::Oid) {
        // SAFETY: a catalogue look-up, which returns a type that is no domain as it is.
        let base = unsafe { pg_sys::getBaseType(type_oid) };
        if self.seen.contains(&base) {
            return;
        }
        self.seen.push(base);
        let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
        // SAFETY: a catalogue look-up, which raises an error for an unknown type.
        unsafe { pg_sys::getTypeOutputInfo(base, &mut output, &mut is_varlena) };
        self.foreign |= output.to_u32() >= pg_sys::FirstNormalObjectId && !is_internal(output);
        self.session_dependent |= base == pg_sys::MONEYOID || depends_on_search_path(base);
        for part in parts(base) {
            self.container = true;
            self.add(part);
        }
    }
}

/// Whether it is a reg type whose output qualifies a name that `search_path` does not find.
fn depends_on_search_path(base: pg_sys::Oid) -> bool {
    [
        pg_sys::REGPROCOID,
        pg_sys::REGPROCEDUREOID,
        pg_sys::REGOPEROID,
        pg_sys::REGOPERATOROID,
        pg_sys::REGCLASSOID,
        pg_sys::REGTYPEOID,
        pg_sys::REGCONFIGOID,
        pg_sys::REGDICTIONARYOID,
        pg_sys::REGCOLLATIONOID,
    ]
    .contains(&base)
}

/// Whether the function is of LANGUAGE internal: PostgreSQL's own code under another name.
fn is_internal(function: pg_sys::Oid) -> bool {
    // SAFETY: a catalogue look-up; the row is pinned until it is released, and not read afterwards.
    unsafe {
        let id = pg_sys::SysCacheIdentifier::PROCOID;
        let tuple = pg_sys::SearchSysCache1(id as _, pg_sys::Datum::from(function));
        if tuple.is_null() {
            return false;
        }
        let language = (*pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_proc>(tuple)).prolang;
        pg_sys::ReleaseSysCache(tuple);
        language == pg_sys::Oid::from(pg_sys::INTERNALlanguageId)
    }
}

/// Returns the types that a type's values contain: an array's elements, a range's bounds, a row's columns.
fn parts(base: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    // SAFETY: catalogue look-ups, each of which returns an invalid OID where it does not apply.
    unsafe {
        let element = pg_sys::get_element_type(base);
        let range = pg_sys::get_multirange_range(base);
        let subtype = pg_sys::get_range_subtype(base);
        let class = pg_sys::get_typ_typrelid(base);
        let mut parts = vec![element, range, subtype];
        if class != pg_sys::InvalidOid {
            parts.extend((1..=columns(class)).map(|number| pg_sys::get_atttype(class, number)));
        }
        parts.retain(|part| *part != pg_sys::InvalidOid);
        parts
    }
}

/// Returns how many columns the relation has, dropped ones included.
fn columns(class: pg_sys::Oid) -> i16 {
    // SAFETY: a catalogue look-up; the row is pinned until it is released, and not read afterwards.
    unsafe {
        let id = pg_sys::SysCacheIdentifier::RELOID;
        let tuple = pg_sys::SearchSysCache1(id as _, pg_sys::Datum::from(class));
        if tuple.is_null() {
            return 0;
        }
        let columns = (*pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_class>(tuple)).relnatts;
        pg_sys::ReleaseSysCache(tuple);
        columns
    }
}
