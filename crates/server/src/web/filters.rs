//! Query strings, looked at for their types alone.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use super::error::{Error, Fields};
use super::form::spelled_flag;

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
