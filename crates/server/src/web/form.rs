//! The fields of a request's body, looked at for their types alone: what a value may be, the database says. The words are Django REST
//! Framework's.

mod body;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::error::{self, Error, Fields};
use crate::spelling::closest;

/// A JSON object of a body, or the fields of a form. Take what is wanted out of it, then [`finish`](Form::finish) to hear of everything that is wrong.
///
/// What is of another type and can only mean one thing is taken for that: `5` for a text, `"5"` or `5.0` for a number, `"yes"` or `1` for what is on or off.
#[derive(Debug)]
pub struct Form {
    values: Map<String, Value>,
    /// Every value is a text then, or several of them; what is empty is null where there is null, and lists and objects may be written as JSON.
    is_html: bool,
    /// What was asked for.
    known: BTreeSet<&'static str>,
    wrong: Fields,
}

impl Form {
    /// The value of a field.
    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.insert(name);
        match self.values.remove(name)? {
            // The last counts.
            Value::Array(mut texts) if self.is_html => texts.pop(),
            value => Some(value),
        }
    }

    /// A value that is null where a form leaves it empty.
    fn take_or_null(&mut self, name: &'static str) -> Option<Value> {
        let value = self.take(name)?;
        let is_null = self.is_html && value.as_str().is_some_and(str::is_empty);
        Some(if is_null { Value::Null } else { value })
    }

    /// A list or an object, which a form has as JSON, or as several values of a name.
    fn take_many(&mut self, name: &'static str) -> Option<Value> {
        self.known.insert(name);
        let value = self.values.remove(name)?;
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

    /// Fields that say nothing: what was read may be sent back as it is.
    pub fn ignore(&mut self, names: &[&'static str]) {
        for name in names {
            self.take(name);
        }
    }

    /// A string that has to be there.
    pub fn required_text(&mut self, name: &'static str) -> String {
        if !self.values.contains_key(name) {
            self.complain::<()>(name, "This field is required.");
        }
        self.text(name).unwrap_or_default()
    }

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

    /// The same, or null, which is empty.
    pub fn text_or_null(&mut self, name: &'static str) -> Option<String> {
        match self.values.get(name) {
            Some(Value::Null) => self.take(name).map(|_| String::new()),
            _ => self.text(name),
        }
    }

    /// The same, as it was written; null, and what is left out, is none.
    pub fn words(&mut self, name: &'static str) -> Option<String> {
        match self.take(name)? {
            Value::Null => None,
            Value::String(text) => self.clean(name, text),
            value => self.string(name, value),
        }
    }

    /// A text that has to be there, or null.
    pub fn required_text_or_null(&mut self, name: &'static str) -> Option<String> {
        if !self.values.contains_key(name) {
            return self.complain(name, "This field is required.");
        }
        self.text_or_null(name).filter(|text| !text.is_empty())
    }

    /// Names and texts, as an object or as a list of objects; null, and what is left out, is none.
    pub fn pairs(&mut self, name: &'static str) -> Option<Value> {
        match self.take_many(name)? {
            Value::Null => None,
            value @ (Value::Object(_) | Value::Array(_)) if !value.to_string().contains("\\u0000") => {
                Some(value)
            }
            _ => self.complain(name, "Expected an object of strings."),
        }
    }

    /// Something is wrong with a field that was taken.
    pub fn complain_of<T>(&mut self, name: &str, text: &str) -> Option<T> {
        self.complain(name, text)
    }

    pub fn whole(&mut self, name: &'static str) -> Option<i32> {
        match self.take(name)? {
            Value::Null => self.complain(name, "This field may not be null."),
            value => self.whole_number(name, &value),
        }
    }

    /// The same, or null, which is 0.
    pub fn whole_or_null(&mut self, name: &'static str) -> Option<i32> {
        match self.take_or_null(name)? {
            Value::Null => Some(0),
            value => self.whole_number(name, &value),
        }
    }

    /// An object of names and texts; null is an empty one.
    pub fn texts_or_null(&mut self, name: &'static str) -> Option<Value> {
        match self.take_many(name)? {
            Value::Null => Some(Value::Object(Map::new())),
            Value::Object(texts) if texts.values().all(Value::is_string) => {
                let is_clean = |text: &str| !text.contains('\0');
                let mut all = texts.iter();
                if all.all(|(key, value)| is_clean(key) && value.as_str().is_some_and(is_clean)) {
                    Some(Value::Object(texts))
                } else {
                    self.complain(name, "Null characters are not allowed.")
                }
            }
            _ => self.complain(name, "Expected an object of strings."),
        }
    }

    /// Whole numbers, or null, which is none of them.
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

    /// An id; null is a value of its own.
    pub fn id(&mut self, name: &'static str) -> Option<Option<i64>> {
        match self.take_or_null(name)? {
            Value::Null => Some(None),
            value => match whole(&value).filter(|id| *id > 0) {
                Some(id) => Some(Some(id)),
                None => self.complain(name, "A valid id, or null, is required."),
            },
        }
    }

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

    /// An error that names every field that is wrong, if any is.
    pub fn finish(self) -> Result<(), Error> {
        let wrong = self.wrong();
        if wrong.is_empty() {
            return Ok(());
        }
        Err(Error::fields(wrong))
    }

    /// What is wrong with each field. One that nobody knows is: what somebody meant by it would not be done.
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

    /// PostgreSQL's text has no null characters.
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

/// A whole number: 5, 5.0, "5" or "5.0".
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

/// What is on or off, in the words for it; none: it is neither.
pub(super) fn spelled_flag(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "t" | "y" | "yes" | "true" | "on" | "1" => Some(true),
        "f" | "n" | "no" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
