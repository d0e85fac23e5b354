//! Writes JSON into a buffer.

use serde::Serialize;

/// Writes a member of an object that has some already.
pub(super) fn write_member(name: &str, value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    out.push(b',');
    write_json(name, out);
    out.push(b':');
    write_json(value, out);
}

/// Returns the length of a card's JSON as Teams counts it: it is quoted once more, as a string, in which each quote and backslash takes another byte.
pub(super) fn quoted_length(json: &[u8]) -> usize {
    let escaped = json.iter().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    json.len() + escaped
}

/// Appends `value` as JSON.
pub(super) fn write_json(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    // This cannot fail: all keys are strings, and writing to a vector does not fail.
    let _ = serde_json::to_writer(out, value);
}
