//! The languages that messages are written in: the words of the built-in events, and of each language what the formats say themselves, how
//! it counts, and how it writes numbers and dates.
//!
//! The rules are those of Unicode's CLDR 46 for `en`, `de`, `es`, `fr`, `ja` and `pt` (which is Brazil's), as far as whole numbers and long dates need them.
//! A library of it all (icu) would be larger than the rest of this crate, and six languages are a small table.

mod packs;

use std::fmt::Write;

use jiff::Zoned;
use jiff::civil::Date;

use crate::definition::EventDefinition;

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

/// What formats and digests say themselves, whatever the event.
#[derive(Debug)]
pub(crate) struct Words {
    /// A link to the thing, where it needs a name.
    pub open: &'static str,
    /// A card that is of no event.
    pub sample: &'static str,
    /// The same within a line of a digest.
    pub sample_of: &'static str,
    /// A card without a title.
    pub no_title: &'static str,
    /// What a picture is.
    pub picture: &'static str,
    /// The number of other cards, after the title of the first.
    more: [&'static str; 2],
    events: [&'static str; 2],
    last: [&'static str; 2],
    samples: [&'static str; 2],
    /// All other types of a digest.
    pub others: &'static str,
}

/// Which form a number asks for.
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

    /// Its code, of ISO 639-1.
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

    /// The language of that code.
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }

    /// The definitions of the five built-in events and of the test message in this language.
    pub fn pack(self) -> Vec<EventDefinition> {
        packs::pack(self)
    }

    /// What an event type of the installation's own five is called; none for all others.
    pub(crate) fn title(self, event_type: &str) -> Option<&'static str> {
        packs::title(self, event_type)
    }

    /// Which form a number of things takes: CLDR's cardinal plural rules.
    ///
    /// | language | `one` |
    /// |---|---|
    /// | en, de | i = 1 and v = 0 |
    /// | es | n = 1 |
    /// | fr, pt | i = 0, 1 |
    /// | ja | none |
    ///
    /// (i: the whole part, v: the number of decimals, n: the value.) Spanish, French and Portuguese have a form of its own for whole millions, `many`, for
    /// the "de" of "un millón de puntos"; here it is as any other.
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

    /// The number as the language writes it; what is no number stays as it is.
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

    /// CLDR's `percentFormat`: German and Spanish with a space that does not break, French with a narrow one.
    pub fn percent(self, text: &str) -> String {
        let mut written = self.number(text);
        written.push_str(match self {
            Self::English | Self::Japanese | Self::Portuguese => "%",
            Self::German | Self::Spanish => "\u{a0}%",
            Self::French => "\u{202f}%",
        });
        written
    }

    /// CLDR's long date, and in French the first of a month as people write it (`1er`).
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

    /// CLDR's full date: with the day of the week.
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

    /// When something was, for the small print: English as a machine would, since a month's number comes before or after the day's there.
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

    /// " (and 2 more)"
    pub(crate) fn more(self, others: usize) -> String {
        self.counted(self.words().more, others)
    }

    /// "12 events"
    pub(crate) fn events(self, count: usize) -> String {
        self.counted(self.words().events, count)
    }

    /// "The last 10 of them:"
    pub(crate) fn last(self, count: usize) -> String {
        self.counted(self.words().last, count)
    }

    /// "1 of them is a sample, not an event."
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

/// CLDR's wide month names, in the form that stands in a date; in the order of [`Language`].
const MONTHS: [[&str; 12]; 6] = [
    [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
    [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
    [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
    [
        "1月", "2月", "3月", "4月", "5月", "6月", "7月", "8月", "9月", "10月", "11月", "12月",
    ],
    [
        "janeiro",
        "fevereiro",
        "março",
        "abril",
        "maio",
        "junho",
        "julho",
        "agosto",
        "setembro",
        "outubro",
        "novembro",
        "dezembro",
    ],
];

/// CLDR's wide names of the days, from Monday on.
const WEEKDAYS: [[&str; 7]; 6] = [
    [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ],
    [
        "Montag",
        "Dienstag",
        "Mittwoch",
        "Donnerstag",
        "Freitag",
        "Samstag",
        "Sonntag",
    ],
    [
        "lunes",
        "martes",
        "miércoles",
        "jueves",
        "viernes",
        "sábado",
        "domingo",
    ],
    [
        "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche",
    ],
    [
        "月曜日",
        "火曜日",
        "水曜日",
        "木曜日",
        "金曜日",
        "土曜日",
        "日曜日",
    ],
    [
        "segunda-feira",
        "terça-feira",
        "quarta-feira",
        "quinta-feira",
        "sexta-feira",
        "sábado",
        "domingo",
    ],
];

const WORDS: [Words; 6] = [
    Words {
        open: "Open",
        sample: "A sample, not an event",
        sample_of: "Sample",
        no_title: "Notification",
        picture: "Picture",
        more: [" (and {} more)", " (and {} more)"],
        events: ["{} event", "{} events"],
        last: ["The last {} of them:", "The last {} of them:"],
        samples: [
            "{} of them is a sample, not an event.",
            "{} of them are samples, not events.",
        ],
        others: "Others",
    },
    Words {
        open: "Öffnen",
        sample: "Ein Beispiel, kein Ereignis",
        sample_of: "Beispiel",
        no_title: "Benachrichtigung",
        picture: "Bild",
        more: [" (und {} weiteres)", " (und {} weitere)"],
        events: ["{} Ereignis", "{} Ereignisse"],
        last: ["Das letzte davon:", "Die letzten {} davon:"],
        samples: [
            "{} davon ist ein Beispiel, kein Ereignis.",
            "{} davon sind Beispiele, keine Ereignisse.",
        ],
        others: "Sonstige",
    },
    Words {
        open: "Abrir",
        sample: "Un ejemplo, no un evento real",
        sample_of: "Ejemplo",
        no_title: "Notificación",
        picture: "Imagen",
        more: [" (y {} más)", " (y {} más)"],
        events: ["{} evento", "{} eventos"],
        last: ["El último:", "Los últimos {}:"],
        samples: [
            "{} de ellos es un ejemplo, no un evento real.",
            "{} de ellos son ejemplos, no eventos reales.",
        ],
        others: "Otros",
    },
    Words {
        open: "Ouvrir",
        sample: "Un exemple, pas un événement réel",
        sample_of: "Exemple",
        no_title: "Notification",
        picture: "Image",
        more: [" (et {} autre)", " (et {} autres)"],
        events: ["{} événement", "{} événements"],
        last: ["Le dernier\u{a0}:", "Les {} derniers\u{a0}:"],
        samples: [
            "{} d’entre eux est un exemple, pas un événement réel.",
            "{} d’entre eux sont des exemples, pas des événements réels.",
        ],
        others: "Autres",
    },
    Words {
        open: "開く",
        sample: "これはサンプルです(実際のイベントではありません)",
        sample_of: "サンプル",
        no_title: "通知",
        picture: "画像",
        more: ["(ほか{}件)", "(ほか{}件)"],
        events: ["{}件のイベント", "{}件のイベント"],
        last: ["最新の{}件:", "最新の{}件:"],
        samples: [
            "うち{}件はサンプルで、実際のイベントではありません。",
            "うち{}件はサンプルで、実際のイベントではありません。",
        ],
        others: "その他",
    },
    Words {
        open: "Abrir",
        sample: "Um exemplo, não um evento real",
        sample_of: "Exemplo",
        no_title: "Notificação",
        picture: "Imagem",
        more: [" (e mais {})", " (e mais {})"],
        events: ["{} evento", "{} eventos"],
        last: ["O último:", "Os últimos {}:"],
        samples: [
            "{} deles é um exemplo, não um evento real.",
            "{} deles são exemplos, não eventos reais.",
        ],
        others: "Outros",
    },
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn codes_lead_back() {
        for (place, language) in Language::ALL.into_iter().enumerate() {
            assert_eq!(Language::of(language.code()), Some(language));
            assert_eq!(language as usize, place, "the tables are in this order");
        }
        assert_eq!(Language::of("xx"), None);
    }

    /// Samples of CLDR's plural rules.
    #[test]
    fn one_task_and_two_tasks() {
        let ones = |language: Language| {
            ["0", "1", "1.0", "1.5", "2", "10", "21", "-1"]
                .into_iter()
                .filter(|number| language.plural(number) == Plural::One)
                .collect::<Vec<_>>()
        };
        assert_eq!(ones(Language::English), ["1", "-1"]);
        assert_eq!(ones(Language::German), ["1", "-1"]);
        assert_eq!(ones(Language::Spanish), ["1", "1.0", "-1"]);
        assert_eq!(ones(Language::French), ["0", "1", "1.0", "1.5", "-1"]);
        assert_eq!(ones(Language::Portuguese), ["0", "1", "1.0", "1.5", "-1"]);
        assert!(ones(Language::Japanese).is_empty());
    }

    #[test]
    fn numbers_have_groups_and_decimals() {
        let all = |number: &str| Language::ALL.map(|language| language.number(number));
        assert_eq!(all("999"), ["999"; 6]);
        assert_eq!(
            all("1234"),
            ["1,234", "1.234", "1234", "1\u{202f}234", "1,234", "1.234"]
        );
        assert_eq!(
            all("-1234567.50"),
            [
                "-1,234,567.50",
                "-1.234.567,50",
                "-1.234.567,50",
                "-1\u{202f}234\u{202f}567,50",
                "-1,234,567.50",
                "-1.234.567,50"
            ]
        );
        for other in ["", "-", "1.", ".5", "1e9", "NaN", "1 000", "many"] {
            assert_eq!(all(other), [other; 6]);
        }
        assert_eq!(
            Language::ALL.map(|language| language.percent("50")),
            ["50%", "50\u{a0}%", "50\u{a0}%", "50\u{202f}%", "50%", "50%"]
        );
    }

    #[test]
    fn dates_are_written_in_their_order() {
        let date: Date = "2024-03-01".parse().unwrap();
        assert_eq!(
            Language::ALL.map(|language| language.full_date(date)),
            [
                "Friday, March 1, 2024",
                "Freitag, 1. März 2024",
                "viernes, 1 de marzo de 2024",
                "vendredi 1er mars 2024",
                "2024年3月1日金曜日",
                "sexta-feira, 1 de março de 2024",
            ]
        );
        let time = "2024-12-31T09:05:00+00:00[UTC]".parse().unwrap();
        assert_eq!(
            Language::ALL.map(|language| language.moment(&time)),
            [
                "2024-12-31 09:05 UTC",
                "31. Dezember 2024, 09:05 UTC",
                "31 de diciembre de 2024, 09:05 UTC",
                "31 décembre 2024, 09:05 UTC",
                "2024年12月31日 09:05 UTC",
                "31 de dezembro de 2024, 09:05 UTC",
            ]
        );
    }

    #[test]
    fn a_digest_counts_in_each_language() {
        let one_and_two =
            |language: Language| [1, 2].map(|count| language.events(count) + &language.more(count));
        assert_eq!(
            one_and_two(Language::German),
            ["1 Ereignis (und 1 weiteres)", "2 Ereignisse (und 2 weitere)"]
        );
        assert_eq!(
            one_and_two(Language::French),
            ["1 événement (et 1 autre)", "2 événements (et 2 autres)"]
        );
        assert_eq!(
            one_and_two(Language::Japanese),
            ["1件のイベント(ほか1件)", "2件のイベント(ほか2件)"]
        );
    }
}
