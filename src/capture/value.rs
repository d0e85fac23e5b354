//! Column values as JSON text.

use std::io::Write;

use jiff::Timestamp;
use pgrx::prelude::*;

use crate::timestamp::POSTGRES_EPOCH;

/// What a column's type is to JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Int2,
    Int4,
    Int8,
    Bool,
    Text,
    Timestamptz,
    Float4,
    Float8,
    Json,
    Jsonb,
    /// Anything else, as its output function (the OID) writes it; numbers stay numbers.
    Other {
        output: pg_sys::Oid,
        number: bool,
    },
}

impl Kind {
    pub fn of(type_oid: pg_sys::Oid) -> Kind {
        // SAFETY: catalogue look-ups; an unknown type is an error.
        let base = unsafe { pg_sys::getBaseType(type_oid) };
        match base {
            pg_sys::INT2OID => Kind::Int2,
            pg_sys::INT4OID => Kind::Int4,
            pg_sys::INT8OID => Kind::Int8,
            pg_sys::BOOLOID => Kind::Bool,
            pg_sys::TEXTOID | pg_sys::VARCHAROID => Kind::Text,
            pg_sys::TIMESTAMPTZOID => Kind::Timestamptz,
            pg_sys::FLOAT4OID => Kind::Float4,
            pg_sys::FLOAT8OID => Kind::Float8,
            pg_sys::JSONOID => Kind::Json,
            pg_sys::JSONBOID => Kind::Jsonb,
            _ => {
                let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
                // SAFETY: as above.
                unsafe { pg_sys::getTypeOutputInfo(base, &mut output, &mut is_varlena) };
                Kind::Other {
                    output,
                    number: base == pg_sys::NUMERICOID,
                }
            }
        }
    }

    /// Appends the value as JSON.
    ///
    /// # Safety
    /// `value` is of the type that this kind was made of.
    pub unsafe fn write(self, value: Option<pg_sys::Datum>, json: &mut Vec<u8>) {
        let Some(value) = value else {
            return json.extend_from_slice(b"null");
        };
        // Writing to a Vec does not fail.
        let _ = match self {
            Kind::Int2 => write!(json, "{}", value.value() as i16),
            Kind::Int4 => write!(json, "{}", value.value() as i32),
            Kind::Int8 => write!(json, "{}", value.value() as i64),
            Kind::Bool => write!(json, "{}", value.value() as u8 != 0),
            Kind::Timestamptz => write_timestamp(value.value() as i64, json),
            Kind::Float4 => write_float(f64::from(f32::from_bits(value.value() as u32)), json),
            Kind::Float8 => write_float(f64::from_bits(value.value() as u64), json),
            // SAFETY: by the caller's promise.
            Kind::Text | Kind::Json => unsafe {
                match (self, <&str>::from_datum(value, false)) {
                    (_, None) => json.write_all(b"null"),
                    (Kind::Json, Some(text)) => json.write_all(text.as_bytes()),
                    (_, Some(text)) => write_string(text, json),
                }
            },
            Kind::Jsonb => {
                // SAFETY: a jsonb's bytes, detoasted, as its own output function reads them.
                let text = unsafe {
                    let jsonb = pg_sys::pg_detoast_datum(value.cast_mut_ptr()).cast::<pg_sys::Jsonb>();
                    let text = pg_sys::JsonbToCString(std::ptr::null_mut(), &raw mut (*jsonb).root, -1);
                    std::ffi::CStr::from_ptr(text)
                };
                json.write_all(text.to_bytes())
            }
            Kind::Other { output, number } => {
                // SAFETY: the output function belongs to the value's type.
                let text = unsafe { std::ffi::CStr::from_ptr(pg_sys::OidOutputFunctionCall(output, value)) };
                let text = text.to_string_lossy();
                // Numeric knows NaN and Infinity, JSON does not.
                if number && text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-') {
                    json.write_all(text.as_bytes())
                } else {
                    write_string(&text, json)
                }
            }
        };
    }
}

pub fn write_string(text: &str, json: &mut Vec<u8>) -> std::io::Result<()> {
    serde_json::to_writer(json, text).map_err(Into::into)
}

fn write_float(value: f64, json: &mut Vec<u8>) -> std::io::Result<()> {
    if value.is_finite() {
        write!(json, "{value}")
    } else {
        json.write_all(b"null")
    }
}

/// Whole seconds in UTC, `2024-01-15T10:30:00Z`; null for what has no such form (infinity, years beyond 9999).
fn write_timestamp(since_2000: i64, json: &mut Vec<u8>) -> std::io::Result<()> {
    let seconds = since_2000
        .checked_add(POSTGRES_EPOCH)
        .map(|micros| micros.div_euclid(1_000_000));
    match seconds.and_then(|s| Timestamp::from_second(s).ok()) {
        Some(timestamp) => write!(json, "\"{timestamp}\""),
        None => json.write_all(b"null"),
    }
}
