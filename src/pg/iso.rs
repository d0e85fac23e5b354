//! Dates and times in the format of ISO 8601, over the whole range of PostgreSQL's types. Years before Christ end with ` BC`, as PostgreSQL
//! writes them, and infinite values are `infinity` and `-infinity`.

use std::io::Write;

/// Microseconds in a day.
const DAY: i64 = 86_400_000_000;

/// Days from 1 March of the year 0 to 1 January 2000, from which PostgreSQL counts.
const EPOCH: i64 = 730_425;

const INFINITE: &[u8] = b"infinity";
const MINUS_INFINITE: &[u8] = b"-infinity";

/// Writes a date, which is given in days since 2000.
pub fn write_date(out: &mut impl Write, days: i32) -> std::io::Result<()> {
    match days {
        i32::MAX => out.write_all(INFINITE),
        i32::MIN => out.write_all(MINUS_INFINITE),
        _ => {
            let before_christ = write_day(out, i64::from(days))?;
            out.write_all(before_christ)
        }
    }
}

/// Writes a timestamp, which is given in microseconds since 2000, with `zone` after the time.
pub fn write_timestamp(out: &mut impl Write, since_2000: i64, zone: &[u8]) -> std::io::Result<()> {
    match since_2000 {
        i64::MAX => return out.write_all(INFINITE),
        i64::MIN => return out.write_all(MINUS_INFINITE),
        _ => {}
    }
    let before_christ = write_day(out, since_2000.div_euclid(DAY))?;
    let time = since_2000.rem_euclid(DAY);
    let (seconds, fraction) = (time / 1_000_000, time % 1_000_000);
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    let mut clock = *b"T00:00:00";
    two_digits(&mut clock[1..3], hours);
    two_digits(&mut clock[4..6], minutes);
    two_digits(&mut clock[7..9], seconds % 60);
    out.write_all(&clock)?;
    if fraction != 0 {
        let digits = format!(".{fraction:06}");
        out.write_all(digits.trim_end_matches('0').as_bytes())?;
    }
    out.write_all(zone)?;
    out.write_all(before_christ)
}

/// Writes a moment, which is given in microseconds since 2000, in UTC and whole seconds, as in the data of events.
pub fn write_moment(out: &mut impl Write, since_2000: i64) -> std::io::Result<()> {
    let second = match since_2000 {
        i64::MAX | i64::MIN => since_2000,
        _ => since_2000 - since_2000.rem_euclid(1_000_000),
    };
    write_timestamp(out, second, b"Z")
}

fn two_digits(place: &mut [u8], number: i64) {
    place[0] = b'0' + (number / 10) as u8;
    place[1] = b'0' + (number % 10) as u8;
}

/// Writes a day, which is given in days since 2000, and returns the ending (` BC` or nothing), which comes after the time. (The algorithm is Howard
/// Hinnant's civil_from_days.)
fn write_day(out: &mut impl Write, since_2000: i64) -> std::io::Result<&'static [u8]> {
    let days = since_2000 + EPOCH;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    // There is no year 0.
    let (shown, end): (i64, &[u8]) = if year > 0 { (year, b"") } else { (1 - year, b" BC") };
    if shown < 10_000 {
        let mut text = *b"0000-00-00";
        two_digits(&mut text[0..2], shown / 100);
        two_digits(&mut text[2..4], shown % 100);
        two_digits(&mut text[5..7], month);
        two_digits(&mut text[8..10], day);
        out.write_all(&text)?;
    } else {
        write!(out, "{shown}-{month:02}-{day:02}")?;
    }
    Ok(end)
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn timestamp(since_2000: i64) -> String {
        let mut out = Vec::new();
        write_timestamp(&mut out, since_2000, b"Z").expect("a Vec takes all");
        String::from_utf8(out).expect("ASCII")
    }

    fn date(days: i32) -> String {
        let mut out = Vec::new();
        write_date(&mut out, days).expect("a Vec takes all");
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn moments_are_iso_8601_in_utc() {
        assert_eq!(timestamp(0), "2000-01-01T00:00:00Z");
        assert_eq!(timestamp(758_629_800_000_000), "2024-01-15T10:30:00Z");
        assert_eq!(timestamp(758_629_800_120_000), "2024-01-15T10:30:00.12Z");
        assert_eq!(timestamp(-1), "1999-12-31T23:59:59.999999Z");
        assert_eq!(timestamp(i64::MAX), "infinity");
        assert_eq!(timestamp(i64::MIN), "-infinity");
    }

    #[test]
    fn moments_of_events_are_whole_seconds() {
        let moment = |since_2000| {
            let mut out = Vec::new();
            write_moment(&mut out, since_2000).expect("a Vec takes all");
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(moment(758_629_800_654_321), "2024-01-15T10:30:00Z");
        assert_eq!(moment(-1), "1999-12-31T23:59:59Z");
        assert_eq!(moment(i64::MAX), "infinity");
        assert_eq!(moment(i64::MIN), "-infinity");
    }

    #[test]
    fn days_reach_from_before_christ_to_far_years() {
        assert_eq!(date(59), "2000-02-29");
        assert_eq!(date(60), "2000-03-01");
        assert_eq!(date(-730_119), "0001-01-01");
        assert_eq!(date(-730_120), "0001-12-31 BC");
        assert_eq!(date(2_921_940), "10000-01-01");
        assert_eq!(date(i32::MAX), "infinity");
        assert_eq!(date(i32::MIN), "-infinity");
    }
}
