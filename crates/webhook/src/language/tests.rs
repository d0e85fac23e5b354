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
    let one_and_two = |language: Language| [1, 2].map(|count| language.events(count) + &language.more(count));
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
