//! What becomes of events whose data lack something, or have what nobody expects.

use jiff::Timestamp;
use serde_json::{Value, json};
use webhook::definition::Catalogue;
use webhook::endpoint::EndpointKind::Discord;
use webhook::event::Event;

use crate::{body, description, event};

#[test]
fn sentences_read_well_whatever_is_missing() {
    let task = |data: &Value| description("task_completed", data);
    assert_eq!(
        task(&json!({ "task_title": "Tidy", "user_name": null, "project_name": null })),
        "**Tidy** was completed."
    );
    assert_eq!(
        task(&json!({ "task_title": "Tidy", "project_name": "Home" })),
        "**Tidy** was completed in **Home**."
    );
    assert_eq!(task(&json!({ "user_name": "bob" })), "**bob** completed a task.");
    assert_eq!(task(&json!({})), "A task was completed.");
    assert_eq!(
        description("badge_earned", &json!({})),
        "Somebody earned a badge."
    );
    assert_eq!(
        description("project_created", &json!({ "project_name": "X" })),
        "The project **X** was created."
    );
    assert_eq!(
        description("project_created", &json!({})),
        "A project was created."
    );
    assert_eq!(
        description("milestone_reached", &json!({})),
        "A project reached a milestone."
    );
    assert_eq!(
        description("daily_streak", &json!({ "streak_days": 1 })),
        "Somebody is on a **1-day** streak."
    );
}

#[test]
fn fields_without_a_value_are_left_out_and_zero_is_a_value() {
    let fields = |data: Value| body(Discord, &event("task_completed", &data))["embeds"][0]["fields"].clone();
    assert_eq!(
        fields(json!({ "project_name": " ", "points": null })),
        Value::Null
    );
    assert_eq!(
        fields(json!({ "points": 0 })),
        json!([{ "name": "Points Earned", "value": "0", "inline": true }])
    );
}

#[test]
fn an_unknown_type_shows_its_plain_values() {
    let data = json!({
        "sprint_name": "Sprint 7", "done": true, "points": 12.5, "note": null, "empty": "",
        "list": [1], "nested": { "a": 1 },
    });
    let embed = &body(Discord, &event("sprint_closed", &data))["embeds"][0];
    assert_eq!(embed["title"], "📣 Sprint Closed");
    assert_eq!(embed["color"], 0x80_80_80);
    assert_eq!(embed.get("description"), None);
    assert_eq!(
        embed["fields"],
        json!([
            { "name": "Done", "value": "true", "inline": true },
            { "name": "Points", "value": "12.5", "inline": true },
            { "name": "Sprint Name", "value": "Sprint 7", "inline": true },
        ])
    );
    let many: serde_json::Map<_, _> = (0..30).map(|n| (format!("k{n}"), json!(n))).collect();
    let embed = &body(Discord, &event("", &Value::Object(many)))["embeds"][0];
    assert_eq!(embed["title"], "📣 Notification");
    assert_eq!(embed["fields"].as_array().unwrap().len(), 10);
}

#[test]
fn data_that_are_no_object_still_make_a_message() {
    for data in ["", "[1]", "null", "{\"a\":"] {
        let event = Event {
            data: data.into(),
            ..event("task_completed", &json!({}))
        };
        assert_eq!(
            body(Discord, &event)["embeds"][0]["description"],
            "A task was completed."
        );
    }
}

#[test]
fn a_time_that_is_none_gives_way_to_the_time_of_the_capture() {
    for time in [
        json!("infinity"),
        json!(5),
        json!(null),
        json!("2024-01-15 10:30"),
    ] {
        let card = Catalogue::builtin().card(&event("task_completed", &json!({ "completed_at": time })));
        assert_eq!(card.time, "2024-01-15T10:31:02.5Z".parse::<Timestamp>().unwrap());
    }
    let card = Catalogue::builtin().card(&event(
        "task_completed",
        &json!({ "completed_at": "2024-01-15T12:30:00+02:00" }),
    ));
    assert_eq!(card.time, "2024-01-15T10:30:00Z".parse::<Timestamp>().unwrap());
}

#[test]
fn long_texts_end_with_an_ellipsis_at_the_limit() {
    let embed = &body(Discord, &event("test", &json!({ "message": "🦀".repeat(5000) })))["embeds"][0];
    let text = embed["description"].as_str().unwrap();
    assert_eq!(text.chars().count(), 4096);
    assert!(text.ends_with("🦀…"));
    let text = description("test", &json!({ "message": "*".repeat(5000) }));
    assert_eq!(text.chars().count(), 4095);
    assert!(text.ends_with("\\*\\*…"));
    let text = description("badge_earned", &json!({ "user_name": "a".repeat(5000) }));
    assert_eq!(text.chars().count(), 4096);
    assert!(text.starts_with("**aa") && text.ends_with("aa…**"));
}
