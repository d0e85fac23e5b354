//! Event types as data: how they are written, which data they ask for, and whose wording counts.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use serde_json::{Value, json};
use webhook::definition::{Catalogue, Definition, EventDefinition, UnknownKey, builtin, placeholder, sample};
use webhook::event::Event;

fn definition(json: Value) -> EventDefinition {
    serde_json::from_value(json).unwrap()
}

fn event(event_type: &str, data: &Value) -> Event {
    Event {
        event_type: event_type.into(),
        data: data.to_string().into(),
        occurred_at: "2024-01-15T10:31:02Z".parse().unwrap(),
        traceparent: None,
    }
}

#[test]
fn a_colour_is_written_as_on_the_web() {
    let raw = definition(json!({ "name": "a", "title": "A", "colour": "#0099Ff" }));
    assert_eq!(raw.colour, 0x00_99_FF);
    assert_eq!(serde_json::to_value(&raw).unwrap()["colour"], "#0099ff");
    for wrong in ["0099ff", "#09f", "#0099fg", "#+099ff", "red", ""] {
        let raw =
            serde_json::from_value::<EventDefinition>(json!({ "name": "a", "title": "A", "colour": wrong }));
        assert!(raw.unwrap_err().to_string().contains("#rrggbb"), "{wrong}");
    }
}

#[test]
fn fields_are_an_object_in_its_order_or_an_array() {
    let object: EventDefinition = serde_json::from_str(
        r#"{"name": "a", "title": "A", "fields": {"Zeta": "{{ z }}", "An": "1", "B": ""}}"#,
    )
    .unwrap();
    let names: Vec<_> = object.fields.iter().map(|field| &*field.name).collect();
    assert_eq!(names, ["Zeta", "An", "B"]);
    let array = serde_json::to_value(&object).unwrap();
    assert_eq!(array["fields"][0], json!({ "name": "Zeta", "value": "{{ z }}" }));
    assert_eq!(definition(array), object);
}

#[test]
fn what_is_wrong_is_named_by_its_key_and_the_refusal_says_what_it_must_be() {
    for (json, refusal) in [
        ("3", "the definition must be a JSON object, not a number"),
        ("{}", "name must not be missing"),
        (r#"{"name": "a"}"#, "title must not be missing"),
        (
            r#"{"name": "a", "title": null}"#,
            "title must be a string, not null",
        ),
        (
            r#"{"name": "a", "title": ["A"]}"#,
            "title must be a string, not an array",
        ),
        (
            r#"{"name": "a", "titel": "A"}"#,
            "\"titel\" is not a part of the definition of an event type: perhaps \"title\" is meant",
        ),
        (
            r#"{"weather": 1}"#,
            "\"weather\" is not a part of the definition of an event type: it has name, title, colour, emoji, text, fields, footer, time_key, url, thumbnail, language",
        ),
        (
            r#"{"colour": "red"}"#,
            "colour must be #rrggbb, such as #0099ff, not \"red\"",
        ),
        (
            r#"{"footer": true}"#,
            "footer must be a string, not true or false",
        ),
        (
            r#"{"fields": "text"}"#,
            "fields must be a JSON object of names and templates, not a string",
        ),
        (
            r#"{"fields": {"a": 1}}"#,
            "field \"a\" must be a string, which is its template, not a number",
        ),
        (
            r#"{"fields": [1]}"#,
            "each of fields must be an object with \"name\" and \"value\", not a number",
        ),
        (
            r#"{"fields": [{"name": "a"}]}"#,
            "each of fields must have \"value\"",
        ),
        (
            r#"{"fields": [{"name": "a", "valeu": "b"}]}"#,
            "\"valeu\" is not a part of a field: perhaps \"value\" is meant",
        ),
        (r#"{"title": 1e999}"#, "title must be a string, not a number"),
        (
            r#"{"title": "\ud800"}"#,
            "the definition must be JSON whose escapes can be read",
        ),
        (
            &format!(r#"{{"fields": {}{}}}"#, "[".repeat(200), "]".repeat(200)),
            "the definition must not be nested deeper than 100 levels",
        ),
    ] {
        assert_eq!(
            EventDefinition::parse(json).unwrap_err().to_string(),
            refusal,
            "{json}"
        );
    }
}

#[test]
fn a_definition_knows_which_data_it_asks_for() {
    let raw = definition(json!({
        "name": "a",
        "title": "{{ name|title }}",
        "text": "{% for tag in tags %}{{ tag }} {{ loop.index }}{% endfor %}{% set x = inner.deep %}{{ x }}{% if a and not b %}{{ range(3) }}{% endif %}",
        "fields": { "F": "{{ count + 1 }}" },
        "time_key": "at",
    }));
    let keys: Vec<_> = raw.keys().into_iter().collect();
    assert_eq!(keys, ["a", "at", "b", "count", "inner", "name", "tags"]);
}

#[test]
fn built_in_definitions_ask_for_what_their_events_have() {
    for raw in builtin() {
        let known: BTreeSet<String> = sample(&raw.name)
            .unwrap()
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        assert_eq!(raw.unknown_keys(&known), [], "{}", raw.name);
    }
}

#[test]
fn a_misspelt_key_is_found_with_what_was_meant() {
    let raw =
        definition(json!({ "name": "a", "title": "{{ task_titel }}", "text": "{{ weather }}{{ points }}" }));
    let known = ["task_title", "points"].map(ToOwned::to_owned).into();
    assert_eq!(
        raw.unknown_keys(&known),
        [
            UnknownKey {
                key: "task_titel".into(),
                meant: Some("task_title".into())
            },
            UnknownKey {
                key: "weather".into(),
                meant: None
            },
        ]
    );
}

#[test]
fn a_type_without_a_sample_gets_words_in_the_place_of_data() {
    let raw = definition(json!({
        "name": "release_published", "title": "Release", "text": "**{{ release_name }}** by {{ author_id }}", "time_key": "at",
    }));
    let data = placeholder(&raw);
    assert_eq!(
        Value::Object(data.clone()),
        json!({ "release_name": "Release Name", "author_id": 1, "at": "2024-01-15T10:30:00Z" })
    );
    let card = Definition::compile(&raw)
        .unwrap()
        .card(&event("release_published", &Value::Object(data)), None);
    assert_eq!(card.text.as_str(), "Release Name by 1");
    assert_eq!(card.time.to_string(), "2024-01-15T10:30:00Z");
}

#[test]
fn nested_data_are_reached_by_every_kind_of_template() {
    let data = json!({ "release": { "author": { "name": "ada" }, "tags": ["a", "b"] }, "none": {} });
    for (text, expected) in [
        ("{{ release.author.name }}", "ada"),
        ("{{ release.author.name|title }}", "Ada"),
        ("{{ release['author']['name'] }}", "ada"),
        (
            "{% for key, value in release.author|items %}{{ key }}={{ value }}{% endfor %}",
            "name=ada",
        ),
        ("{{ release.tags|join('+') }}", "a+b"),
        ("{{ release.author }}", r#"{"name": "ada"}"#),
        ("{{ release.author if true }}", r#"{"name": "ada"}"#),
        ("{{ release.author.age|default('?') }}", "?"),
        ("{% if none %}some{% else %}none{% endif %}", "none"),
        ("{% if not none %}none{% endif %}", "none"),
    ] {
        let raw = definition(json!({ "name": "a", "title": "A", "text": text }));
        let card = Definition::compile(&raw).unwrap().card(&event("a", &data), None);
        assert_eq!(card.text.as_str(), expected, "{text}");
    }
}

#[test]
fn templates_that_do_too_much_are_refused() {
    for text in [
        "{% for i in range(99999) %}x{% endfor %}",
        "{% for i in range(999) %}{% for j in range(999) %}{{ j }}{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    ] {
        let raw = definition(json!({ "name": "a", "title": "A", "text": text }));
        let outcome = Definition::compile(&raw);
        assert!(
            outcome.is_err() || outcome.unwrap().try_card(&event("a", &json!({}))).is_err(),
            "{text}"
        );
    }
    let raw =
        definition(json!({ "name": "a", "title": "A", "text": "{% for i in range(99999) %}x{% endfor %}" }));
    assert_eq!(
        Definition::compile(&raw).unwrap_err().to_string(),
        "template of text, line 1, at \"range(99999)\": it does too much: no message needs that"
    );
}

#[test]
fn a_template_that_fails_on_data_says_where_and_the_message_is_plain() {
    let raw = definition(json!({ "name": "a", "title": "A", "text": "{{ count + 1 }}" }));
    let definition = Definition::compile(&raw).unwrap();
    let bad = event("a", &json!({ "count": "many" }));
    let error = definition.try_card(&bad).unwrap_err();
    assert!(error.starts_with("template of text: "), "{error}");
    let card = definition.card(&bad, None);
    assert_eq!(&*card.fields[0].0, "Count");
    assert_eq!(
        definition
            .try_card(&event("a", &json!({ "count": 1 })))
            .unwrap()
            .text
            .as_str(),
        "2"
    );
}

#[test]
fn a_webhooks_own_wording_goes_before_what_the_others_read() {
    let wording = |text: &str| {
        Definition::compile(&definition(
            json!({ "name": "task_completed", "title": "T", "text": text }),
        ))
        .unwrap()
    };
    let mut catalogue = Catalogue::builtin();
    catalogue.insert(wording("for all"));
    catalogue.insert_own(7, wording("for one"));
    let event = event("task_completed", &json!({}));
    assert_eq!(catalogue.card_for(7, &event).text.as_str(), "for one");
    assert_eq!(catalogue.card_for(8, &event).text.as_str(), "for all");
    let other = Event {
        event_type: "badge_earned".into(),
        ..event
    };
    assert_eq!(catalogue.card_for(7, &other), Catalogue::builtin().card(&other));
}
