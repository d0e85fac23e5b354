//! How many events a message takes.

use serde_json::{Value, json};
use webhook::appearance::Appearance;
use webhook::card::Card;
use webhook::definition::Catalogue;
use webhook::endpoint::EndpointKind::{self, Discord, GoogleChat, TeamsConnector, TeamsWorkflow};
use webhook::event::Event;
use webhook::message::{Message, compose, compose_into};

use crate::{event, model, sample_event};

fn compose_events(kind: EndpointKind, events: &[Event]) -> Message {
    let cards: Vec<Card> = events
        .iter()
        .map(|event| Catalogue::builtin().card(event))
        .collect();
    compose(kind, &cards)
}

#[test]
fn nothing_of_what_was_in_the_buffer_is_in_the_message() {
    let catalogue = Catalogue::builtin();
    let cards = [catalogue.card(&sample_event("badge_earned"))];
    for kind in [Discord, TeamsConnector, TeamsWorkflow] {
        let used = compose(kind, &[catalogue.card(&sample_event("task_completed"))]).body;
        assert_eq!(
            compose_into(kind, &cards, &Appearance::default(), used),
            compose(kind, &cards)
        );
    }
}

#[test]
fn ten_events_go_into_a_message_and_a_phone_says_how_many() {
    let events = vec![sample_event("daily_streak"); 12];
    assert_eq!(compose_events(Discord, &events).taken, 10);
    assert_eq!(compose_events(TeamsWorkflow, &events).taken, 10);
    let message = compose_events(TeamsConnector, &events);
    assert_eq!(message.taken, 10);
    let card: Value = serde_json::from_slice(&message.body).unwrap();
    assert_eq!(
        card["summary"],
        "🔥 Daily Streak: alice is on a 7-day streak. (and 9 more)"
    );
}

#[test]
fn what_does_not_fit_waits_for_the_next_message() {
    let long = event("test", &json!({ "message": "x".repeat(3500) }));
    assert_eq!(compose_events(Discord, &[long.clone(), long.clone()]).taken, 1);
    // 20 KB take more than Discord's 6000 code points do.
    assert_eq!(compose_events(TeamsWorkflow, &vec![long.clone(); 9]).taken, 5);
    assert_eq!(compose_events(TeamsConnector, &vec![long; 9]).taken, 5);
    assert_eq!(
        compose(Discord, &[]),
        Message {
            body: Vec::new(),
            taken: 0
        }
    );
}

/// Google Chat shows a hundred widgets of a message. Cards of many short fields reach that before 32,000 bytes.
#[test]
fn google_chat_shows_all_of_what_a_message_has() {
    let mut card = Catalogue::builtin().card(&sample_event("daily_streak"));
    card.fields = vec![("n".into(), card.title.clone()); 20];
    let cards = vec![card; 10];
    let message = compose(GoogleChat, &cards);
    assert!(message.body.len() < 16_000, "{} bytes", message.body.len());
    let shown = model::google_chat::cards(&message.body);
    assert_eq!(shown.len(), message.taken);
    assert_eq!(message.taken, 3);
}
