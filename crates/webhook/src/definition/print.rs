//! Printing of values: a text as it is, null as nothing, anything else as JSON.

use std::fmt::{Result, Write};

use minijinja::value::{Value, ValueKind};

use super::number;

pub(super) fn print(value: &Value, out: &mut impl Write) -> Result {
    match value.as_str() {
        _ if value.is_none() || value.is_undefined() => Ok(()),
        Some(text) => out.write_str(text),
        None => json(value, out),
    }
}

fn json(value: &Value, out: &mut impl Write) -> Result {
    match value.kind() {
        // An iterator that fails returns an `Invalid` value.
        ValueKind::None | ValueKind::Undefined | ValueKind::Invalid => out.write_str("null"),
        ValueKind::Bool => write!(out, "{}", value.is_true()),
        ValueKind::Number => out.write_str(&number::without_float(value.to_string())),
        ValueKind::String => string(value.as_str().unwrap_or_default(), out),
        ValueKind::Seq | ValueKind::Iterable => {
            out.write_char('[')?;
            for (place, item) in value.try_iter().into_iter().flatten().enumerate() {
                out.write_str(if place > 0 { ", " } else { "" })?;
                json(&item, out)?;
            }
            out.write_char(']')
        }
        ValueKind::Map => {
            out.write_char('{')?;
            for (place, key) in value.try_iter().into_iter().flatten().enumerate() {
                out.write_str(if place > 0 { ", " } else { "" })?;
                match key.as_str() {
                    Some(key) => string(key, out)?,
                    None => string(&key.to_string(), out)?,
                }
                out.write_str(": ")?;
                json(&value.get_item(&key).unwrap_or_default(), out)?;
            }
            out.write_char('}')
        }
        _ => write!(out, "{value}"),
    }
}

fn string(text: &str, out: &mut impl Write) -> Result {
    // A text is always JSON.
    out.write_str(&serde_json::to_string(text).unwrap_or_default())
}
