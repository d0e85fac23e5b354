//! Definitions of event types that somebody registers: an error, or cards of bounded work and size.

#![no_main]

use arbitrary::Arbitrary;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use webhook::definition::{Definition, EventDefinition, FieldDefinition};
use webhook::endpoint::EndpointKind::{Discord, TeamsConnector, TeamsWorkflow};
use webhook::event::Event;
use webhook::message::compose;

#[derive(Arbitrary, Debug)]
struct Input {
    name: String,
    title: String,
    text: String,
    field: (String, String),
    footer: Option<String>,
    time_key: Option<String>,
    data: String,
}

fuzz_target!(|input: Input| {
    let definition = Definition::compile(&EventDefinition {
        name: input.name,
        title: input.title,
        colour: 0,
        emoji: String::new(),
        text: input.text,
        fields: vec![FieldDefinition {
            name: input.field.0,
            value: input.field.1,
        }],
        footer: input.footer,
        time_key: input.time_key,
        url: None,
        thumbnail: None,
        language: webhook::language::Language::English,
    });
    match definition {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(definition) => {
            let card = definition.card(
                &Event {
                    event_type: "own".into(),
                    data: input.data.into(),
                    occurred_at: Timestamp::UNIX_EPOCH,
                    traceparent: None,
                },
                None,
            );
            for kind in [Discord, TeamsConnector, TeamsWorkflow] {
                let message = compose(kind, std::slice::from_ref(&card));
                assert_eq!(message.taken, 1);
                assert!(message.body.len() < 64 * 1024, "{} bytes", message.body.len());
                serde_json::from_slice::<serde_json::Value>(&message.body).expect("JSON");
            }
        }
    }
});
