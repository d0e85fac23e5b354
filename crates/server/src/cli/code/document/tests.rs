#![allow(clippy::unwrap_used)]

use serde_json::Value;

use super::*;

#[test]
fn json_comes_back_as_it_was() {
    for text in [
        r#"{"a":1,"b":"x","c":[true,{"d":-5}]}"#,
        r#"{"a":null}"#,
        r#"{"a":1.10}"#,
        r#"{"a":1e3,"b":12345678901234567890123}"#,
        r#"{"a":"line\nline \u001f \"'''\" 🦀"}"#,
    ] {
        let value: Value = serde_json::from_str(text).unwrap();
        let written = toml_of(&value).unwrap_or_else(|| toml::Value::String(value.to_string()));
        let line = format!("title = \"x\"\nsample = {written}\n");
        let read: EventType = toml::from_str(&line).unwrap();
        assert_eq!(read.sample.unwrap().0.to_string(), value.to_string(), "{line}");
    }
}
