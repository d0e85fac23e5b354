//! What a column's value is to JSON, and as plain text.

use std::borrow::Cow;
use std::ffi::CStr;

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

/// A value of the event's data.
#[derive(Debug)]
pub enum Scalar<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    /// A number as JSON writes it.
    Number(String),
    Text(Cow<'a, str>),
    Json(Cow<'a, str>),
    Jsonb(pg_sys::Datum),
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

    /// # Safety
    /// `value` is of the type that this kind was made of, and its memory outlives the result.
    pub unsafe fn read<'a>(self, value: Option<pg_sys::Datum>) -> Scalar<'a> {
        let Some(value) = value else { return Scalar::Null };
        match self {
            Kind::Int2 => Scalar::Integer(i64::from(value.value() as i16)),
            Kind::Int4 => Scalar::Integer(i64::from(value.value() as i32)),
            Kind::Int8 => Scalar::Integer(value.value() as i64),
            Kind::Bool => Scalar::Bool(value.value() as u8 != 0),
            Kind::Timestamptz => timestamp(value.value() as i64),
            Kind::Float4 => float(f64::from(f32::from_bits(value.value() as u32))),
            Kind::Float8 => float(f64::from_bits(value.value() as u64)),
            // SAFETY: by the caller's promise.
            Kind::Text | Kind::Json => match unsafe { <&str>::from_datum(value, false) } {
                Some(text) if self == Kind::Json => Scalar::Json(text.into()),
                Some(text) => Scalar::Text(text.into()),
                None => Scalar::Null,
            },
            Kind::Jsonb => Scalar::Jsonb(value),
            Kind::Other { output, number } => {
                // SAFETY: the output function belongs to the value's type.
                let text = unsafe { CStr::from_ptr(pg_sys::OidOutputFunctionCall(output, value)) };
                let text = text.to_string_lossy();
                // Numeric knows NaN and Infinity, JSON does not.
                if number && text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-') {
                    Scalar::Number(text.into_owned())
                } else {
                    Scalar::Text(text)
                }
            }
        }
    }
}

impl<'a> Scalar<'a> {
    /// As plain text; None: null.
    pub fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Scalar::Null => None,
            Scalar::Bool(value) => Some(value.to_string().into()),
            Scalar::Integer(value) => Some(value.to_string().into()),
            Scalar::Number(text) => Some(text.into()),
            Scalar::Text(text) | Scalar::Json(text) => Some(text),
            // SAFETY: a jsonb's bytes, detoasted, as its own output function reads them.
            Scalar::Jsonb(value) => unsafe {
                let jsonb = pg_sys::pg_detoast_datum(value.cast_mut_ptr()).cast::<pg_sys::Jsonb>();
                let text = pg_sys::JsonbToCString(std::ptr::null_mut(), &raw mut (*jsonb).root, -1);
                Some(CStr::from_ptr(text).to_string_lossy())
            },
        }
    }

    /// The number that it is or writes.
    pub fn into_integer(self) -> Option<i64> {
        match self {
            Scalar::Integer(value) => Some(value),
            other => other.into_text()?.parse().ok(),
        }
    }
}

impl<'a> From<&'a serde_json::Value> for Scalar<'a> {
    fn from(value: &'a serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Scalar::Null,
            serde_json::Value::Bool(value) => Scalar::Bool(*value),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(integer) => Scalar::Integer(integer),
                None => Scalar::Number(number.to_string()),
            },
            serde_json::Value::String(text) => Scalar::Text(text.as_str().into()),
            other => Scalar::Json(other.to_string().into()),
        }
    }
}

fn float<'a>(value: f64) -> Scalar<'a> {
    if value.is_finite() {
        Scalar::Number(value.to_string())
    } else {
        Scalar::Null
    }
}

/// Whole seconds in UTC, `2024-01-15T10:30:00Z`; null for what has no such form (infinity, years beyond 9999).
fn timestamp<'a>(since_2000: i64) -> Scalar<'a> {
    let seconds = since_2000
        .checked_add(POSTGRES_EPOCH)
        .map(|micros| micros.div_euclid(1_000_000));
    match seconds.and_then(|s| Timestamp::from_second(s).ok()) {
        Some(timestamp) => Scalar::Text(timestamp.to_string().into()),
        None => Scalar::Null,
    }
}
