//! Pages of the log: by number near the newest delivery, and by key everywhere.

use axum::http::StatusCode;

use super::error::Error;
use super::filters::Filters;
use super::page::{self, Number, Page, Wanted};
use super::uri::Here;
use crate::database::Session;
use crate::queries::logs::{self, Count, Entry, Filter, Start};

/// The highest page number; older pages are found by key.
const FARTHEST_PAGE: i64 = 500;

/// A page, and where it starts.
pub struct Place {
    number: Number,
    start: Start,
    /// Whether it is the last page.
    is_last: bool,
}

impl Place {
    pub fn of(filters: &mut Filters) -> Result<Self, Error> {
        let wanted = Wanted::parse(filters.text("page").as_deref())?;
        let (number, is_last) = (wanted.of(0), wanted == Wanted::Last);
        let start = match (filters.number("before"), filters.number("after")) {
            (Some(id), _) => Start::Before(id),
            (None, Some(id)) => Start::After(id),
            (None, None) if number.0 <= FARTHEST_PAGE => Start::Offset(number.slice().offset),
            (None, None) => {
                let text = "Invalid page. Pages this far are found by the links next and previous.";
                return Err(Error::detail(StatusCode::NOT_FOUND, text));
            }
        };
        Ok(Self {
            number,
            start,
            is_last,
        })
    }

    /// Returns the last page, which is found by number if that is low enough.
    async fn last(session: &Session<'_>, filter: &Filter) -> Result<Self, Error> {
        let (number, is_known) = match logs::count(session, filter).await? {
            Count::Exact(count) => (Wanted::Last.of(count), true),
            Count::Estimate(count) => (Wanted::Last.of(count), false),
            Count::Unknown => (Number(FARTHEST_PAGE + 1), false),
        };
        let start = if is_known && number.0 <= FARTHEST_PAGE {
            Start::Offset(number.slice().offset)
        } else {
            Start::After(0)
        };
        Ok(Self {
            number,
            start,
            is_last: true,
        })
    }

    /// What is there.
    pub async fn page(
        self,
        session: &Session<'_>,
        filter: &Filter,
        here: &Here,
    ) -> Result<Page<Entry>, Error> {
        let place = if self.is_last {
            Self::last(session, filter).await?
        } else {
            self
        };
        let window = logs::list(session, filter, place.start, page::SIZE).await?;
        let Number(number) = place.number;
        let ids = window.entries.last().zip(window.entries.first());
        // A search that has found nothing continues where it stopped.
        let ids = ids.map(|(oldest, newest)| (oldest.id, newest.id));
        let Some((oldest, newest)) = ids.or(window.reached.map(|id| (id, id))) else {
            return if number == 1 {
                Ok(Page::empty())
            } else {
                Err(page::invalid())
            };
        };
        let (count, estimate) = match logs::count(session, filter).await? {
            Count::Exact(count) => (Some(count), None),
            Count::Estimate(count) => (Some(count.max(window.entries.len() as i64)), Some(true)),
            Count::Unknown => (None, None),
        };
        let is_whole = number == 1 && !window.more && window.reached.is_none();
        let link = |number: i64, key: Option<(&str, i64)>| {
            let mut changes = vec![
                ("page", (number > 1).then(|| number.to_string())),
                ("before", None),
                ("after", None),
            ];
            changes.extend(key.map(|(name, id)| (name, Some(id.to_string()))));
            here.with(&changes)
        };
        Ok(Page {
            count: count.unwrap_or(window.entries.len() as i64),
            count_is_estimate: estimate,
            count_is_unknown: count.is_none() && !is_whole,
            reached: window.reached,
            next: (!place.is_last && (window.more || window.reached.is_some()))
                .then(|| link(number + 1, Some(("before", window.reached.unwrap_or(oldest))))),
            previous: match number {
                1 => None,
                2 => Some(link(1, None)),
                _ => Some(link(number - 1, Some(("after", newest)))),
            },
            results: window.entries,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(pairs: &[(&str, &str)]) -> Result<Place, Error> {
        Place::of(&mut Filters::of(pairs))
    }

    #[test]
    fn near_pages_have_numbers_and_far_ones_keys() {
        let start = |pairs: &[(&str, &str)]| place(pairs).ok().map(|place| (place.number.0, place.start));
        assert_eq!(start(&[]), Some((1, Start::Offset(0))));
        assert_eq!(start(&[("page", "3")]), Some((3, Start::Offset(40))));
        assert_eq!(start(&[("page", "500")]), Some((500, Start::Offset(9980))));
        assert_eq!(start(&[("page", "501")]), None);
        assert_eq!(
            start(&[("page", "501"), ("before", "7")]),
            Some((501, Start::Before(7)))
        );
        assert_eq!(
            start(&[("page", "501"), ("after", "7")]),
            Some((501, Start::After(7)))
        );
        assert_eq!(
            start(&[("before", "7"), ("after", "8")]),
            Some((1, Start::Before(7)))
        );
        assert_eq!(
            place(&[("page", "501")]).err().map(|error| error.status()),
            Some(StatusCode::NOT_FOUND)
        );
        assert!(place(&[("page", "last")]).is_ok_and(|place| place.is_last));
        assert!(place(&[("page", "2")]).is_ok_and(|place| !place.is_last));
        assert!(place(&[("page", "0")]).is_err());
    }
}
