//! Templates that somebody has written to keep the worker busy: each ends soon, within a few megabytes, as a card or an error. A
//! program of its own, because it looks at the memory of the process.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use webhook::definition::{Definition, EventDefinition};
use webhook::event::Event;

/// Far more than any of them takes, and far less than they took without a budget.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same of memory, in kilobytes.
const MEMORY: u64 = 48 * 1024;

fn event(data: &Value) -> Event {
    Event {
        event_type: "a".into(),
        data: data.to_string().into(),
        occurred_at: jiff::Timestamp::UNIX_EPOCH,
        traceparent: None,
    }
}

fn data() -> Value {
    let rows: Vec<Value> = (0..60)
        .map(|row| json!({ "n": row, "tags": ["a", "b", row] }))
        .collect();
    json!({ "text": "x".repeat(70_000), "n": 100_000_000, "list": (0..5_000).collect::<Vec<_>>(), "rows": rows, "small": [1, 2, 3] })
}

/// The most memory that the process has had, in kilobytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Compiles the template and makes a card with it. None: it is refused, or fails on the data.
fn card(text: &str, data: &Value) -> Option<String> {
    let raw = EventDefinition {
        name: "a".into(),
        title: "A".into(),
        text: text.into(),
        colour: 0,
        emoji: String::new(),
        fields: Vec::new(),
        footer: None,
        time_key: None,
        url: None,
        thumbnail: None,
        language: webhook::language::Language::English,
    };
    let definition = Definition::compile(&raw).ok()?;
    let card = definition.try_card(&event(data)).ok()?;
    Some(card.text.as_str().to_owned())
}

/// What `card` gives, in time and within bounds.
fn bounded(text: &str, data: &Value) -> Option<String> {
    let before = peak();
    let (send, outcome) = mpsc::channel();
    let (template, values) = (text.to_owned(), data.clone());
    thread::spawn(move || send.send(card(&template, &values)));
    let outcome = outcome
        .recv_timeout(PATIENCE)
        .unwrap_or_else(|_| panic!("it goes on and on: {text}"));
    let grown = peak().saturating_sub(before);
    assert!(grown < MEMORY, "{grown} kB: {text}");
    outcome
}

#[test]
fn templates_that_build_or_compare_too_much_end_soon() {
    // Each took seconds, or hundreds of megabytes, when only what is printed was counted.
    let hostile = [
        "{{ [1] * 100000000 }}",
        "{{ ([1] * 100000000) == ([1] * 100000000) }}",
        "{% if ([1] * n) == ([1] * n) %}x{% endif %}",
        "{{ (list * 20000) < (list * 20000) }}",
        "{{ (small * n) ~ '' }}",
        "{{ [small * n, small * n]|string }}",
        "{{ ([''] * n)|join('') }}",
        "{{ 5 in (small * n) }}",
        "{{ 5 is in (small * n) }}",
        "{{ (small * n)|sort|length }}",
        "{{ (small * n)|unique|list }}",
        "{{ (small * n)[::-1] }}",
        "{{ (small * n)|reverse|first }}",
        "{{ (small * n)|last }}",
        "{{ (small * n) + 1 }}",
        "{{ text * n }}",
        "{{ 'x' * 100000000 }}",
        "{{ (1, 2) * 10000000 }}",
        "{% set a = text ~ text %}{% set a = a ~ a %}{% set a = a ~ a %}{% set a = a ~ a %}{% set a = a ~ a %}{{ a|length }}",
        "{% set ns = namespace(a=small) %}{% for i in range(60) %}{% set ns.a = ns.a + ns.a %}{% endfor %}{{ ns.a == 1 }}",
        "{% set ns = namespace(a=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a }}",
        "{% set ns = namespace(a=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a == ns.a }}",
        "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }}",
        "{% set ns = namespace(a=1) %}{% for i in range(60) %}{% set ns.a = dict(a=ns.a, b=ns.a) %}{% endfor %}{{ ns.a|string }}",
        "{% set ns = namespace(a=[1]) %}{% for i in range(3000) %}{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a }}",
        "{% for i in list %}{% if list == list|list %}x{% endif %}{% endfor %}",
        "{% for i in list %}{% if rows == rows|list %}x{% endif %}{% endfor %}",
        "{% for i in list %}{{ list|sum }}{% endfor %}",
        "{% for i in list %}{{ rows|map(attribute='tags')|list|sort|length }}{% endfor %}",
        "{% for i in list %}{{ text|upper|length }}{% endfor %}",
        "{% for i in list %}{{ text|replace('x', 'yy')|length }}{% endfor %}",
        "{{ text|replace('', text) }}",
        "{{ list|map('string')|join(text) }}",
        "{{ list|select('in', list)|list|length }}",
        "{{ rows|selectattr('tags', 'eq', rows)|list|length }}",
        "{{ list|batch(100000000, 1)|list }}",
        "{{ [1]|batch(100000000, 1)|list|length }}",
        "{{ []|slice(100000000)|list|length }}",
        "{{ list|slice(100000000, 1)|list|length }}",
        "{{ 'a'|indent(100000000) }}",
        "{{ text|replace('x', '\n')|indent(10000)|length }}",
        "{{ '%100000000d'|format(1) }}",
        "{{ '%.100000000f'|format(1.5) }}",
        "{{ '%*d'|format(100000000, 1) }}",
        "{{ range(100000000)|list|length }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ 1.5|round(100000000) }}",
        "{{ text|list|unique|length }}",
        "{{ list|zip(list, list, list)|list|zip(list)|list|length }}",
        "{{ list|chain(list, list)|chain(list)|list|groupby('x')|length }}",
        "{% for a in list recursive %}{{ loop(list) }}{% endfor %}",
        "{{ text|split('')|join(text) }}",
        "{{ text|lines|join(text) }}",
        "{% filter upper %}{% for i in list %}{{ text }}{% endfor %}{% endfilter %}",
        "{% set a %}{% for i in list %}{{ text }}{% endfor %}{% endset %}{{ a }}",
        "{{ -(small * n) }}",
        "{{ {(small * n): 1} }}",
        "{{ {1: 2}[small * n] }}",
        "{{ not (small * n) }}",
        "{{ rows[small * n] }}",
        "{{ small[n] }}{{ (list * n)[99999999] }}",
    ];
    let data = data();
    for text in hostile {
        bounded(text, &data);
        // However often it is asked for, in one message.
        bounded(&format!("{{% for i in range(200) %}}{text}{{% endfor %}}"), &data);
    }
}

#[test]
fn what_messages_need_is_not_counted_away() {
    let data = data();
    for (text, expected) in [
        ("{{ 2 * 3 }}{{ '-' * 3 }}", "6---"),
        ("{{ n // 1000000 * 2 }}", "200"),
        ("{{ list|length }} {{ list|sum }}", "5000 12497500"),
        ("{% if small == [1, 2, 3] %}same{% endif %}", "same"),
        ("{% if 2 in small and 9 not in small %}in{% endif %}", "in"),
        ("{{ (small + [4])|join('+') }}", "1+2+3+4"),
        (
            "{% for row in rows %}{{ row.n }},{% endfor %}",
            &(0..60).map(|row| format!("{row},")).collect::<String>(),
        ),
        ("{{ rows|map(attribute='n')|max }}", "59"),
        (
            "{{ rows|selectattr('n', 'lt', 3)|map(attribute='n')|join(' ') }}",
            "0 1 2",
        ),
        ("{{ text|length }}", "32768"),
        ("{{ text|upper|length if text else '' }}", "32768"),
        ("{{ 1 < small|length <= 3 }}", "true"),
        ("{{ missing|default('none') }}{{ missing.deeper }}", "none"),
        ("{{ 'a' ~ small ~ 1 }}", "a[1, 2, 3]1"),
        ("{{ [1, (-3) ** 2.5] }}", "[1, NaN]"),
    ] {
        assert_eq!(bounded(text, &data).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn the_templates_of_a_card_share_their_budget() {
    let busy = "{% for i in range(1500) %}{% if i == 3 %}x{% endif %}{% endfor %}";
    let with = |fields: usize| {
        let fields: Vec<Value> = (0..fields)
            .map(|n| json!({ "name": n.to_string(), "value": busy }))
            .collect();
        let raw = json!({ "name": "a", "title": "A", "fields": fields });
        let definition = Definition::compile(&serde_json::from_value(raw).unwrap()).unwrap();
        definition.try_card(&event(&json!({})))
    };
    assert!(with(1).is_ok());
    let error = with(25).unwrap_err();
    assert!(error.contains("it does too much"), "{error}");
}

/// Expressions of all kinds, of any type.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("text"),
        Just("n"),
        Just("list"),
        Just("rows"),
        Just("small"),
        Just("missing"),
        Just("loop"),
        Just("a"),
        Just("1"),
        Just("100000000"),
        Just("-3"),
        Just("2.5"),
        Just("'x'"),
        Just("''"),
        Just("true"),
        Just("none"),
    ]
    .prop_map(ToOwned::to_owned);
    leaf.prop_recursive(5, 24, 4, |inner| {
        let one = inner.clone();
        let operator = prop_oneof![
            Just("*"),
            Just("+"),
            Just("-"),
            Just("~"),
            Just("=="),
            Just("<"),
            Just(">="),
            Just("in"),
            Just("not in"),
            Just("**"),
            Just("//"),
            Just("%"),
            Just("and"),
            Just("or"),
            Just("!="),
        ];
        let filter = prop_oneof![
            Just("sort"),
            Just("list"),
            Just("string"),
            Just("join"),
            Just("unique"),
            Just("reverse"),
            Just("length"),
            Just("last"),
            Just("first"),
            Just("sum"),
            Just("min"),
            Just("upper"),
            Just("title"),
            Just("items"),
            Just("lines"),
            Just("dictsort"),
            Just("trim"),
            Just("capitalize"),
            Just("abs"),
            Just("int"),
            Just("float"),
            Just("round"),
            Just("bool"),
        ];
        let filter_of_two = prop_oneof![
            Just("join"),
            Just("split"),
            Just("batch"),
            Just("slice"),
            Just("zip"),
            Just("chain"),
            Just("indent"),
            Just("default"),
            Just("format"),
            Just("round"),
            Just("map"),
            Just("select"),
            Just("attr"),
            Just("groupby"),
            Just("trim"),
        ];
        prop_oneof![
            (one.clone(), operator, one.clone()).prop_map(|(a, o, b)| format!("({a} {o} {b})")),
            (one.clone(), filter).prop_map(|(a, f)| format!("({a}|{f})")),
            (one.clone(), filter_of_two, one.clone()).prop_map(|(a, f, b)| format!("({a}|{f}({b}))")),
            (one.clone(), one.clone(), one.clone()).prop_map(|(a, b, c)| format!("({a}|replace({b}, {c}))")),
            (one.clone(), one.clone()).prop_map(|(a, b)| format!("[{a}, {b}, {a}]")),
            (one.clone(), one.clone()).prop_map(|(a, b)| format!("({a}, {b})")),
            (one.clone(), one.clone()).prop_map(|(a, b)| format!("{{{a}: {b}}}")),
            (one.clone(), one.clone()).prop_map(|(a, b)| format!("({a}[{b}])")),
            (one.clone(), one.clone()).prop_map(|(a, b)| format!("({a}[::{b}])")),
            (one.clone(), one.clone(), one.clone()).prop_map(|(a, b, c)| format!("({a} if {b} else {c})")),
            (one.clone(), one.clone()).prop_map(|(a, b)| format!("range({a}, {b})")),
            one.prop_map(|a| format!("(not {a})")),
        ]
    })
}

fn template() -> impl Strategy<Value = String> {
    let leaf = expression().prop_map(|e| format!("{{{{ {e} }}}}"));
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (expression(), inner.clone()).prop_map(|(e, i)| format!("{{% for a in {e} %}}{i}{{% endfor %}}")),
            (expression(), inner.clone()).prop_map(|(e, i)| format!("{{% if {e} %}}{i}{{% endif %}}")),
            (expression(), inner.clone()).prop_map(|(e, i)| format!("{{% set a = {e} %}}{i}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{% set a %}}{a}{{% endset %}}{b}")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("{a}{b}")),
        ]
    })
}

/// What makes a text of whatever it is given: there the engine alone spells as Python does (tests/numbers.rs has what we do).
fn makes_text(template: &str) -> bool {
    let filters = [
        "string",
        "upper",
        "title",
        "capitalize",
        "trim",
        "lines",
        "join",
        "split",
        "indent",
        "replace",
    ];
    template.contains('~')
        || filters
            .iter()
            .any(|filter| template.contains(&format!("|{filter}")))
}

/// JSON has no such number, of which `-3 ** 2.5` is one.
fn is_not_finite(value: &minijinja::Value) -> bool {
    value.is_number() && f64::try_from(value.clone()).is_ok_and(|number| !number.is_finite())
}

/// A text as it is, null as nothing, a number that is none as the engine writes it, the rest as JSON.
fn is_printed_as(value: &minijinja::Value, text: &str) -> bool {
    match value.as_str() {
        _ if value.is_none() || value.is_undefined() => text.is_empty(),
        _ if is_not_finite(value) => value.to_string() == text,
        Some(own) => own == text,
        // No text here has these letters.
        None => serde_json::from_str(
            &text
                .replace("-inf", "null")
                .replace("inf", "null")
                .replace("NaN", "null"),
        )
        .is_ok_and(|json| is_same(value, &json)),
    }
}

fn is_same(value: &minijinja::Value, json: &Value) -> bool {
    use minijinja::value::ValueKind;
    let items = || value.try_iter().into_iter().flatten();
    match json {
        Value::Null => {
            let kinds = [ValueKind::None, ValueKind::Undefined, ValueKind::Invalid];
            kinds.contains(&value.kind()) || is_not_finite(value)
        }
        Value::Bool(bool) => value.kind() == ValueKind::Bool && value.is_true() == *bool,
        Value::Number(number) => f64::try_from(value.clone()).ok() == number.as_f64(),
        Value::String(text) => value.as_str() == Some(text),
        Value::Array(all) => {
            items().count() == all.len() && items().zip(all).all(|(item, json)| is_same(&item, json))
        }
        Value::Object(all) => items().all(|key| {
            let name = key.as_str().map_or_else(|| key.to_string(), ToOwned::to_owned);
            let inner = value.get_item(&key).unwrap_or_default();
            all.get(&name).is_some_and(|json| is_same(&inner, json))
        }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_template_ends_soon(text in template()) {
        bounded(&text, &data());
    }

    /// Counting changes nothing but where it ends.
    #[test]
    fn a_template_gives_what_the_engine_alone_would(text in expression().prop_filter("no large number, no text of another value", |text| !text.contains("100000000") && !makes_text(text))) {
        let data = json!({ "text": "ab", "n": 2, "list": [3, 1, 2], "rows": [{"n": 1}], "small": [1, 2] });
        if let Some(ours) = bounded(&format!("{{{{ {text} }}}}"), &data) {
            let values = minijinja::context! {
                text => "ab", n => 2, list => vec![3, 1, 2], small => vec![1, 2],
                rows => vec![minijinja::context! { n => 1 }],
            };
            let mut engine = minijinja::Environment::new();
            engine.set_undefined_behavior(minijinja::UndefinedBehavior::Chainable);
            let value = engine.compile_expression(&text).and_then(|expression| expression.eval(values));
            if let Ok(value) = value {
                prop_assert!(is_printed_as(&value, &ours), "{value} is printed as {ours}");
            }
        }
    }
}
