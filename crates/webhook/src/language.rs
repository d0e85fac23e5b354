//! The languages of messages: the formats' own words, plural forms, numbers and dates. The texts of the built-in events are in `definition/packs.rs`.
//!
//! The rules are those of Unicode's CLDR 46 for `en`, `de`, `es`, `fr`, `ja` and `pt` (which is Brazil's), as far as whole numbers and long dates need them.
//! A library of it all (icu) would be larger than the rest of this crate, and six languages are a small table.

mod calendar;
mod words;

use std::fmt::Write;

use jiff::Zoned;
use jiff::civil::Date;

use calendar::{MONTHS, WEEKDAYS};
use words::{WORDS, Words};

/// A language of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    #[default]
    English,
    German,
    Spanish,
    French,
    Japanese,
    Portuguese,
}

/// A plural form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plural {
    One,
    Other,
}

impl Language {
    pub const ALL: [Self; 6] = [
        Self::English,
        Self::German,
        Self::Spanish,
        Self::French,
        Self::Japanese,
        Self::Portuguese,
    ];

    /// The code, of ISO 639-1.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Spanish => "es",
            Self::French => "fr",
            Self::Japanese => "ja",
            Self::Portuguese => "pt",
        }
    }

    /// Returns the language with this code.
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }

    /// Returns the plural form for a number, by CLDR's cardinal plural rules.
    ///
    /// | language | `one` |
    /// |---|---|
    /// | en, de | i = 1 and v = 0 |
    /// | es | n = 1 |
    /// | fr, pt | i = 0, 1 |
    /// | ja | none |
    ///
    /// (i: the whole part, v: the number of decimals, n: the value.) Spanish, French and Portuguese have another form, `many`, for whole millions
    /// ("un millón de puntos"), which is treated as `other` here.
    pub fn plural(self, number: &str) -> Plural {
        let number = number.trim().trim_start_matches('-');
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        let whole = whole.trim_start_matches('0');
        let is_one = match self {
            Self::English | Self::German => whole == "1" && decimals.is_empty(),
            Self::Spanish => whole == "1" && decimals.trim_end_matches('0').is_empty(),
            Self::French | Self::Portuguese => matches!(whole, "" | "1"),
            Self::Japanese => false,
        };
        if is_one { Plural::One } else { Plural::Other }
    }

    /// Returns the number as the language writes it; a text that is not a number is returned unchanged.
    ///
    /// CLDR's symbols: groups of three by a comma (en, ja), a point (de, es, pt) or a narrow space (fr), Spanish from five digits on
    /// (`minimumGroupingDigits` 2); decimals after a point (en, ja) or a comma.
    pub fn number(self, text: &str) -> String {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => ("-", rest),
            None => ("", text),
        };
        let (whole, decimals) = match digits.split_once('.') {
            Some((whole, decimals)) => (whole, Some(decimals)),
            None => (digits, None),
        };
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !decimals.is_none_or(is_digits) {
            return text.to_owned();
        }
        let (group, point, fewest) = match self {
            Self::English | Self::Japanese => (",", '.', 4),
            Self::German | Self::Portuguese => (".", ',', 4),
            Self::Spanish => (".", ',', 5),
            Self::French => ("\u{202f}", ',', 4),
        };
        let mut written = String::with_capacity(text.len() + text.len() / 3);
        written.push_str(sign);
        for (place, digit) in whole.char_indices() {
            if place > 0 && whole.len() >= fewest && (whole.len() - place).is_multiple_of(3) {
                written.push_str(group);
            }
            written.push(digit);
        }
        if let Some(decimals) = decimals {
            written.push(point);
            written.push_str(decimals);
        }
        written
    }

    /// Returns a percentage in CLDR's `percentFormat`: German and Spanish with a no-break space, French with a narrow one.
    pub fn percent(self, text: &str) -> String {
        let mut written = self.number(text);
        written.push_str(match self {
            Self::English | Self::Japanese | Self::Portuguese => "%",
            Self::German | Self::Spanish => "\u{a0}%",
            Self::French => "\u{202f}%",
        });
        written
    }

    /// Returns CLDR's long date, in French with the first of a month as people write it (`1er`).
    pub fn date(self, date: Date) -> String {
        let (year, day) = (date.year(), date.day());
        let month = MONTHS[self as usize][usize::from(date.month().unsigned_abs()) - 1];
        match self {
            Self::English => format!("{month} {day}, {year}"),
            Self::German => format!("{day}. {month} {year}"),
            Self::Spanish | Self::Portuguese => format!("{day} de {month} de {year}"),
            Self::French if day == 1 => format!("1er {month} {year}"),
            Self::French => format!("{day} {month} {year}"),
            Self::Japanese => format!("{year}年{month}{day}日"),
        }
    }

    /// Returns CLDR's full date, which has the day of the week.
    pub fn full_date(self, date: Date) -> String {
        let weekday =
            WEEKDAYS[self as usize][usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())];
        let date = self.date(date);
        match self {
            Self::English | Self::German | Self::Spanish | Self::Portuguese => format!("{weekday}, {date}"),
            Self::French => format!("{weekday} {date}"),
            Self::Japanese => format!("{date}{weekday}"),
        }
    }

    /// Returns a time for the small print; in English in the format of ISO 8601, because English dates in digits are ambiguous.
    pub(crate) fn moment(self, time: &Zoned) -> String {
        if self == Self::English {
            return time.strftime("%Y-%m-%d %H:%M UTC").to_string();
        }
        let mut written = self.date(time.date());
        // Writing to a string does not fail.
        let _ = write!(
            written,
            "{} {:02}:{:02} UTC",
            if self == Self::Japanese { "" } else { "," },
            time.hour(),
            time.minute()
        );
        written
    }

    pub(crate) fn words(self) -> &'static Words {
        &WORDS[self as usize]
    }

    /// Returns a text such as " (and 2 more)".
    pub(crate) fn more(self, others: usize) -> String {
        self.counted(self.words().more, others)
    }

    /// Returns a text such as "12 events".
    pub(crate) fn events(self, count: usize) -> String {
        self.counted(self.words().events, count)
    }

    /// Returns a text such as "The last 10 of them:".
    pub(crate) fn last(self, count: usize) -> String {
        self.counted(self.words().last, count)
    }

    /// Returns a text such as "1 of them is a sample, not an event.".
    pub(crate) fn samples(self, count: usize) -> String {
        self.counted(self.words().samples, count)
    }

    fn counted(self, forms: [&'static str; 2], count: usize) -> String {
        let count = count.to_string();
        let form = match self.plural(&count) {
            Plural::One => forms[0],
            Plural::Other => forms[1],
        };
        form.replace("{}", &self.number(&count))
    }
}

#[cfg(test)]
mod tests;
