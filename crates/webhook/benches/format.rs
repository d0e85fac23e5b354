//! What an event costs on its way to the body of a message.

#![allow(clippy::expect_used, missing_docs)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use webhook::card::Card;
use webhook::definition::{Catalogue, Definition, EventDefinition, builtin, sample};
use webhook::endpoint::EndpointKind;
use webhook::event::Event;
use webhook::message::compose;

const FORMATS: [(&str, EndpointKind); 3] = [
    ("discord", EndpointKind::Discord),
    ("message_card", EndpointKind::TeamsConnector),
    ("adaptive_card", EndpointKind::TeamsWorkflow),
];

fn event(event_type: &str) -> Event {
    Event {
        event_type: event_type.into(),
        data: serde_json::to_string(&sample(event_type).expect("a built-in type"))
            .expect("JSON")
            .into(),
        occurred_at: "2024-01-15T10:30:00.123456Z".parse().expect("a time"),
        traceparent: None,
    }
}

/// The built-in types with templates that only the engine understands.
fn engine_catalogue() -> Catalogue {
    let mut catalogue = Catalogue::default();
    for raw in builtin() {
        let with_comment = |template: &str| format!("{template}{{# engine #}}");
        let mut raw: EventDefinition = raw.clone();
        raw.title = with_comment(&raw.title);
        raw.text = with_comment(&raw.text);
        raw.fields
            .iter_mut()
            .for_each(|field| field.value = with_comment(&field.value));
        catalogue.insert(Definition::compile(&raw).expect("a definition"));
    }
    catalogue
}

fn one_event(c: &mut Criterion) {
    let catalogue = Catalogue::builtin();
    let event = event("task_completed");
    let mut group = c.benchmark_group("one event");
    for (name, kind) in FORMATS {
        group.bench_function(name, |b| {
            b.iter(|| compose(kind, &[catalogue.card(black_box(&event))]));
        });
    }
    group.finish();
}

fn ten_events(c: &mut Criterion) {
    let catalogue = Catalogue::builtin();
    let events = vec![event("task_completed"); 10];
    let mut group = c.benchmark_group("ten events in a message");
    group.throughput(Throughput::Elements(10));
    for (name, kind) in FORMATS {
        group.bench_function(name, |b| {
            b.iter(|| {
                let cards: Vec<Card> = black_box(&events)
                    .iter()
                    .map(|event| catalogue.card(event))
                    .collect();
                compose(kind, &cards)
            });
        });
    }
    group.finish();
}

fn steps(c: &mut Criterion) {
    let event = event("task_completed");
    let mut group = c.benchmark_group("steps");
    group.bench_function("parse", |b| b.iter(|| black_box(&event).parse()));
    for (name, catalogue) in [("segments", Catalogue::builtin()), ("engine", engine_catalogue())] {
        group.bench_function(BenchmarkId::new("card", name), |b| {
            b.iter(|| catalogue.card(black_box(&event)))
        });
    }
    let card = Catalogue::builtin().card(&event);
    for (name, kind) in FORMATS {
        group.bench_function(BenchmarkId::new("compose", name), |b| {
            b.iter(|| compose(kind, std::slice::from_ref(black_box(&card))));
        });
    }
    group.finish();
}

/// The worst text for the escapes, as long as a text can be.
fn hostile(c: &mut Criterion) {
    let definition = EventDefinition {
        name: "hostile".into(),
        title: "{{ text }}".into(),
        colour: 0,
        emoji: String::new(),
        text: "{{ text }}".into(),
        fields: Vec::new(),
        footer: None,
        time_key: None,
        url: None,
        thumbnail: None,
        language: webhook::language::Language::English,
    };
    let definition = Definition::compile(&definition).expect("a definition");
    let mut group = c.benchmark_group("hostile text");
    for (text_name, text) in [
        ("links", "http://"),
        ("asterisks", "*"),
        ("lines", "\n#1."),
        ("emoji", "🦀"),
    ] {
        let data = serde_json::json!({ "text": text.repeat(20_000) + "*" }).to_string();
        let event = Event {
            data: data.into(),
            ..event("test")
        };
        for (name, kind) in FORMATS {
            group.bench_function(BenchmarkId::new(text_name, name), |b| {
                b.iter(|| compose(kind, &[definition.card(black_box(&event), None)]));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, one_event, ten_events, steps, hostile);
criterion_main!(benches);
