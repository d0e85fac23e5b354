//! What templates may do, and what is said of those that may not.

use serde_json::{Value, json};
use webhook::card::Card;
use webhook::definition::{Catalogue, Definition, DefinitionError, EventDefinition, FieldDefinition};
use webhook::endpoint::EndpointKind::Discord;
use webhook::message::compose;

use crate::{event, own, sample_event};

#[test]
fn an_overridden_type_speaks_another_language() {
    let mut catalogue = Catalogue::builtin();
    let raw: EventDefinition = serde_json::from_value(json!({
        "name": "task_completed",
        "title": "Aufgabe erledigt",
        "text": "**{{ user_name }}** hat **{{ task_title|upper }}** erledigt{% if points > 20 %} 🎉{% endif %}",
        "fields": [{ "name": "Punkte", "value": "{{ points }}" }],
    }))
    .unwrap();
    catalogue.insert(Definition::compile(&raw).unwrap());
    let message = compose(Discord, &[catalogue.card(&sample_event("task_completed"))]);
    let embed = &serde_json::from_slice::<Value>(&message.body).unwrap()["embeds"][0];
    assert_eq!(
        embed["description"],
        "**alice** hat **WRITE THE RELEASE NOTES** erledigt 🎉"
    );
    assert_eq!(embed["color"], 0x80_80_80);
    assert_eq!(
        serde_json::from_value::<EventDefinition>(serde_json::to_value(&raw).unwrap()).unwrap(),
        raw
    );
}

#[test]
fn definition_errors_name_the_part_and_the_place() {
    let error = |raw: &EventDefinition| Definition::compile(raw).map(|_| ()).unwrap_err().to_string();
    let in_field = |value: &str| {
        let fields = vec![FieldDefinition {
            name: "Points".into(),
            value: value.into(),
        }];
        error(&EventDefinition { fields, ..own("") })
    };
    assert_eq!(
        error(&own("first\n{{ name|shout }}")),
        "template of text, line 2, at \"shout\": filter shout is unknown"
    );
    assert!(
        in_field("{{ points").starts_with("template of field \"Points\", line 1"),
        "{}",
        in_field("{{ points")
    );
    assert!(in_field("{% include 'a' %}").starts_with("template of field \"Points\""));
    assert!(in_field("{{ a|safe }}").contains("filter safe is unknown"));
    assert_eq!(
        error(&EventDefinition {
            title: " ".into(),
            ..own("")
        }),
        "title must not be empty"
    );
    assert_eq!(
        error(&EventDefinition {
            name: String::new(),
            ..own("")
        }),
        "name must not be empty"
    );
    assert_eq!(
        error(&EventDefinition {
            name: "x".repeat(51),
            ..own("")
        }),
        "name must be at most 50 characters"
    );
    assert!(matches!(
        Definition::compile(&EventDefinition { colour: 1 << 24, ..own("") }),
        Err(DefinitionError::Invalid { part, .. }) if part == "colour"
    ));
    let fields = vec![
        FieldDefinition {
            name: "F".into(),
            value: String::new()
        };
        26
    ];
    assert_eq!(
        error(&EventDefinition { fields, ..own("") }),
        "fields must not be more than 25"
    );
}

/// What a template makes of data, without markup.
fn rendered(template: &str, data: &Value) -> Card {
    Definition::compile(&own(template))
        .unwrap()
        .card(&event("own", data), None)
}

#[test]
fn data_never_become_markup_on_any_way_through_a_template() {
    let data = json!({ "name": "**a** * b", "list": ["**x**"], "map": { "k**": "**v**" } });
    for template in [
        "{{ name }}",
        "{{ name|upper }}{{ name|replace('a', '**') }}",
        "{% set who %}{{ name }}{% endset %}{{ who }}",
        "{% set who %}{{ name }}{% endset %}{{ who|replace('b', '**c**') }}",
        "{{ name ~ '**' }}{{ '**' }}",
        "{{ list }} {{ map }} {{ list|join('**') }}",
        "{% autoescape false %}{{ name }}{% endautoescape %}",
        "{% filter lower %}{{ name }}{% endfilter %}",
        "{{ list|first }}{{ name[:4] }}{{ name * 2 }}",
    ] {
        let card = rendered(template, &data);
        assert!(card.text.as_str().contains("**"), "{template}: {card:?}");
        assert!(card.text.spans().all(|span| !span.bold), "{template}: {card:?}");
    }
    let card = rendered("{% set who %}**{{ name }}**{% endset %}{{ who }}", &data);
    assert_eq!(card.text.as_str(), "**a** * b");
    assert!(card.text.spans().all(|span| span.bold));
}

#[test]
fn a_template_that_always_works_too_much_is_refused() {
    for template in [
        "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
        "{{ 'x' * 10000000 }}",
        "{{ '%99999999d'|format(1) }}",
    ] {
        let refusal = Definition::compile(&own(template)).unwrap_err().to_string();
        assert!(refusal.contains("it does too much"), "{template}: {refusal}");
    }
}

#[test]
fn a_template_that_works_too_much_on_some_data_gives_the_generic_card() {
    let data = json!({ "name": "alice", "many": 100_000 });
    for template in [
        "{% for a in range(many) %}{% for b in range(many) %}x{% endfor %}{% endfor %}",
        "{{ name * 100000000 }}",
        "{{ range(1000000)|join(name) }}",
        "{{ name + 1 }}",
        "{% for a in range(50) recursive %}{{ loop(range(50)) }}{% endfor %}",
    ] {
        let card = rendered(template, &data);
        assert_eq!(
            (card.title.as_str(), card.text.is_empty(), card.fields.len()),
            ("Own", true, data.as_object().unwrap().len()),
            "{template}: {card:?}"
        );
    }
}
