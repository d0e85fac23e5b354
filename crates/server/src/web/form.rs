//! Bodies and query strings, looked at for their types alone: what a value may be, the database says. The words are Django REST
//! Framework's.

use std::collections::{BTreeSet, HashMap};

use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Multipart, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::app::App;
use super::error::{Error, Fields, NOT_ONE};
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
        self.wrong
            .entry(name.to_owned())
            .or_default()
            .push(text.to_owned());
        None
    }
}

impl FromRequest<App> for Form {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self, Error> {
        // One that says that it is too large is not waited for.
        if request.body().size_hint().lower() > app.options().max_body as u64 {
            return Err(Error::too_large());
        }
        let media_type = media_type(request.headers());
        if media_type == "multipart/form-data" {
            return Self::multipart(request, app).await;
        }
        let body = Bytes::from_request(request, app)
            .await
            .map_err(|error| match error.status() {
                StatusCode::PAYLOAD_TOO_LARGE => Error::too_large(),
                status => Error::detail(status, error.body_text()),
            })?;
        if body.is_empty() {
            return Ok(Self::of(Map::new()));
        }
        if media_type == "application/x-www-form-urlencoded" {
            return Ok(Self::html(
                form_urlencoded::parse(&body)
                    .into_owned()
                    .map(|(name, text)| (name, Value::String(text))),
            ));
        }
        if media_type != "application/json" {
            let text = format!("Unsupported media type \"{media_type}\" in request.");
            return Err(Error::detail(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        }
        let value = serde_json::from_slice(&body)
            .map_err(|error| Error::detail(StatusCode::BAD_REQUEST, format!("JSON parse error - {error}")))?;
        match value {
            Value::Object(values) => Ok(Self::of(values)),
            other => {
                let text = match python_type(&other) {
                    Some(kind) => format!("Invalid data. Expected a dictionary, but got {kind}."),
                    None => "No data provided".to_owned(),
                };
                Err(Error::fields(Fields::from([(NOT_ONE.to_owned(), vec![text])])))
            }
        }
    }
}

impl Form {
    fn of(values: Map<String, Value>) -> Self {
        Self {
            values,
            is_html: false,
            known: BTreeSet::new(),
            wrong: Fields::new(),
        }
    }

    /// The fields of a form: of several of a name, a list.
    fn html(fields: impl Iterator<Item = (String, Value)>) -> Self {
        let mut values = Map::new();
        for (name, value) in fields {
            match values.get_mut(&name) {
                Some(Value::Array(all)) => all.push(value),
                Some(first) => *first = Value::Array(vec![first.take(), value]),
                None => {
                    values.insert(name, value);
                }
            }
        }
        Self {
            is_html: true,
            ..Self::of(values)
        }
    }

    async fn multipart(request: Request, app: &App) -> Result<Self, Error> {
        let refused = |status: StatusCode, text: String| match status {
            StatusCode::PAYLOAD_TOO_LARGE => Error::too_large(),
            status => Error::detail(status, format!("Multipart form parse error - {text}")),
        };
        let mut parts = Multipart::from_request(request, app)
            .await
            .map_err(|error| refused(error.status(), error.body_text()))?;
        let mut fields = Vec::new();
        while let Some(part) = parts
            .next_field()
            .await
            .map_err(|error| refused(error.status(), error.body_text()))?
        {
            let Some(name) = part.name().map(str::to_owned) else {
                continue;
            };
            let is_file = part.file_name().is_some();
            let text = part
                .text()
                .await
                .map_err(|error| refused(error.status(), error.body_text()))?;
            // A file is of no type that a field has.
            let value = if is_file {
                Value::Object(Map::new())
            } else {
                Value::String(text)
            };
            fields.push((name, value));
        }
        Ok(Self::html(fields.into_iter()))
    }
}

/// What a value's type is called in Python; none: null.
fn python_type(value: &Value) -> Option<&'static str> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() || number.is_u64() => "int",
        Value::Number(_) => "float",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    })
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

fn spelled_flag(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "t" | "y" | "yes" | "true" | "on" | "1" => Some(true),
        "f" | "n" | "no" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// Without its parameters.
fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = text.unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// A query string. Of a parameter that is given twice, the last counts; an empty one is none.
#[derive(Debug)]
pub struct Filters {
    values: HashMap<String, String>,
    wrong: Fields,
}

impl Filters {
    pub fn text(&mut self, name: &str) -> Option<String> {
        let text = self.values.remove(name)?;
        if text.contains('\0') {
            return self.complain(name, "Null characters are not allowed.");
        }
        Some(text)
    }

    /// One of `choices`.
    pub fn choice(&mut self, name: &str, choices: &[&str]) -> Option<String> {
        let text = self.text(name)?;
        if !choices.contains(&text.as_str()) {
            let complaint = format!("Select a valid choice. {text} is not one of the available choices.");
            return self.complain(name, &complaint);
        }
        Some(text)
    }

    pub fn number(&mut self, name: &str) -> Option<i64> {
        match self.values.remove(name)?.parse() {
            Ok(number) => Some(number),
            Err(_) => self.complain(name, "Enter a number."),
        }
    }

    pub fn flag(&mut self, name: &str) -> Option<bool> {
        match spelled_flag(&self.values.remove(name)?) {
            Some(flag) => Some(flag),
            None => self.complain(name, "Enter true or false."),
        }
    }

    /// An error that names every parameter that is wrong, if any is.
    pub fn finish(self) -> Result<(), Error> {
        if self.wrong.is_empty() {
            return Ok(());
        }
        Err(Error::fields(self.wrong))
    }

    fn complain<T>(&mut self, name: &str, text: &str) -> Option<T> {
        self.wrong
            .entry(name.to_owned())
            .or_default()
            .push(text.to_owned());
        None
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Filters {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|error| Error::detail(error.status(), error.body_text()))?;
        Ok(Self {
            values: pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
            wrong: Fields::new(),
        })
    }
}
