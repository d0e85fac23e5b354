//! The members of a JSON object as their text, in which a number keeps all its digits.

use std::borrow::Cow;

use serde::de::{DeserializeOwned, IgnoredAny};

/// The members of an object: keys, and the JSON text of each value.
#[derive(Debug, Default)]
pub struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Members<'a> {
    /// Reads the members of the object. A text that is not an object has none.
    pub fn of(object: &'a str) -> Self {
        let mut members = Vec::new();
        let Some(mut rest) = object.trim_start().strip_prefix('{') else {
            return Members(members);
        };
        while let Some((key, after)) = key(rest)
            && let Some(after) = after.trim_start().strip_prefix(':')
            && let Some((_, next)) = value::<IgnoredAny>(after)
        {
            members.push((key, after[..after.len() - next.len()].trim()));
            match next.trim_start().strip_prefix(',') {
                Some(next) => rest = next,
                None => break,
            }
        }
        Members(members)
    }

    /// Returns the JSON text of a member's value; of several with one key, that of the last one.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        let mut members = self.0.iter().rev();
        members.find(|(known, _)| known == key).map(|(_, value)| *value)
    }

    /// Returns keys and values as they were written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(key, value)| (&**key, *value))
    }
}

/// Returns the key that the text begins with, and the rest of the text.
fn key(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let inner = text.trim_start().strip_prefix('"')?;
    let end = inner.find(['"', '\\'])?;
    match inner[end..].strip_prefix('"') {
        Some(rest) => Some((Cow::Borrowed(&inner[..end]), rest)),
        None => value::<String>(text).map(|(key, rest)| (Cow::Owned(key), rest)),
    }
}

/// Returns the value that the text begins with, and the rest of the text.
fn value<T: DeserializeOwned>(text: &str) -> Option<(T, &str)> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<T>();
    let value = stream.next()?.ok()?;
    Some((value, &text[stream.byte_offset()..]))
}

/// Returns the text of an object with the members of both; of two with the same key, that of `over` comes later.
pub fn merged(own: &str, over: Option<&str>) -> String {
    fn inner(object: &str) -> Option<&str> {
        let inner = object.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
        Some(inner).filter(|inner| !inner.is_empty())
    }
    match (inner(own), over.and_then(inner)) {
        (Some(own), Some(over)) => ["{", own, ",", over, "}"].concat(),
        (None, Some(over)) => ["{", over, "}"].concat(),
        (_, None) => own.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn values_are_as_they_were_written() {
        let text = r#" {"a": 123456789012345678901234567890.10 , "b":"\"x\\", "c":{"d":[1,2]},"e":null, "a\u0041":true}"#;
        let members = Members::of(text);
        let member = |key| members.get(key).unwrap_or_default();
        assert_eq!(member("a"), "123456789012345678901234567890.10");
        assert_eq!(member("b"), r#""\"x\\""#);
        assert_eq!(member("c"), r#"{"d":[1,2]}"#);
        assert_eq!((member("e"), member("aA")), ("null", "true"));
    }

    #[test]
    fn what_is_no_object_has_none() {
        for text in ["", "{}", "[1]", "null", "{", "{\"a\"", "{\"a\":"] {
            assert_eq!(Members::of(text).iter().count(), 0, "{text}");
        }
    }

    #[test]
    fn what_is_found_out_goes_before_what_was_there() {
        let merge = |own, over| {
            let text = merged(own, over);
            let members = Members::of(&text);
            let shown = |key| format!("{key}={}", members.get(key).unwrap_or_default());
            members.iter().map(|(key, _)| shown(key)).collect::<BTreeSet<_>>()
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
            let found: HashMap<String, Value> = Members::of(&text)
                .iter()
                .map(|(key, value)| (key.to_owned(), serde_json::from_str(value).unwrap_or_default()))
                .collect();
            prop_assert_eq!(found, object);
        }
    }
}
