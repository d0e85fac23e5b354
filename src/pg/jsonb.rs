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
