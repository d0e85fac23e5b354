//! JSON as text. (pgrx reads `jsonb` by serde, and panics where a number is larger than that takes.)

use std::ffi::CStr;

use pgrx::{AnyElement, direct_function_call, pg_sys};

/// Returns the text of an argument that is `jsonb`. Its numbers may be larger than those of Rust.
pub fn text_of(json: &AnyElement) -> String {
    assert_eq!(json.oid(), pg_sys::JSONBOID, "an argument of type jsonb");
    // SAFETY: a jsonb, as the line above made sure of, whose output is a string in the current memory context.
    let text = unsafe { direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(json.datum())]) };
    text.map(|text| text.to_string_lossy().into_owned())
        .unwrap_or_default()
}
