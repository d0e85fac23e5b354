//! Values of an event's data read in messages as they were written: numbers with all their digits, the rest as JSON.
#![allow(clippy::unwrap_used)]

use webhook::definition::{Catalogue, Definition, EventDefinition, FieldDefinition};
use webhook::event::Event;

fn event(data: &str) -> Event {
    Event {
        event_type: "own".into(),
        data: data.into(),
        occurred_at: jiff::Timestamp::UNIX_EPOCH,
        traceparent: None,
    }
}

fn definition(template: &str) -> Definition {
    let field = FieldDefinition {
        name: "Field".into(),
        value: template.into(),
    };
    Definition::compile(&EventDefinition {
        name: "own".into(),
        title: "Own".into(),
        colour: 0,
        emoji: String::new(),
        text: template.into(),
        fields: vec![field],
        footer: None,
        time_key: None,
        url: None,
        thumbnail: None,
        language: webhook::language::Language::English,
    })
    .unwrap()
}

/// What the template makes of the data.
fn told(template: &str, data: &str) -> String {
    let card = definition(template).try_card(&event(data)).unwrap();
    assert_eq!(
        card.fields.first().map_or("", |(_, value)| value.as_str()),
        card.text.as_str()
    );
    card.text.as_str().to_owned()
}

/// Numbers, and how they read.
const NUMBERS: [(&str, &str); 16] = [
    ("10.50", "10.50"),
    ("7.00", "7.00"),
    ("7.0", "7"),
    ("-7.0", "-7"),
    ("0", "0"),
    ("-0.0", "-0"),
    ("9007199254740993", "9007199254740993"),
    ("18446744073709551615", "18446744073709551615"),
    ("12345678901234567.89", "12345678901234567.89"),
    ("123456789012345678901234567890", "123456789012345678901234567890"),
    (
        "-123456789012345678901234567890.10",
        "-123456789012345678901234567890.10",
    ),
    (
        "0.1000000000000000055511151231257827",
        "0.1000000000000000055511151231257827",
    ),
    ("1e999", "1e+999"),
    ("1e-999", "1e-999"),
    ("3.5", "3.5"),
    ("42", "42"),
];

#[test]
fn a_number_keeps_its_digits_whatever_prints_it() {
    for (number, shown) in NUMBERS {
        let data = format!(r#"{{"n": {number}, "list": [{number}], "map": {{"n": {number}}}, "no": null}}"#);
        for (template, expected) in [
            ("{{ n }} pieces", "SHOWN pieces"),
            // By the engine: it is more than a key.
            ("{{ n }}{{ ' pieces' }}", "SHOWN pieces"),
            ("{{ list[0] }} {{ map.n }} {{ map['n'] }}", "SHOWN SHOWN SHOWN"),
            ("{{ list }} {{ map }}", r#"[SHOWN] {"n": SHOWN}"#),
            ("{% for item in list %}{{ item }}{% endfor %}", "SHOWN"),
            ("{% set copy = n %}{{ copy }}", "SHOWN"),
            (
                "{{ 'n: ' ~ n }} {{ n|string }} {{ list|join(';') }}",
                "n: SHOWN SHOWN SHOWN",
            ),
            (
                "{{ n|default(1) }} {{ missing|default(n) }} {{ list|first }}",
                "SHOWN SHOWN SHOWN",
            ),
            ("{{ n if list else 0 }}", "SHOWN"),
        ] {
            assert_eq!(
                told(template, &data),
                expected.replace("SHOWN", shown),
                "{template} of {number}"
            );
        }
        let generic = Catalogue::default().card(&event(&format!(r#"{{"n": {number}}}"#)));
        assert_eq!(generic.fields[0].1.as_str(), shown, "{number}");
    }
}

#[test]
fn what_counts_with_a_number_gets_one() {
    let data = r#"{"price": 10.50, "days": 7.0, "large": 123456789012345678901234567890, "beyond": 1e999, "zero": 0.00, "prices": [10.50, 0.25, 3]}"#;
    for (template, expected) in [
        (
            "{{ price * 2 }} {{ price + 1 }} {{ -price }} {{ 2 ** days }}",
            "21 11.5 -10.5 128",
        ),
        (
            "{% if price > 10 and price == 10.5 and days == 7 %}yes{% endif %}",
            "yes",
        ),
        (
            "{{ price in [10.5] }} {{ days is odd }} {{ days is number }}",
            "true true true",
        ),
        ("{{ price|round }} {{ price|int }} {{ zero|abs }}", "10 10 0"),
        (
            "{{ prices|sum }} {{ prices|max }} {{ prices|sort }}",
            "13.75 10.5 [0.25, 3, 10.5]",
        ),
        ("{% if large > 5 and beyond > large %}large{% endif %}", "large"),
        ("{% if zero %}something{% else %}nothing{% endif %}", "nothing"),
        ("{% if price %}something{% endif %}", "something"),
        ("{{ '%.2f'|format(price) }}", "10.50"),
        ("{{ 14 / 2 }}", "7"),
    ] {
        assert_eq!(told(template, data), expected, "{template}");
    }
}

#[test]
fn the_rest_is_json() {
    let data = r#"{"yes": true, "no": false, "none": null, "list": [true, null, "a\"b", 1.50, []], "map": {"b": false, "a": {"c": null}}}"#;
    for (template, expected) in [
        ("{{ yes }} {{ no }} {{ none }}.", "true false ."),
        (
            "{{ yes }}{{ '' }} {{ not yes }} {{ yes and no }}",
            "true false false",
        ),
        ("{{ list }}", r#"[true, null, "a\"b", 1.50, []]"#),
        ("{{ map }}", r#"{"a": {"c": null}, "b": false}"#),
        ("{{ 'a' ~ yes ~ none ~ list[4] }}", "atrue[]"),
        (
            "{{ yes|string }} {{ list|join(', ') }} {{ yes|upper }}",
            "true true, , a\"b, 1.50, [] TRUE",
        ),
        ("{{ {'a': yes} }} {{ [none, 1.0] }}", r#"{"a": true} [null, 1]"#),
    ] {
        assert_eq!(told(template, data), expected, "{template}");
    }
}

#[test]
fn one_number_beyond_a_float_costs_nothing_else() {
    let card = definition("{{ title }}: {{ n }}").card(&event(r#"{"title": "Report", "n": 1e999}"#), None);
    assert_eq!(card.text.as_str(), "Report: 1e+999");
}
