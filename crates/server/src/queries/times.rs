//! Times in JSON, as Django REST Framework writes them: without a fraction of a second, or with six digits. Python before 3.11 parses no others.

use jiff::Timestamp;
use serde::Serializer;

fn text(time: Timestamp) -> String {
    if time.subsec_microsecond() == 0 && time.subsec_millisecond() == 0 {
        format!("{time:.0}")
    } else {
        format!("{time:.6}")
    }
}

pub fn iso<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*time))
}

#[allow(clippy::ref_option, reason = "serde's signature")]
pub fn iso_or_null<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => iso(time, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn fractions_have_six_digits_or_none() {
        for (given, expected) in [
            ("2024-01-15T10:30:00Z", "2024-01-15T10:30:00Z"),
            ("2024-01-15T10:30:00.1Z", "2024-01-15T10:30:00.100000Z"),
            ("2024-01-15T10:30:00.000001Z", "2024-01-15T10:30:00.000001Z"),
            ("2024-01-15T10:30:00.123400Z", "2024-01-15T10:30:00.123400Z"),
        ] {
            assert_eq!(text(given.parse().unwrap()), expected);
        }
    }
}
