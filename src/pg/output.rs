//! A type's values as JSON.

use std::ffi::CStr;
use std::io::Write;

use pgrx::pg_sys;

use super::field::TextBuffer;
use super::memory::SessionMemory;
use super::pinned::{Dependence, Pinned};
use super::{iso, json};

/// A value of more bytes than this is cut, if it is a text, or left out.
pub const LONGEST: usize = 65_536;

/// What an output function may make of a value that is no longer than [`LONGEST`].
const LONGEST_OUTPUT: usize = 16 * LONGEST;

/// Beyond this, a value that consists of others may be written as more than fits into memory.
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
    Timestamp,
    Date,
    /// Written as a number where JSON has it.
    Numeric,
    Jsonb,
    /// As its output function writes it.
    Other,
}

/// How values of a type are written.
pub struct Output {
    kind: Kind,
    function: *mut pg_sys::FmgrInfo,
    dependence: Dependence,
    /// It runs PostgreSQL's own code alone, which does not fail on a value that is intact.
    certain: bool,
    container: bool,
    pub is_varlena: bool,
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Whole,
    /// There is a part of it, or null.
    Cut,
}

impl Output {
    /// Of a type, or of the one that it is a domain over. It lasts as long as the memory.
    pub fn of(type_oid: pg_sys::Oid, memory: &SessionMemory) -> Self {
        let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
        // SAFETY: catalogue look-ups; an unknown type is an error. The function's details stay in the memory.
        let (base, function) = memory.within(|| unsafe {
            let base = pg_sys::getBaseType(type_oid);
            pg_sys::getTypeOutputInfo(base, &mut output, &mut is_varlena);
            let function = pg_sys::palloc0(size_of::<pg_sys::FmgrInfo>()).cast::<pg_sys::FmgrInfo>();
            pg_sys::fmgr_info_cxt(output, function, memory.as_ptr());
            (base, function)
        });
        let mut nature = Nature::default();
        nature.add(base);
        Output {
            kind: kind(base, function),
            function,
            dependence: if nature.further {
                Dependence::All
            } else {
                Dependence::Styles
            },
            certain: !nature.foreign,
            container: nature.container,
            is_varlena,
        }
    }

    pub fn is_certain(&self) -> bool {
        self.certain
    }

    pub fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Text)
    }

    /// Whether writing a value of so many bytes, which stands in memory as a whole, cannot fail.
    pub fn is_certain_of(&self, size: usize) -> bool {
        self.certain && (!self.container || size <= SAFE_CONTAINER)
    }

    /// # Safety
    /// The value is of the type, and stands in memory as a whole.
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
            Kind::Timestamptz => quoted(out, |out| iso::write_timestamp(out, value.value() as i64, b"Z")),
            Kind::Timestamp => quoted(out, |out| iso::write_timestamp(out, value.value() as i64, b"")),
            Kind::Date => quoted(out, |out| iso::write_date(out, value.value() as i32)),
            Kind::Text => {
                // SAFETY: by the caller's promise; a text's bytes.
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
                // SAFETY: by the caller's promise; the function is the type's own, and its result a C string.
                let text =
                    unsafe { CStr::from_ptr(pg_sys::OutputFunctionCall(self.function, value)) }.to_bytes();
                if text.len() > LONGEST_OUTPUT || !is_encoded(text) {
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

/// The shortest digits that read back as the same value.
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

/// Whether it is what the database's encoding allows: not each type's output function sees to that.
fn is_encoded(text: &[u8]) -> bool {
    // SAFETY: it reads so many bytes, and says no instead of raising an error.
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

/// Whether a value's bytes are what is written: of text and its like, also those of extensions.
fn writes_text(function: *mut pg_sys::FmgrInfo) -> bool {
    [pg_sys::F_TEXTOUT, pg_sys::F_VARCHAROUT, pg_sys::F_BPCHAROUT]
        .into_iter()
        .any(|oid| {
            let mut known = pg_sys::FmgrInfo::default();
            // SAFETY: PostgreSQL's own function; `function` is filled.
            unsafe {
                pg_sys::fmgr_info(pg_sys::Oid::from(oid), &mut known);
                match ((*function).fn_addr, known.fn_addr) {
                    (Some(given), Some(known)) => given as usize == known as usize,
                    _ => false,
                }
            }
        })
}

/// What is known of a type and of those that it consists of.
#[derive(Default)]
struct Nature {
    /// Code that is not PostgreSQL's own.
    foreign: bool,
    /// Its text depends on more than the styles.
    further: bool,
    container: bool,
    seen: Vec<pg_sys::Oid>,
}

impl Nature {
    fn add(&mut self, type_oid: pg_sys::Oid) {
        // SAFETY: catalogue look-ups; what there is not gives an invalid OID, and an unknown type is an error.
        let base = unsafe { pg_sys::getBaseType(type_oid) };
        if self.seen.contains(&base) {
            return;
        }
        self.seen.push(base);
        let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
        // SAFETY: as above.
        unsafe { pg_sys::getTypeOutputInfo(base, &mut output, &mut is_varlena) };
        self.foreign |= output.to_u32() >= pg_sys::FirstNormalObjectId && !is_internal(output);
        self.further |= base == pg_sys::MONEYOID || depends_on_names(base);
        for part in parts(base) {
            self.container = true;
            self.add(part);
        }
    }
}

fn depends_on_names(base: pg_sys::Oid) -> bool {
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

/// Whether the function is PostgreSQL's own code under another name.
fn is_internal(function: pg_sys::Oid) -> bool {
    // SAFETY: a catalogue look-up; the row is read before it is released.
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

/// Returns the types that a type's values consist of.
fn parts(base: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    // SAFETY: catalogue look-ups; what there is not gives an invalid OID.
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
    // SAFETY: a catalogue look-up; the row is read before it is released.
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
