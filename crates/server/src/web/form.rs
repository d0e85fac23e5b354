//! Bodies and query strings, looked at for their types alone: what a value may be, the database says. The words are Django REST
//! Framework's.

use std::collections::{BTreeSet, HashMap};

use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::app::App;
use super::error::{Error, Fields};
use crate::spelling::closest;

/// A JSON object of a body. Take what is wanted out of it, then [`finish`](Form::finish) to hear of everything that is wrong.
#[derive(Debug)]
pub struct Form {
    values: Map<String, Value>,
    /// What was asked for.
    known: BTreeSet<&'static str>,
    wrong: Fields,
}

impl Form {
    /// The value of a field.
    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.insert(name);
        self.values.remove(name)
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
            Value::String(text) => self.clean(name, text),
            Value::Null => self.complain(name, "This field may not be null."),
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

    pub fn whole(&mut self, name: &'static str) -> Option<i32> {
        match self.take(name)? {
            Value::Null => self.complain(name, "This field may not be null."),
            value => self.whole_number(name, &value),
        }
    }

    /// The same, or null, which is 0.
    pub fn whole_or_null(&mut self, name: &'static str) -> Option<i32> {
        match self.take(name)? {
            Value::Null => Some(0),
            value => self.whole_number(name, &value),
        }
    }

    /// An object of names and texts; null is an empty one.
    pub fn texts_or_null(&mut self, name: &str) -> Option<Value> {
        match self.values.remove(name)? {
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
        match self.take(name)? {
            Value::Null => Some(Vec::new()),
            Value::Array(items) => items.iter().map(|item| self.whole_number(name, item)).collect(),
            _ => self.complain(name, "Expected a list of whole numbers."),
        }
    }

    fn whole_number(&mut self, name: &str, value: &Value) -> Option<i32> {
        match value.as_i64().and_then(|number| number.try_into().ok()) {
            Some(number) => Some(number),
            None => self.complain(name, "A valid integer is required."),
        }
    }

    /// An id; null is a value of its own.
    pub fn id(&mut self, name: &'static str) -> Option<Option<i64>> {
        match self.take(name)? {
            Value::Null => Some(None),
            value => match value.as_i64().filter(|id| *id > 0) {
                Some(id) => Some(Some(id)),
                None => self.complain(name, "A valid id, or null, is required."),
            },
        }
    }

    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        match self.take(name)? {
            Value::Bool(flag) => Some(flag),
            Value::Null => self.complain(name, "This field may not be null."),
            _ => self.complain(name, "Must be a valid boolean."),
        }
    }

    pub fn names(&mut self, name: &'static str) -> Option<Vec<String>> {
        let Value::Array(items) = self.take(name)? else {
            return self.complain(name, "Expected a list of strings.");
        };
        let mut names = Vec::new();
        for item in items {
            let Value::String(text) = item else {
                return self.complain(name, "Expected a list of strings.");
            };
            names.push(self.clean(name, text)?);
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
        let is_json = is_json(request.headers());
        let body = Bytes::from_request(request, app)
            .await
            .map_err(|error| match error.status() {
                StatusCode::PAYLOAD_TOO_LARGE => Error::too_large(),
                status => Error::detail(status, error.body_text()),
            })?;
        if body.is_empty() {
            return Ok(Self::of(Map::new()));
        }
        if !is_json {
            let text = "Unsupported media type: the body has to be application/json.";
            return Err(Error::detail(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        }
        let value = serde_json::from_slice(&body)
            .map_err(|error| Error::detail(StatusCode::BAD_REQUEST, format!("JSON parse error - {error}")))?;
        match value {
            Value::Object(values) => Ok(Self::of(values)),
            _ => {
                let text = "Invalid data. Expected a dictionary.".to_owned();
                Err(Error::fields(Fields::from([(
                    "non_field_errors".to_owned(),
                    vec![text],
                )])))
            }
        }
    }
}

impl Form {
    fn of(values: Map<String, Value>) -> Self {
        Self {
            values,
            known: BTreeSet::new(),
            wrong: Fields::new(),
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = text.unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
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
        match self.values.remove(name)?.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => self.complain(name, "Enter true or false."),
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
