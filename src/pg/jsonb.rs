//! Arguments of type `jsonb`, as text. pgrx's own `JsonB` panics on a value that is nested deeper than serde_json allows (128 levels).

use std::ffi::CStr;

use pgrx::{AnyElement, direct_function_call, pg_sys};
use serde_json::Value;

/// The JSON is nested deeper than serde_json allows. PostgreSQL allows more. (Numbers of any size are read.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooDeep;

impl TooDeep {
    /// Returns the predicate of an error message, and its hint.
    pub fn words(self) -> (&'static str, &'static str) {
        (
            "must not be nested deeper than 100 levels",
            "Remove the deeper levels.",
        )
    }
}

/// Parses the text of a valid JSON value.
///
/// # Errors
/// The only way in which valid JSON can fail.
pub fn parse(json: &str) -> Result<Value, TooDeep> {
    serde_json::from_str(json).map_err(|_| TooDeep)
}

/// Returns the text of an argument of type `jsonb`. Its numbers may be beyond the range of Rust's.
pub fn text_of(json: &AnyElement) -> String {
    assert_eq!(json.oid(), pg_sys::JSONBOID, "an argument of type jsonb");
    // SAFETY: the argument is a jsonb, by the assertion above; jsonb_out returns a C string in the current memory context.
    let text = unsafe { direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(json.datum())]) };
    text.map(|text| text.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Whether a `json` text can be converted to `jsonb`, which takes no lone surrogate, no `\u0000`, and no number beyond the range of `numeric`.
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

/// Whether the number is well within the range of `numeric`: 131,072 digits before the decimal point, 16,383 after it
/// (PostgreSQL's documentation, "Numeric Types").
fn is_numeric(number: &str) -> bool {
    let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent: Result<i32, _> = exponent.parse();
    digits.len() < 8_000 && exponent.is_ok_and(|exponent| (-8_000..100_000).contains(&exponent))
}
