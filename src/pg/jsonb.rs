//! JSON as text. (pgrx reads `jsonb` by serde, and panics where a value is deeper than that takes.)

use std::ffi::CStr;

use pgrx::{AnyElement, direct_function_call, pg_sys};
use serde_json::Value;

/// More values within each other than serde takes, which PostgreSQL does. (It takes numbers of any size.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooDeep;

impl TooDeep {
    /// What must not be, and what to do.
    pub fn words(self) -> (&'static str, &'static str) {
        (
            "must not have more than 100 values within each other",
            "Leave out what is deeper.",
        )
    }
}

/// Returns the value of such a text.
pub fn parse(json: &str) -> Result<Value, TooDeep> {
    serde_json::from_str(json).map_err(|_| TooDeep)
}

/// Returns the text of an argument that is `jsonb`. Its numbers may be larger than those of Rust.
pub fn text_of(json: &AnyElement) -> String {
    assert_eq!(json.oid(), pg_sys::JSONBOID, "an argument of type jsonb");
    // SAFETY: a jsonb, as the line above made sure of, whose output is a string in the current memory context.
    let text = unsafe { direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(json.datum())]) };
    text.map(|text| text.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Whether the text of a json is one of a jsonb: it may have half a character, a zero, a number beyond all bounds.
pub fn takes(json: &str) -> bool {
    fn fits(value: &Value) -> bool {
        match value {
            Value::Number(number) => is_numeric(&number.to_string()),
            Value::Array(items) => items.iter().all(fits),
            Value::Object(members) => members
                .iter()
                .all(|(key, value)| !key.contains('\0') && fits(value)),
            Value::String(text) => !text.contains('\0'),
            Value::Null | Value::Bool(_) => true,
        }
    }
    serde_json::from_str(json).is_ok_and(|value| fits(&value))
}

/// Well within the bounds of PostgreSQL's numeric: 131,072 digits before the point, 16,383 after it.
fn is_numeric(number: &str) -> bool {
    let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent: Result<i32, _> = exponent.parse();
    digits.len() < 8_000 && exponent.is_ok_and(|exponent| (-8_000..100_000).contains(&exponent))
}
