//! An event as JSON, for receivers that are programs: `{"type", "timestamp", "data"}`, as Standard Webhooks has it.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::json::write_json;
use super::pack::Format;
use crate::event::{Event, SAMPLE_KEY};

pub(super) const FORMAT: Format = Format::Event;

/// The largest integer up to which a double represents every integer.
const MAX_SAFE: u64 = 1 << 53;

/// Writes the event into `buffer`, whose content is discarded. A sample has `"sample": true`.
///
/// Numbers that a JavaScript program would round, or could not read, are written as strings.
pub fn event_json(event: &Event, buffer: Vec<u8>) -> Vec<u8> {
    let mut body = buffer;
    body.clear();
    let mut data = event.parse();
    let is_sample = data.remove(SAMPLE_KEY) == Some(Value::Bool(true));
    data.values_mut().for_each(make_safe);
    body.extend_from_slice(b"{\"type\":");
    write_json(&*event.event_type, &mut body);
    body.extend_from_slice(b",\"timestamp\":");
    write_json(&time_text(event.occurred_at), &mut body);
    body.extend_from_slice(b",\"data\":");
    write_json(&data, &mut body);
    if is_sample {
        body.extend_from_slice(b",\"sample\":true");
    }
    body.push(b'}');
    body
}

/// Writes a time with six digits of a second's fraction, or none: Python before 3.11 reads only these and three digits.
fn time_text(time: Timestamp) -> String {
    match time.subsec_nanosecond() / 1_000 {
        0 => format!("{time:.0}"),
        _ => format!("{time:.6}"),
    }
}

fn make_safe(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            if !is_safe(&text) {
                *value = Value::String(text);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_safe),
        Value::Object(members) => members.values_mut().for_each(make_safe),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn is_safe(number: &str) -> bool {
    if number.contains(['.', 'e', 'E']) {
        return number.parse::<f64>().is_ok_and(f64::is_finite);
    }
    let digits = number.trim_start_matches('-');
    digits.parse::<u64>().is_ok_and(|integer| integer <= MAX_SAFE)
}

/// Returns the JSON Schema (2020-12) of an event type, by a sample of its data. Every value may be null, as in a row; and a key is
/// missing if the table has no column for it, or if it is omitted.
pub fn event_schema(event_type: &str, sample: &Map<String, Value>) -> Value {
    let properties: Map<String, Value> = sample
        .iter()
        .filter(|(key, _)| *key != SAMPLE_KEY)
        .map(|(key, value)| (key.clone(), value_schema(value)))
        .collect();
    serde_json::json!({
        "title": event_type,
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": { "type": "string", "const": event_type },
            "timestamp": { "type": "string", "format": "date-time" },
            "data": { "type": "object", "properties": properties },
            "sample": { "type": "boolean", "const": true },
        },
    })
}

fn value_schema(value: &Value) -> Value {
    let kinds: &[&str] = match value {
        // Above 2^53 it is a string.
        Value::Number(number) if is_integer(&number.to_string()) => &["integer", "string", "null"],
        Value::Number(_) => &["number", "string", "null"],
        Value::Bool(_) => &["boolean", "null"],
        Value::String(text) if text.parse::<jiff::Timestamp>().is_ok() => {
            return serde_json::json!({ "type": ["string", "null"], "format": "date-time" });
        }
        Value::String(_) => &["string", "null"],
        Value::Null => return Value::Bool(true),
        Value::Array(_) => &["array", "null"],
        Value::Object(_) => &["object", "null"],
    };
    serde_json::json!({ "type": kinds })
}

fn is_integer(number: &str) -> bool {
    !number.contains(['.', 'e', 'E'])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn written(data: &str) -> String {
        let event = Event {
            event_type: "task_completed".into(),
            data: data.into(),
            occurred_at: Timestamp::from_microsecond(1_700_000_000_123_456).unwrap(),
            traceparent: None,
        };
        String::from_utf8(event_json(&event, b"old".to_vec())).unwrap()
    }

    #[test]
    fn it_is_what_the_standard_says() {
        assert_eq!(
            written(r#"{"task_id": 7, "points": 1.50, "none": null}"#),
            r#"{"type":"task_completed","timestamp":"2023-11-14T22:13:20.123456Z","data":{"none":null,"points":1.50,"task_id":7}}"#
        );
        assert_eq!(
            written(r#"{"a": 1, "zentry_sample": true}"#),
            r#"{"type":"task_completed","timestamp":"2023-11-14T22:13:20.123456Z","data":{"a":1},"sample":true}"#
        );
        assert!(written("not JSON").ends_with(r#""data":{}}"#));
    }

    #[test]
    fn a_time_has_six_digits_of_a_fraction_or_none() {
        for (given, expected) in [
            (1_700_000_000_000_000, "2023-11-14T22:13:20Z"),
            (1_700_000_000_120_000, "2023-11-14T22:13:20.120000Z"),
            (1_700_000_000_000_001, "2023-11-14T22:13:20.000001Z"),
        ] {
            assert_eq!(time_text(Timestamp::from_microsecond(given).unwrap()), expected);
        }
    }

    #[test]
    fn what_would_be_rounded_is_a_string() {
        let data = |value: &str| {
            let whole: Value = serde_json::from_str(&written(&format!("{{\"a\": {value}}}"))).unwrap();
            whole["data"]["a"].clone()
        };
        for safe in ["0", "-7", "9007199254740992", "1.5", "1e+10"] {
            assert_eq!(data(safe).to_string(), safe);
        }
        for unsafe_one in [
            "9007199254740993",
            "-9007199254740993",
            "18446744073709551616",
            "1e+400",
        ] {
            assert_eq!(data(unsafe_one), Value::String(unsafe_one.into()));
        }
        assert_eq!(data("[{\"b\": 9007199254740993}]")[0]["b"], "9007199254740993");
    }
}
