//! Parsing of times.

use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// Parses a time in the past: an interval before now, or a date with an optional time of day, in UTC by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since(pub Timestamp);

/// Parses a time in the future, likewise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until(pub Timestamp);

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let now = Timestamp::now().to_zoned(TimeZone::UTC);
        let at = match text.parse::<Span>() {
            Ok(span) => now.checked_sub(span.abs()).ok().map(|at| at.timestamp()),
            Err(_) => moment(text),
        };
        at.map(Self).ok_or_else(complaint)
    }
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let now = Timestamp::now().to_zoned(TimeZone::UTC);
        let at = match text.parse::<Span>() {
            Ok(span) => now.checked_add(span).ok().map(|at| at.timestamp()),
            Err(_) => moment(text),
        };
        at.map(Self).ok_or_else(complaint)
    }
}

fn complaint() -> String {
    "it must be a length of time, such as '1 day' or 2h, or a date, such as 2026-11-29 or '2026-11-29 08:00'"
        .to_owned()
}

fn moment(text: &str) -> Option<Timestamp> {
    let civil = || {
        let date = text.parse::<Date>().map(|date| date.at(0, 0, 0, 0));
        let date = text.parse::<DateTime>().or(date).ok()?;
        Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    text.parse::<Timestamp>().ok().or_else(civil)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_time_is_a_length_or_a_date() {
        let at = |text: &str| text.parse::<Since>().unwrap().0.to_string();
        assert_eq!(at("2026-11-29"), "2026-11-29T00:00:00Z");
        assert_eq!(at("2026-11-29 08:00"), "2026-11-29T08:00:00Z");
        assert_eq!(at("2026-11-29T08:00:30+01:00"), "2026-11-29T07:00:30Z");
        for (text, seconds) in [
            ("1 hour", 3600),
            ("90m", 5400),
            ("1 day", 86400),
            ("2 days 1h", 176_400),
            ("1 day ago", 86400),
        ] {
            let ago = Timestamp::now().as_second() - text.parse::<Since>().unwrap().0.as_second();
            assert!((seconds..seconds + 60).contains(&ago), "{text}: {ago}");
            if text.ends_with("ago") {
                continue;
            }
            let ahead = text.parse::<Until>().unwrap().0.as_second() - Timestamp::now().as_second();
            assert!((seconds - 60..=seconds).contains(&ahead), "{text}: {ahead}");
        }
        for text in ["", "yesterday", "1", "2026-13-01"] {
            assert!(text.parse::<Since>().is_err(), "{text}");
        }
    }
}
