//! Filters that write numbers and dates in the definition's language. Their argument is a text, as it would be printed; one that is not a number, or not a date, is
//! returned unchanged.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use minijinja::value::Value;
use minijinja::{Error, ErrorKind, State};

use crate::language::{Language, Plural};

/// The name by which filters find the language. A template cannot contain it.
pub(super) const LANGUAGE: &str = "1-language";

fn language(state: &State<'_, '_>) -> Language {
    let code = state.lookup(LANGUAGE);
    code.and_then(|code| Language::of(code.as_str()?))
        .unwrap_or_default()
}

/// `{{ streak_days|plural("day", "days") }}`: the form that goes with the number.
pub(super) fn plural(state: &State<'_, '_>, number: &str, one: Value, other: Value) -> Value {
    match language(state).plural(number) {
        Plural::One => one,
        Plural::Other => other,
    }
}

/// `{{ points|number }}`: the number with the language's separators.
pub(super) fn number(state: &State<'_, '_>, number: &str) -> String {
    language(state).number(number)
}

/// `{{ progress|percent }}`: a number of hundredths, with the percent sign.
pub(super) fn percent(state: &State<'_, '_>, number: &str) -> String {
    language(state).percent(number)
}

/// `{{ completed_at|date }}`: a time or a date of ISO 8601 as a long date in UTC; `date("full")` has the day of the week.
pub(super) fn date(state: &State<'_, '_>, text: &str, form: Option<&str>) -> Result<String, Error> {
    let language = language(state);
    let at = text
        .parse::<Timestamp>()
        .map(|time| time.to_zoned(TimeZone::UTC).date());
    let Ok(date) = at.or_else(|_| text.parse::<Date>()) else {
        return Ok(text.to_owned());
    };
    match form {
        None | Some("long") => Ok(language.date(date)),
        Some("full") => Ok(language.full_date(date)),
        Some(_) => Err(Error::new(
            ErrorKind::InvalidOperation,
            "date is \"long\" or \"full\"",
        )),
    }
}
