//! Writing JSON in the database's encoding. Only ASCII characters are interpreted: in every server encoding, a byte below 0x80 is one.

use super::field::TextBuffer;

/// Writes `text` as a JSON string, in quotes.
pub fn write_string(out: &mut TextBuffer, text: &[u8]) {
    out.push_byte(b'"');
    let mut rest = text;
    while let Some(place) = rest
        .iter()
        .position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'))
    {
        out.push(&rest[..place]);
        write_escaped(out, rest[place]);
        rest = &rest[place + 1..];
    }
    out.push(rest);
    out.push_byte(b'"');
}

fn write_escaped(out: &mut TextBuffer, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'"' => out.push(b"\\\""),
        b'\\' => out.push(b"\\\\"),
        b'\n' => out.push(b"\\n"),
        b'\r' => out.push(b"\\r"),
        b'\t' => out.push(b"\\t"),
        _ => {
            out.push(b"\\u00");
            out.push_byte(DIGITS[usize::from(byte >> 4)]);
            out.push_byte(DIGITS[usize::from(byte & 15)]);
        }
    }
}

/// Writes a member's name and the colon after it.
pub fn write_key(out: &mut TextBuffer, key: &str) {
    write_string(out, key.as_bytes());
    out.push_byte(b':');
}

/// Whether the output of `numeric` is a JSON number; it is none when it is `NaN` or `Infinity`.
pub fn is_number(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'))
}
