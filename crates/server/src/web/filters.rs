//! Query strings. Only types are checked here.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use super::error::{self, Error, Fields};
use super::form::spelled_flag;

/// A query string. If a parameter is repeated, the last one counts; an empty one counts as missing.
#[derive(Debug)]
pub struct Filters {
    values: HashMap<String, String>,
    wrong: Fields,
}

impl Filters {
    #[cfg(test)]
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        let pairs = pairs.iter();
        Self {
            values: pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            wrong: Fields::new(),
        }
    }

    pub fn text(&mut self, name: &str) -> Option<String> {
        let text = self.values.remove(name)?;
        if text.contains('\0') {
            return self.complain(name, "Null characters are not allowed.");
        }
        Some(text)
    }

    /// Returns a parameter that must be one of `choices`.
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

    /// Returns an error that names every invalid parameter, if there is one.
    pub fn finish(self) -> Result<(), Error> {
        if self.wrong.is_empty() {
            return Ok(());
        }
        Err(Error::fields(self.wrong))
    }

    fn complain<T>(&mut self, name: &str, text: &str) -> Option<T> {
        error::note(&mut self.wrong, name, text)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn parameters_have_types() {
        let mut filters = Filters::of(&[("a", "x"), ("b", "7"), ("c", "yes"), ("d", "sent")]);
        assert_eq!(filters.text("a").as_deref(), Some("x"));
        assert_eq!(filters.number("b"), Some(7));
        assert_eq!(filters.flag("c"), Some(true));
        assert_eq!(filters.choice("d", &["sent", "failed"]).as_deref(), Some("sent"));
        assert_eq!(filters.text("e"), None);
        assert!(filters.finish().is_ok());
        let mut filters = Filters::of(&[("a", "\0"), ("b", "x"), ("c", "2"), ("d", "lost")]);
        assert_eq!(filters.text("a"), None);
        assert_eq!(filters.number("b"), None);
        assert_eq!(filters.flag("c"), None);
        assert_eq!(filters.choice("d", &["sent", "failed"]), None);
        let error = filters.finish().unwrap_err();
        let wrong = error.wrong_fields().unwrap();
        assert_eq!(wrong.keys().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
        assert_eq!(
            wrong["d"],
            ["Select a valid choice. lost is not one of the available choices."]
        );
    }

    #[tokio::test]
    async fn an_empty_parameter_is_none_and_the_last_counts() {
        let request = axum::http::Request::get("/?a=&b=1&b=2").body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        let mut filters = Filters::from_request_parts(&mut parts, &()).await.unwrap();
        assert_eq!(filters.text("a"), None);
        assert_eq!(filters.text("b").as_deref(), Some("2"));
    }
}
