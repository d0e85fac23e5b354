//! Rates: a number of requests in a period.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;

/// A cap on requests: at most `count` within any `period`. It is written `25/5min`, `4/s`, or `4`, which is per second; `0` is
/// no cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The number of requests. 0: no cap.
    pub count: u32,
    pub period: Duration,
}

/// The longest period, in seconds. Requests are remembered for as long.
const LONGEST_PERIOD: u64 = 24 * 3600;
/// The largest count. Requests are remembered one by one.
const LARGEST_COUNT: u32 = 10_000;

/// Why a text is not a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRate {
    #[error("a rate is a number of requests and a time, such as 25/5min or 4/s")]
    Form,
    #[error("the number of requests is at most 10000")]
    Count,
    #[error("the time of a rate is between 1s and 24h")]
    Period,
}

impl Rate {
    pub const NONE: Rate = Rate::per_second(0);

    pub const fn per_second(count: u32) -> Self {
        Rate {
            count,
            period: Duration::from_secs(1),
        }
    }

    /// Returns the rate that allows the least in the long run. None: none of them is a limit.
    pub fn lowest(rates: impl IntoIterator<Item = Rate>) -> Option<Rate> {
        let lowest = rates
            .into_iter()
            .reduce(|lowest, rate| if rate.is_below(lowest) { rate } else { lowest });
        lowest.filter(|rate| rate.count > 0)
    }

    /// Returns when the next request may leave after those of these moments. None: they hold nothing back.
    pub fn opens_at(self, mut posts: Vec<Timestamp>) -> Option<Timestamp> {
        posts.sort_unstable();
        let first_that_counts = posts.iter().nth_back((self.count as usize).checked_sub(1)?)?;
        first_that_counts.checked_add(self.period).ok()
    }

    /// Returns whether it allows less in the long run.
    pub(crate) fn is_below(self, other: Rate) -> bool {
        match (self.count, other.count) {
            (0, _) => false,
            (_, 0) => true,
            (a, b) => u128::from(a) * other.period.as_micros() < u128::from(b) * self.period.as_micros(),
        }
    }
}

impl Default for Rate {
    fn default() -> Self {
        Rate::NONE
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let (count, period) = text.split_once('/').unwrap_or((text, "s"));
        let count = count.trim();
        if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidRate::Form);
        }
        let count = count.parse().ok().filter(|count| *count <= LARGEST_COUNT);
        let period = period.trim();
        let (digits, unit) = period.split_at(period.bytes().take_while(u8::is_ascii_digit).count());
        let unit = match unit.trim() {
            "s" => 1,
            "min" => 60,
            "h" => 3600,
            _ => return Err(InvalidRate::Form),
        };
        let number = match digits {
            "" => Some(1_u64),
            digits => digits.parse().ok(),
        };
        let seconds = number
            .and_then(|number| number.checked_mul(unit))
            .filter(|seconds| (1..=LONGEST_PERIOD).contains(seconds))
            .ok_or(InvalidRate::Period)?;
        Ok(Rate {
            count: count.ok_or(InvalidRate::Count)?,
            period: Duration::from_secs(seconds),
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count == 0 {
            return f.write_str("0");
        }
        let seconds = self.period.as_secs();
        let (number, unit) = match seconds {
            _ if seconds.is_multiple_of(3600) => (seconds / 3600, "h"),
            _ if seconds.is_multiple_of(60) => (seconds / 60, "min"),
            _ => (seconds, "s"),
        };
        match number {
            1 => write!(f, "{}/{unit}", self.count),
            _ => write!(f, "{}/{number}{unit}", self.count),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn rates_are_read_as_they_are_written() {
        for (text, count, seconds, again) in [
            ("25/5min", 25, 300, "25/5min"),
            (" 25 / 300s ", 25, 300, "25/5min"),
            ("4/s", 4, 1, "4/s"),
            ("4", 4, 1, "4/s"),
            ("100/h", 100, 3600, "100/h"),
            ("60/30s", 60, 30, "60/30s"),
            ("0", 0, 1, "0"),
            ("0/5min", 0, 300, "0"),
            ("1/24h", 1, 86_400, "1/24h"),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.count, rate.period.as_secs()), (count, seconds), "{text}");
            assert_eq!(rate.to_string(), again);
            assert_eq!(again.parse::<Rate>().unwrap().to_string(), again);
        }
    }

    #[test]
    fn what_is_no_rate_is_told_why() {
        for (text, why) in [
            ("", InvalidRate::Form),
            ("5min", InvalidRate::Form),
            ("25/", InvalidRate::Form),
            ("25/5", InvalidRate::Form),
            ("25/5 parsecs", InvalidRate::Form),
            ("-1/s", InvalidRate::Form),
            ("+1/s", InvalidRate::Form),
            ("1.5/s", InvalidRate::Form),
            ("10001/s", InvalidRate::Count),
            ("99999999999999999999/s", InvalidRate::Count),
            ("1/0s", InvalidRate::Period),
            ("1/25h", InvalidRate::Period),
            ("1/99999999999999999999h", InvalidRate::Period),
        ] {
            assert_eq!(text.parse::<Rate>(), Err(why), "{text}");
        }
    }

    #[test]
    fn a_rate_opens_when_the_first_that_counts_does_not_any_more() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let rate: Rate = "2/10s".parse().unwrap();
        assert_eq!(rate.opens_at(vec![at(5)]), None);
        assert_eq!(rate.opens_at(vec![at(5), at(1)]), Some(at(11)));
        assert_eq!(rate.opens_at(vec![at(9), at(1), at(5)]), Some(at(15)));
        assert_eq!(Rate::NONE.opens_at(vec![at(1)]), None);
        let rates = |texts: &[&str]| Rate::lowest(texts.iter().map(|text| text.parse().unwrap()));
        assert_eq!(rates(&["4/s", "25/5min", "0"]), "25/5min".parse().ok());
        assert_eq!(rates(&["0"]), None);
        assert_eq!(rates(&[]), None);
    }

    #[test]
    fn rates_compare_by_what_they_allow_in_the_long_run() {
        let rate = |text: &str| text.parse::<Rate>().unwrap();
        assert!(rate("25/5min").is_below(rate("4/s")));
        assert!(!rate("4/s").is_below(rate("25/5min")));
        assert!(rate("4/s").is_below(rate("0")) && !rate("0").is_below(rate("4/s")));
    }
}
