//! The members of a JSON object as they are written: a number keeps all its digits.

use std::collections::HashMap;

use serde::de::{DeserializeOwned, IgnoredAny};

/// Returns the members of the object, each with the JSON text of its value; of two with one key, the later one. What is no object has
/// none.
pub fn members(object: &str) -> HashMap<String, &str> {
    let mut members = HashMap::new();
    let Some(mut rest) = object.trim_start().strip_prefix('{') else {
        return members;
    };
    while let Some((key, after)) = value::<String>(rest)
        && let Some(after) = after.trim_start().strip_prefix(':')
        && let Some((_, next)) = value::<IgnoredAny>(after)
    {
        members.insert(key, after[..after.len() - next.len()].trim());
        match next.trim_start().strip_prefix(',') {
            Some(next) => rest = next,
            None => break,
        }
    }
    members
}

/// The value that the text begins with, and what comes after it.
fn value<T: DeserializeOwned>(text: &str) -> Option<(T, &str)> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<T>();
    let value = stream.next()?.ok()?;
    Some((value, &text[stream.byte_offset()..]))
}

/// Returns the text of an object with the members of both; of two with one key, that of `over` comes later.
pub fn merged(own: &str, over: Option<&str>) -> String {
    let object = |text: &str| {
        let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
        Some(inner.trim().to_owned()).filter(|inner| !inner.is_empty())
    };
    match (object(own), over.and_then(object)) {
        (Some(own), Some(over)) => format!("{{{own},{over}}}"),
        (None, Some(over)) => format!("{{{over}}}"),
        (_, None) => own.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn values_are_as_they_were_written() {
        let text = r#" {"a": 123456789012345678901234567890.10 , "b":"\"x\\", "c":{"d":[1,2]},"e":null, "a\u0041":true}"#;
        let members = members(text);
        assert_eq!(members["a"], "123456789012345678901234567890.10");
        assert_eq!(members["b"], r#""\"x\\""#);
        assert_eq!(members["c"], r#"{"d":[1,2]}"#);
        assert_eq!((members["e"], members["aA"]), ("null", "true"));
    }

    #[test]
    fn what_is_no_object_has_none() {
        for text in ["", "{}", "[1]", "null", "{", "{\"a\"", "{\"a\":"] {
            assert!(members(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn what_is_found_out_goes_before_what_was_there() {
        let merge = |own, over| {
            members(&merged(own, over))
                .into_iter()
                .map(|(k, v)| format!("{k}={v}"))
                .collect::<std::collections::BTreeSet<_>>()
        };
        let set = |members: &[&str]| members.iter().map(ToString::to_string).collect();
        assert_eq!(
            merge(r#"{"a": 1, "b": 2}"#, Some(r#"{"b": 3, "c": null}"#)),
            set(&["a=1", "b=3", "c=null"])
        );
        assert_eq!(merge(" { } ", Some(r#"{"b": 3}"#)), set(&["b=3"]));
        assert_eq!(merge(r#"{"a": 1}"#, Some("{}")), set(&["a=1"]));
        assert_eq!(merge(r#"{"a": 1}"#, None), set(&["a=1"]));
    }

    proptest! {
        #[test]
        fn every_member_is_found(object in prop::collection::hash_map(".*", prop_oneof![
            any::<i64>().prop_map(Value::from), ".*".prop_map(Value::from), Just(Value::Null),
            prop::collection::vec(any::<bool>(), 0..3).prop_map(Value::from),
        ], 0..8)) {
            let text = serde_json::to_string(&object).unwrap_or_default();
            let found: HashMap<String, Value> = members(&text)
                .into_iter()
                .map(|(key, value)| (key, serde_json::from_str(value).unwrap_or_default()))
                .collect();
            prop_assert_eq!(found, object);
        }
    }
}
