//! Pages of lists, numbered as in Django REST Framework.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::Error;
use super::uri::Here;
use crate::queries::Slice;

/// The number of rows of a page.
pub const SIZE: i64 = 20;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// Number of all entries
    pub count: i64,
    /// Present and true if counting would take long, so that `count` is an estimate
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub count_is_estimate: Option<bool>,
    /// For a search in the admin pages: there is no count.
    #[serde(skip)]
    pub count_is_unknown: bool,
    /// For a search in the admin pages: the delivery at which it stopped; `next` continues it.
    #[serde(skip)]
    pub reached: Option<i64>,
    /// URL of the next page; null on the last one
    pub next: Option<String>,
    /// URL of the previous page; null on the first one
    pub previous: Option<String>,
    pub results: Vec<T>,
}

/// The number of a page, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub i64);

impl Number {
    pub fn parse(text: Option<&str>) -> Result<Self, Error> {
        let number = text.map_or(Ok(1), str::parse).map_err(|_| invalid())?;
        // Limited so that the offset is a bigint.
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

/// The requested page.
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

    /// Returns its number, given the number of rows.
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

    /// Returns an error for a page after the last.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_number_is_one_that_a_page_can_have() {
        let number = |text: Option<&str>| Number::parse(text).ok().map(|number| number.0);
        assert_eq!(number(None), Some(1));
        assert_eq!(number(Some("1")), Some(1));
        assert_eq!(number(Some("461168601842738790")), Some(i64::MAX / SIZE));
        for text in ["0", "-1", "x", "", "1.0", "461168601842738791", "last"] {
            assert_eq!(number(Some(text)), None, "{text}");
        }
        let Slice { offset, limit } = Number(3).slice();
        assert_eq!((offset, limit), (40, 20));
        assert_eq!(Number(1).slice().offset, 0);
        assert_eq!(invalid().status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn the_last_page_is_known_by_the_count() {
        let wanted = |text: &str| Wanted::parse(Some(text)).unwrap();
        assert_eq!(wanted("last"), Wanted::Last);
        assert_eq!(wanted("7"), Wanted::Number(Number(7)));
        assert!(Wanted::parse(Some("first")).is_err());
        for (count, number) in [(0, 1), (1, 1), (20, 1), (21, 2), (40, 2), (41, 3)] {
            assert_eq!(Wanted::Last.of(count), Number(number), "{count}");
        }
        assert_eq!(wanted("7").of(1), Number(7));
    }

    #[test]
    fn a_page_has_links_to_its_neighbours() {
        let here = Here::at("h/", &[("page", "2")]);
        let links = |number: i64, count: i64| {
            let page = Page::new(Number(number), count, vec![()], &here).unwrap();
            assert_eq!(page.count, count);
            (page.previous, page.next)
        };
        let link = |text: &str| Some(text.to_owned());
        assert_eq!(links(1, 20), (None, None));
        assert_eq!(links(1, 21), (None, link("h/?page=2")));
        assert_eq!(links(2, 40), (link("h/"), None));
        assert_eq!(links(2, 41), (link("h/"), link("h/?page=3")));
        assert_eq!(links(3, 60), (link("h/?page=2"), None));
        let nothing = Vec::<()>::new;
        assert!(Page::new(Number(1), 0, nothing(), &here).is_ok());
        let past = Page::new(Number(2), 20, nothing(), &here);
        assert_eq!(past.unwrap_err().status(), StatusCode::NOT_FOUND);
        assert_eq!(Page::<()>::empty().count, 0);
    }
}
