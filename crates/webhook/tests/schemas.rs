//! Files that are made of the library's tables: what programs get of each event (`docs/reference/events.schema.json`), and the types of webhooks, for
//! the server (`docs/reference/webhook-types.json`) and for Django. With `ZENTRY_WRITE` in the environment they are written.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::{env, fs};

use serde_json::{Map, Value, json};
use webhook::definition::{TEST, builtin, sample};
use webhook::endpoint::WebhookType;
use webhook::kinds::Setting;
use webhook::message::event_schema;

#[test]
fn the_schemas_are_of_today() {
    let types = builtin().iter().filter(|raw| raw.name != TEST);
    let schemas: Map<String, Value> = types
        .map(|raw| {
            (
                raw.name.clone(),
                event_schema(&raw.name, &sample(&raw.name).unwrap()),
            )
        })
        .collect();
    let any: Vec<Value> = schemas
        .keys()
        .map(|name| json!({ "$ref": format!("#/$defs/{name}") }))
        .collect();
    let made = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What a webhook of type webhook gets",
        "oneOf": any,
        "$defs": schemas,
    });
    let made = format!("{made:#}\n");
    assert_file("docs/reference/events.schema.json", &made);
}

#[test]
fn the_types_of_webhooks_are_of_today() {
    let types = WebhookType::ALL.iter().map(|of| {
        let formats = of.kinds().iter();
        json!({
            "webhook_type": of.name(),
            "label": of.label(),
            "url": of.example(),
            "mention": of.mentions(),
            "settings": of.settings().map(Setting::name).collect::<Vec<_>>(),
            "formats": formats.map(|kind| json!({ "format": kind.format(), "label": kind.label() })).collect::<Vec<_>>(),
        })
    });
    let types: Vec<Value> = types.collect();
    assert_file(
        "docs/reference/webhook-types.json",
        &format!("{:#}\n", Value::Array(types)),
    );

    let mut module = String::from(
        "\"\"\"The types of webhooks, made of the extension's table: what each is called, and what it has a place for.\"\"\"\n\nTYPES = [\n",
    );
    for of in WebhookType::ALL {
        module += &format!("    ({:?}, {:?}),\n", of.name(), of.label());
    }
    module += "]\nSETTINGS = {\n";
    for of in WebhookType::ALL {
        let settings: Vec<&str> = of.settings().map(Setting::name).collect();
        module += &format!("    {:?}: {settings:?},\n", of.name());
    }
    module += "}\n";
    assert_file("python/src/zentry_notify_django/webhook_types.py", &module);
}

fn assert_file(name: &str, made: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    if env::var_os("ZENTRY_WRITE").is_some() {
        fs::write(&file, made).unwrap();
    }
    assert!(
        fs::read_to_string(&file).unwrap_or_default() == made,
        "{name} is not of today: ZENTRY_WRITE=1 scripts/with cargo test -p zentry-webhook --test schemas"
    );
}
