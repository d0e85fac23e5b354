//! The fields of a message as people write them: one line each, with name, colon and value.

use serde_json::{Value, json};

/// Returns fields as lines, or as JSON if a name or a value cannot be written as part of a line.
pub(super) fn lines_of(fields: &Value) -> String {
    let pairs: Vec<(&str, &str)> = fields
        .as_array()
        .into_iter()
        .flatten()
        .map(|field| (text_of(&field["name"]), text_of(&field["value"])))
        .collect();
    let is_plain = |(name, value): &(&str, &str)| {
        let is_whole = name.trim() == *name && value.trim() == *value;
        !name.is_empty() && is_whole && !name.contains([':', '\n', '{', '[']) && !value.contains('\n')
    };
    if !pairs.iter().all(is_plain) {
        return fields.to_string();
    }
    let lines: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    lines.join("\n")
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Returns the fields of a text that is a JSON array or object; `None` of any other text.
fn json_of(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text).ok()?;
    (value.is_array() || value.is_object()).then_some(value)
}

/// Returns the first line without a colon, empty ones aside; `None` if there is none, or if the text is JSON.
pub(super) fn without_value(text: &str) -> Option<&str> {
    if json_of(text).is_some() {
        return None;
    }
    text.lines()
        .find(|line| !line.trim().is_empty() && !line.contains(':'))
}

/// Returns the fields of a text as the database takes them: the JSON, or an array of objects with `name` and `value`, one for each line.
pub(super) fn fields_of(text: &str) -> Value {
    if let Some(value) = json_of(text) {
        return value;
    }
    let fields = text.lines().filter(|line| !line.trim().is_empty()).map(|line| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        json!({"name": name.trim(), "value": value.trim()})
    });
    Value::Array(fields.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_lines_or_what_lines_cannot_say() {
        let plain = json!([{"name": "Points", "value": "{{ points }}"}, {"name": "When", "value": "a: b"}]);
        assert_eq!(lines_of(&plain), "Points: {{ points }}\nWhen: a: b");
        assert_eq!(fields_of(&lines_of(&plain)), plain);
        for odd in [
            json!([{"name": "a: b", "value": "x"}]),
            json!([{"name": "a", "value": "x\ny"}]),
            json!([{"name": "", "value": "x"}]),
            json!([{"name": " a", "value": "x"}]),
            json!([{"name": "a", "value": "x "}]),
            json!([{"name": "[1]", "value": "x"}]),
        ] {
            assert_eq!(fields_of(&lines_of(&odd)), odd);
        }
        assert_eq!(without_value("Points: {{ points }}\n\n Who "), Some(" Who "));
        assert_eq!(without_value(&plain.to_string()), None);
        assert_eq!(fields_of(""), json!([]));
        assert_eq!(fields_of("Points"), json!([{"name": "Points", "value": ""}]));
    }
}
