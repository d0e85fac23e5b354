//! Lists in pages, as Django REST Framework numbers them.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::Error;
use super::uri::Here;
use crate::queries::Slice;

/// Rows a page.
pub const SIZE: i64 = 20;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// How many there are in all
    pub count: i64,
    /// Present, and true, when counting would take long and `count` is the database's estimate
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub count_is_estimate: Option<bool>,
    /// Of a search in the pages: nobody has counted.
    #[serde(skip)]
    pub count_is_unknown: bool,
    /// Of a search in the pages: it has stopped at this delivery, and goes on by `next`.
    #[serde(skip)]
    pub reached: Option<i64>,
    /// Where the next page is; null on the last one
    pub next: Option<String>,
    /// Where the page before is; null on the first one
    pub previous: Option<String>,
    pub results: Vec<T>,
}

/// A page's number, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub i64);

impl Number {
    pub fn parse(text: Option<&str>) -> Result<Self, Error> {
        let number = text.map_or(Ok(1), str::parse).map_err(|_| invalid())?;
        // So far that an offset still is a bigint.
        (1..=i64::MAX / SIZE)
            .contains(&number)
            .then_some(Self(number))
            .ok_or_else(invalid)
    }

    pub fn slice(self) -> Slice {
        Slice {
            offset: (self.0 - 1) * SIZE,
            limit: SIZE,
        }
    }
}

/// Which page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Number(Number),
    Last,
}

impl Wanted {
    pub fn parse(text: Option<&str>) -> Result<Self, Error> {
        match text {
            Some("last") => Ok(Self::Last),
            text => Number::parse(text).map(Self::Number),
        }
    }

    /// Its number, where there are so many rows.
    pub fn of(self, count: i64) -> Number {
        match self {
            Self::Number(number) => number,
            Self::Last => Number(((count + SIZE - 1) / SIZE).max(1)),
        }
    }
}

pub fn invalid() -> Error {
    Error::detail(StatusCode::NOT_FOUND, "Invalid page.")
}

impl<T> Page<T> {
    pub fn empty() -> Self {
        Self {
            count: 0,
            count_is_estimate: None,
            count_is_unknown: false,
            reached: None,
            next: None,
            previous: None,
            results: Vec::new(),
        }
    }

    /// An error for a page past the end.
    pub fn new(number: Number, count: i64, results: Vec<T>, here: &Here) -> Result<Self, Error> {
        let Number(n) = number;
        if n > 1 && results.is_empty() {
            return Err(invalid());
        }
        let link = |page: i64| here.with(&[("page", (page > 1).then(|| page.to_string()))]);
        Ok(Self {
            count,
            count_is_estimate: None,
            count_is_unknown: false,
            reached: None,
            next: (n * SIZE < count).then(|| link(n + 1)),
            previous: (n > 1).then(|| link(n - 1)),
            results,
        })
    }
}
