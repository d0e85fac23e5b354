//! `docs/reference/events.schema.json`: what programs get of each event. With `ZENTRY_WRITE` in the environment it is written.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::{env, fs};

use serde_json::{Map, Value, json};
use webhook::definition::{TEST, builtin, sample};
use webhook::message::event_schema;

#[test]
fn the_schemas_are_of_today() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/events.schema.json");
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
    if env::var_os("ZENTRY_WRITE").is_some() {
        fs::write(&file, &made).unwrap();
    }
    assert!(
        fs::read_to_string(&file).unwrap_or_default() == made,
        "docs/reference/events.schema.json is not of today: ZENTRY_WRITE=1 scripts/with cargo test -p zentry-webhook --test schemas"
    );
}
