//! The fields of a request's body. Only types are checked here; the database checks values. The messages are Django REST Framework's.

mod body;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::error::{self, Error, Fields};
use crate::spelling::closest;

/// A JSON object or the fields of an HTML form. Callers take the fields that they know, then call [`finish`](Form::finish), which returns all errors.
/// A method that takes a field returns `None` if the field is missing, or if it is invalid, in which case an error is noted.
///
/// Values of another type are converted if their meaning is clear: `5` to a text, `"5"` or `5.0` to a number, `"yes"` or `1` to a boolean.
#[derive(Debug)]
pub struct Form {
    values: Map<String, Value>,
    /// Whether it comes from an HTML form: each value is a text or a list of texts, an empty text means null where null is allowed, and lists
    /// and objects may be written as JSON.
    is_html: bool,
    /// The fields that were sent as files, which none can be. Their values stand for nothing.
    files: BTreeSet<String>,
    /// The fields that were taken.
    known: BTreeSet<&'static str>,
    wrong: Fields,
}

impl Form {
    /// Takes what was sent for a field; notes an error if that is a file.
    fn take_sent(&mut self, name: &'static str) -> Option<Value> {
        self.known.insert(name);
        let sent = self.values.remove(name)?;
        if self.files.remove(name) {
            return self.complain(
                name,
                "The submitted data was a file, which this field cannot take.",
            );
        }
        Some(sent)
    }

    /// Takes the value of a field.
    fn take(&mut self, name: &'static str) -> Option<Value> {
        match self.take_sent(name)? {
            // Of a repeated field, the last value counts.
            Value::Array(mut texts) if self.is_html => texts.pop(),
            value => Some(value),
        }
    }

    /// Takes a value; empty in a form means null.
    fn take_or_null(&mut self, name: &'static str) -> Option<Value> {
        let value = self.take(name)?;
        let is_null = self.is_html && value.as_str().is_some_and(str::is_empty);
        Some(if is_null { Value::Null } else { value })
    }

    /// Takes a list or an object; in a form, JSON or a repeated field.
    fn take_many(&mut self, name: &'static str) -> Option<Value> {
        let value = self.take_sent(name)?;
        let text = match &value {
            Value::String(text) if self.is_html => text.trim(),
            _ => return Some(value),
        };
        Some(match serde_json::from_str(text) {
            _ if text.is_empty() => Value::Null,
            Ok(parsed @ (Value::Array(_) | Value::Object(_) | Value::Null)) => parsed,
            _ => Value::Array(vec![value]),
        })
    }

    /// Ignores these fields, so that clients can send back what they have read.
    pub fn ignore(&mut self, names: &[&'static str]) {
        for name in names {
            self.known.insert(name);
            self.values.remove(*name);
        }
    }

    /// Takes a required text; returns an empty one if it is missing or invalid.
    pub fn required_text(&mut self, name: &'static str) -> String {
        if !self.values.contains_key(name) {
            self.complain::<()>(name, "This field is required.");
        }
        self.text(name).unwrap_or_default()
    }

    /// Takes a text, without white space at its ends; null is an error.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        match self.take(name)? {
            Value::Null => self.complain(name, "This field may not be null."),
            value => self.string(name, value),
        }
    }

    fn string(&mut self, name: &str, value: Value) -> Option<String> {
        match value {
            Value::String(text) => self.clean(name, text.trim().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            _ => self.complain(name, "Not a valid string."),
        }
    }

    /// Takes a text; null means empty.
    pub fn text_or_null(&mut self, name: &'static str) -> Option<String> {
        match self.values.get(name) {
            Some(Value::Null) => self.take(name).map(|_| String::new()),
            _ => self.text(name),
        }
    }

    /// Takes an optional text, unchanged; null counts as missing.
    pub fn words(&mut self, name: &'static str) -> Option<String> {
        match self.take(name)? {
            Value::Null => None,
            Value::String(text) => self.clean(name, text),
            value => self.string(name, value),
        }
    }

    /// Takes a required text; `None` also stands for null and for an empty text.
    pub fn required_text_or_null(&mut self, name: &'static str) -> Option<String> {
        if !self.values.contains_key(name) {
            return self.complain(name, "This field is required.");
        }
        self.text_or_null(name).filter(|text| !text.is_empty())
    }

    /// Takes names and texts, as an object or a list, whose items are not checked here; null counts as missing.
    pub fn pairs(&mut self, name: &'static str) -> Option<Value> {
        match self.take_many(name)? {
            Value::Null => None,
            value @ (Value::Object(_) | Value::Array(_)) if !has_null_character(&value) => Some(value),
            _ => self.complain(name, "Expected an object of strings."),
        }
    }

    /// Adds an error to a field that was taken.
    pub fn complain_of<T>(&mut self, name: &str, text: &str) -> Option<T> {
        self.complain(name, text)
    }

    /// Takes an integer; null is an error.
    pub fn whole(&mut self, name: &'static str) -> Option<i32> {
        match self.take(name)? {
            Value::Null => self.complain(name, "This field may not be null."),
            value => self.whole_number(name, &value),
        }
    }

    /// Takes an integer; null means 0.
    pub fn whole_or_null(&mut self, name: &'static str) -> Option<i32> {
        match self.take_or_null(name)? {
            Value::Null => Some(0),
            value => self.whole_number(name, &value),
        }
    }

    /// Takes an object of names and texts; null means an empty one.
    pub fn texts_or_null(&mut self, name: &'static str) -> Option<Value> {
        match self.take_many(name)? {
            Value::Null => Some(Value::Object(Map::new())),
            value if has_null_character(&value) => self.complain(name, "Null characters are not allowed."),
            Value::Object(texts) if texts.values().all(Value::is_string) => Some(Value::Object(texts)),
            _ => self.complain(name, "Expected an object of strings."),
        }
    }

    /// Takes a list of integers; null means an empty one.
    pub fn numbers_or_null(&mut self, name: &'static str) -> Option<Vec<i32>> {
        match self.take_many(name)? {
            Value::Null => Some(Vec::new()),
            Value::Array(items) => items.iter().map(|item| self.whole_number(name, item)).collect(),
            _ => self.complain(name, "Expected a list of whole numbers."),
        }
    }

    fn whole_number(&mut self, name: &str, value: &Value) -> Option<i32> {
        match whole(value).and_then(|number| number.try_into().ok()) {
            Some(number) => Some(number),
            None => self.complain(name, "A valid integer is required."),
        }
    }

    /// Takes an id, which is positive; `Some(None)` stands for null.
    pub fn id(&mut self, name: &'static str) -> Option<Option<i64>> {
        match self.take_or_null(name)? {
            Value::Null => Some(None),
            value => match whole(&value).filter(|id| *id > 0) {
                Some(id) => Some(Some(id)),
                None => self.complain(name, "A valid id, or null, is required."),
            },
        }
    }

    /// Takes a boolean; null is an error.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        match self.take(name)? {
            Value::Bool(flag) => Some(flag),
            Value::Null => self.complain(name, "This field may not be null."),
            Value::String(text) if spelled_flag(&text).is_some() => spelled_flag(&text),
            value @ Value::Number(_) if matches!(whole(&value), Some(0 | 1)) => {
                whole(&value).map(|number| number == 1)
            }
            _ => self.complain(name, "Must be a valid boolean."),
        }
    }

    /// Takes a list of texts; null is an error, but in a form it means an empty list.
    pub fn names(&mut self, name: &'static str) -> Option<Vec<String>> {
        let items = match self.take_many(name)? {
            Value::Array(items) => items,
            Value::Null if self.is_html => Vec::new(),
            _ => return self.complain(name, "Expected a list of strings."),
        };
        let mut names = Vec::new();
        for item in items {
            if !matches!(item, Value::String(_) | Value::Number(_)) {
                return self.complain(name, "Expected a list of strings.");
            }
            names.push(self.string(name, item)?);
        }
        Some(names)
    }

    /// Returns an error with all fields that are invalid or unknown, if there are any.
    pub fn finish(self) -> Result<(), Error> {
        let wrong = self.wrong();
        if wrong.is_empty() {
            return Ok(());
        }
        Err(Error::fields(wrong))
    }

    /// Returns the errors by field. Unknown fields are errors, because ignoring them would not do what the client meant.
    pub fn wrong(mut self) -> Fields {
        for name in self.values.keys() {
            let meant = match closest(name, self.known.iter().copied()) {
                Some(meant) => format!(" Perhaps \"{meant}\" is meant."),
                None => String::new(),
            };
            let name: String = name.chars().take(100).collect();
            self.wrong
                .entry(name)
                .or_default()
                .push(format!("There is no such field.{meant}"));
        }
        self.wrong
    }

    /// Returns the text, or notes an error if it has null characters, which PostgreSQL's text cannot contain.
    fn clean(&mut self, name: &str, text: String) -> Option<String> {
        if text.contains('\0') {
            return self.complain(name, "Null characters are not allowed.");
        }
        Some(text)
    }

    fn complain<T>(&mut self, name: &str, text: &str) -> Option<T> {
        error::note(&mut self.wrong, name, text)
    }
}

/// Returns whether a text in the value, or a key, has a null character, which PostgreSQL's jsonb cannot contain.
fn has_null_character(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_null_character),
        // The depth is bounded by the JSON parser.
        Value::Object(members) => members
            .iter()
            .any(|(key, value)| key.contains('\0') || has_null_character(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Returns the integer in 5, 5.0, "5" or "5.0".
fn whole(value: &Value) -> Option<i64> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    let digits = match text.split_once('.') {
        Some((whole, decimals)) if decimals.bytes().all(|digit| digit == b'0') => whole,
        Some(_) => return None,
        None => &text,
    };
    digits.parse().ok()
}

/// Returns the boolean that a text stands for; `None` if it stands for none.
pub(super) fn spelled_flag(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "t" | "y" | "yes" | "true" | "on" | "1" => Some(true),
        "f" | "n" | "no" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
