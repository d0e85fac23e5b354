//! Quiet hours, in which nothing is sent to a channel, in a time zone.

use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use thiserror::Error;

const MINUTES: u16 = 24 * 60;
/// How far ahead the end is looked for. Quiet hours have a gap within a week, and a time zone may skip a day (Samoa in 2011).
const HORIZON: SignedDuration = SignedDuration::from_hours(9 * 24);

/// Windows of time in a time zone: `22:00-07:00 Europe/Berlin`, or
/// `Mon-Fri 20:00-08:00, Sat-Sun 00:00-24:00 America/New_York`.
///
/// It is quiet while the local time is in one of the windows. So if clocks are put forward over a
/// window's end, it ends with the jump, and if they are put back into one, it begins again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuietHours {
    windows: Vec<Window>,
    zone: TimeZone,
}

/// A window from the minute `from` to the minute `to`, which is on the next day if it is not later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    /// Bits of the days on which it begins, from Monday on.
    days: u8,
    from: u16,
    to: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QuietHoursError {
    #[error("quiet hours end with the name of a time zone")]
    NoZone,
    #[error("unknown time zone \"{0}\"")]
    UnknownZone(String),
    #[error("\"{0}\" is not a time of day from 00:00 to 24:00")]
    NoTime(String),
    #[error("\"{0}\" is not a day: Mon, Tue, Wed, Thu, Fri, Sat, Sun")]
    NoDay(String),
    #[error("\"{0}\" is not a window of time, such as 22:00-07:00")]
    NoWindow(String),
    #[error("the quiet hours never end")]
    Endless,
}

impl QuietHours {
    /// The time zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Returns when the current quiet ends; `None`: it is not quiet now.
    pub fn end(&self, now: Timestamp) -> Option<Timestamp> {
        if !self.covers(now) {
            return None;
        }
        let horizon = now.checked_add(HORIZON).unwrap_or(Timestamp::MAX);
        self.changes(now, horizon)
            .into_iter()
            .find(|at| !self.covers(*at))
    }

    /// Returns how long it was not quiet between two times, which must not be more than some years apart.
    pub fn awake(&self, from: Timestamp, to: Timestamp) -> SignedDuration {
        let mut moments = self.changes(from, to);
        moments.insert(0, from);
        moments.push(to);
        moments
            .windows(2)
            .filter(|pair| !self.covers(pair[0]))
            .map(|pair| pair[1].duration_since(pair[0]))
            .sum()
    }

    /// All moments from one up to, and without, another at which quiet may begin or end, in order.
    fn changes(&self, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let transitions = self.zone.following(from).map(|transition| transition.timestamp());
        let mut moments: Vec<Timestamp> = transitions.take_while(|at| *at < to).collect();
        let last = self.zone.to_datetime(to).date().tomorrow().unwrap_or(Date::MAX);
        let first = self
            .zone
            .to_datetime(from)
            .date()
            .yesterday()
            .unwrap_or(Date::MIN);
        let days = first.series(Span::new().days(1)).take_while(|day| *day <= last);
        for midnight in days.map(DateTime::from) {
            for minutes in self.windows.iter().flat_map(|window| [window.from, window.to]) {
                // A time that the clocks show twice, or not at all, is two moments.
                let moment = midnight.checked_add(Span::new().minutes(minutes));
                if let Ok(moment) = moment.map(|moment| self.zone.to_ambiguous_timestamp(moment)) {
                    moments.extend([moment.earlier(), moment.later()].into_iter().flatten());
                }
            }
        }
        moments.retain(|at| (from..to).contains(at));
        moments.sort_unstable();
        moments.dedup();
        moments
    }

    fn covers(&self, at: Timestamp) -> bool {
        let here = self.zone.to_datetime(at);
        let day = here.weekday().to_monday_zero_offset().unsigned_abs();
        self.covers_minute(day, minute(here.time()))
    }

    fn covers_minute(&self, day: u8, minute: u16) -> bool {
        self.windows.iter().any(|window| window.covers(day, minute))
    }
}

fn minute(time: Time) -> u16 {
    u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs())
}

impl Window {
    fn covers(self, day: u8, minute: u16) -> bool {
        let begins = |day: u8| self.days & (1 << day) != 0;
        let within_day = self.from..self.to;
        if within_day.is_empty() {
            begins(day) && minute >= self.from || begins((day + 6) % 7) && minute < self.to
        } else {
            begins(day) && within_day.contains(&minute)
        }
    }
}

impl FromStr for QuietHours {
    type Err = QuietHoursError;

    fn from_str(text: &str) -> Result<Self, QuietHoursError> {
        let (windows, zone) = text
            .trim()
            .rsplit_once(char::is_whitespace)
            .filter(|(_, zone)| zone.starts_with(|c: char| c.is_ascii_alphabetic()))
            .ok_or(QuietHoursError::NoZone)?;
        let hours = QuietHours {
            zone: TimeZone::get(zone).map_err(|_| QuietHoursError::UnknownZone(zone.to_owned()))?,
            windows: windows.split(',').map(str::parse).collect::<Result<_, _>>()?,
        };
        let ends = (0..7).any(|day| (0..MINUTES).any(|minute| !hours.covers_minute(day, minute)));
        ends.then_some(hours).ok_or(QuietHoursError::Endless)
    }
}

impl FromStr for Window {
    type Err = QuietHoursError;

    fn from_str(text: &str) -> Result<Self, QuietHoursError> {
        let text = text.trim();
        let no_window = || QuietHoursError::NoWindow(text.to_owned());
        let (days, times) = match text.split_once(char::is_whitespace) {
            Some((days, times)) => (parse_days(days)?, times.trim()),
            None => (0b111_1111, text),
        };
        let (from, to) = times.split_once('-').ok_or_else(no_window)?;
        let window = Window {
            days,
            from: parse_time(from)?,
            to: parse_time(to)?,
        };
        if window.from == window.to || window.from == MINUTES {
            return Err(no_window());
        }
        Ok(window)
    }
}

fn parse_time(text: &str) -> Result<u16, QuietHoursError> {
    let text = text.trim();
    let no_time = || QuietHoursError::NoTime(text.to_owned());
    let (hour, minute) = text.split_once(':').ok_or_else(no_time)?;
    let number = |part: &str| {
        let is_number = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| part.parse::<u16>().ok()).flatten()
    };
    match (number(hour), number(minute)) {
        (Some(hour), Some(minute)) if minute < 60 && hour * 60 + minute <= MINUTES => Ok(hour * 60 + minute),
        _ => Err(no_time()),
    }
}

/// `Sat`, or `Mon-Fri`, which may go over Sunday.
fn parse_days(text: &str) -> Result<u8, QuietHoursError> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (parse_day(first)?, parse_day(last)?);
    let count = (last + 7 - first) % 7;
    Ok((0..=count).map(|next| 1 << ((first + next) % 7)).sum())
}

fn parse_day(text: &str) -> Result<u8, QuietHoursError> {
    let known = Weekday::Monday.cycle_forward().take(7);
    let named = |day: &Weekday| {
        let name = format!("{day:?}");
        name[..3].eq_ignore_ascii_case(text)
    };
    known
        .into_iter()
        .find(named)
        .map(|day| day.to_monday_zero_offset().unsigned_abs())
        .ok_or_else(|| QuietHoursError::NoDay(text.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn hours(text: &str) -> QuietHours {
        text.parse().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[track_caller]
    fn ends(hours: &str, now: &str, end: Option<&str>) {
        let found = self::hours(hours).end(at(now));
        assert_eq!(found, end.map(at), "{hours} at {now}");
    }

    #[test]
    fn a_night() {
        let night = "22:00-07:00 Europe/Berlin";
        ends(night, "2026-01-10T20:59:59Z", None);
        ends(night, "2026-01-10T21:00:00Z", Some("2026-01-11T06:00:00Z"));
        ends(night, "2026-01-11T05:59:59.999Z", Some("2026-01-11T06:00:00Z"));
        ends(night, "2026-01-11T06:00:00Z", None);
    }

    #[test]
    fn a_weekend_joins_its_nights() {
        let free = "Mon-Fri 20:00-08:00, Sat-Sun 00:00-24:00 UTC";
        // Friday 2026-01-09, until Monday: Sunday's window ends at midnight, and no window begins on Sunday evening.
        ends(free, "2026-01-09T21:00:00Z", Some("2026-01-12T00:00:00Z"));
        ends(free, "2026-01-12T21:00:00Z", Some("2026-01-13T08:00:00Z"));
        ends(
            "Fri-Mon 23:00-01:00 UTC",
            "2026-01-13T00:30:00Z",
            Some("2026-01-13T01:00:00Z"),
        );
        ends("Fri-Mon 23:00-01:00 UTC", "2026-01-14T00:30:00Z", None);
    }

    /// 2026-03-29, 01:00 UTC: from 02:00 to 03:00.
    #[test]
    fn clocks_are_put_forward_over_the_end() {
        ends(
            "22:00-02:30 Europe/Berlin",
            "2026-03-28T23:00:00Z",
            Some("2026-03-29T01:00:00Z"),
        );
        ends("02:10-02:50 Europe/Berlin", "2026-03-29T00:59:59Z", None);
        ends("02:10-02:50 Europe/Berlin", "2026-03-29T01:00:00Z", None);
        ends(
            "22:00-07:00 Europe/Berlin",
            "2026-03-28T22:00:00Z",
            Some("2026-03-29T05:00:00Z"),
        );
    }

    /// 2026-10-25, 01:00 UTC: from 03:00 back to 02:00.
    #[test]
    fn clocks_are_put_back_into_them() {
        let twice = "01:00-02:30 Europe/Berlin";
        ends(twice, "2026-10-25T00:10:00Z", Some("2026-10-25T00:30:00Z"));
        ends(twice, "2026-10-25T00:45:00Z", None);
        ends(twice, "2026-10-25T01:10:00Z", Some("2026-10-25T01:30:00Z"));
        ends(
            "22:00-07:00 Europe/Berlin",
            "2026-10-24T22:00:00Z",
            Some("2026-10-25T06:00:00Z"),
        );
    }

    /// Samoa went from the end of 29 December to the 31st.
    #[test]
    fn a_day_that_is_left_out() {
        ends(
            "Thu-Fri 00:00-24:00 Pacific/Apia",
            "2011-12-29T20:00:00Z",
            Some("2011-12-30T10:00:00Z"),
        );
    }

    #[test]
    fn time_awake_leaves_the_quiet_out() {
        let night = hours("22:00-07:00 Europe/Berlin");
        let awake = |from: &str, to: &str| night.awake(at(from), at(to)).as_secs_f64() / 3600.0;
        assert_eq!(awake("2026-01-10T12:00:00Z", "2026-01-10T13:30:00Z"), 1.5);
        assert_eq!(awake("2026-01-10T22:00:00Z", "2026-01-11T05:00:00Z"), 0.0);
        assert_eq!(
            awake("2026-01-10T20:00:00Z", "2026-01-12T20:00:00Z"),
            1.0 + 15.0 + 14.0
        );
        // The night in which the clocks are put forward is an hour shorter.
        assert_eq!(awake("2026-03-28T20:00:00Z", "2026-03-29T06:00:00Z"), 1.0 + 1.0);
    }

    #[test]
    fn what_is_no_quiet_hours() {
        use QuietHoursError::{Endless, NoDay, NoTime, NoWindow, NoZone, UnknownZone};
        let owned = str::to_owned;
        for (text, error) in [
            ("", NoZone),
            ("22:00-07:00", NoZone),
            ("Europe/Berlin", NoZone),
            ("22:00-07:00 Middle/Earth", UnknownZone(owned("Middle/Earth"))),
            ("22:00-07:00 UTC+2", UnknownZone(owned("UTC+2"))),
            ("22-07:00 UTC", NoTime(owned("22"))),
            ("22:00-25:00 UTC", NoTime(owned("25:00"))),
            ("22:60-07:00 UTC", NoTime(owned("22:60"))),
            ("+2:00-07:00 UTC", NoTime(owned("+2:00"))),
            ("22:00 UTC", NoWindow(owned("22:00"))),
            ("08:00-08:00 UTC", NoWindow(owned("08:00-08:00"))),
            ("24:00-08:00 UTC", NoWindow(owned("24:00-08:00"))),
            ("22:00-07:00, UTC", NoWindow(owned(""))),
            ("Caturday 22:00-07:00 UTC", NoDay(owned("Caturday"))),
            ("Sa-So 22:00-07:00 UTC", NoDay(owned("Sa"))),
            ("Mon 00:00-24:00, Tue-Sun 00:00-24:00 UTC", Endless),
            ("00:00-24:00 UTC", Endless),
            ("12:00-00:00, 00:00-12:00 UTC", Endless),
        ] {
            assert_eq!(text.parse::<QuietHours>(), Err(error), "{text}");
        }
    }

    fn any_window() -> impl Strategy<Value = String> {
        let days = ["", "Mon ", "sat-sun ", "FRI-Mon ", "Wed-Thu "];
        let time = (0u16..24, prop::sample::select(vec![0u16, 1, 15, 30, 59]));
        (prop::sample::select(days.to_vec()), time.clone(), time)
            .prop_filter("is empty", |(_, from, to)| from != to)
            .prop_map(|(days, from, to)| format!("{days}{:02}:{:02}-{:02}:{:02}", from.0, from.1, to.0, to.1))
    }

    proptest! {
        #[test]
        fn it_is_quiet_until_the_end_and_not_at_the_end(
            windows in prop::collection::vec(any_window(), 1..4),
            zone in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
            // About 2026, and often within two days of a change of the clocks.
            base in prop::sample::select(vec![1_767_225_600i64, 1_774_746_000, 1_792_890_000, 1_772_953_200, 1_793_512_800, 1_775_314_800]),
            offset in -172_800i64..172_800,
        ) {
            let Ok(hours) = format!("{} {zone}", windows.join(", ")).parse::<QuietHours>() else { return Ok(()) };
            let now = Timestamp::from_second(base + offset).unwrap();
            let hour = now + SignedDuration::from_hours(1);
            let awake = (0..3600).filter(|second| !hours.covers(now + SignedDuration::from_secs(*second))).count();
            prop_assert_eq!(hours.awake(now, hour), SignedDuration::from_secs(awake as i64));
            match hours.end(now) {
                None => prop_assert!(!hours.covers(now)),
                Some(end) => {
                    prop_assert!(end > now && !hours.covers(end));
                    let mut between = now;
                    while between < end {
                        prop_assert!(hours.covers(between), "not quiet at {between}, before {end}");
                        between += SignedDuration::from_mins(1);
                    }
                    prop_assert!(hours.covers(end - SignedDuration::from_nanos(1)));
                }
            }
        }
    }
}
