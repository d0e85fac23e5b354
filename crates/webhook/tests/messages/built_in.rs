//! What each built-in event looks like in each format.

use serde_json::{Value, json};
use webhook::definition::{builtin, sample};
use webhook::endpoint::EndpointKind::{Discord, Ntfy, TeamsConnector, TeamsWorkflow};

use crate::{body, event, sample_event};

#[test]
fn a_completed_task_on_discord() {
    assert_eq!(
        body(Discord, &sample_event("task_completed")),
        json!({
            "embeds": [{
                "title": "✅ Task Completed",
                "description": "**alice** completed **Write the release notes** in **Website Relaunch**.",
                "color": 0x00_ff_00,
                "fields": [
                    { "name": "Project", "value": "Website Relaunch", "inline": true },
                    { "name": "Points Earned", "value": "25", "inline": true },
                ],
                "footer": { "text": "Zentry Project Management" },
                "timestamp": "2024-01-15T10:30:00Z",
            }],
            "allowed_mentions": { "parse": [] },
        })
    );
}

#[test]
fn a_completed_task_on_ntfy() {
    assert_eq!(
        body(Ntfy, &sample_event("task_completed")),
        json!({
            "topic": "topic",
            "title": "✅ Task Completed",
            "message": "**alice** completed **Write the release notes** in **Website Relaunch**.\n\n- **Project**:\u{2003}Website Relaunch\n\
                        - **Points Earned**:\u{2003}25\n\nZentry Project Management · 2024-01-15 10:30 UTC",
            "markdown": true,
            "tags": ["task_completed"],
        })
    );
}

#[test]
fn a_completed_task_on_a_teams_connector() {
    assert_eq!(
        body(TeamsConnector, &sample_event("task_completed")),
        json!({
            "@type": "MessageCard",
            "@context": "https://schema.org/extensions",
            "sections": [{
                "activityTitle": "✅ Task Completed",
                "activitySubtitle": "Zentry Project Management · 2024-01-15 10:30 UTC",
                "text": "**alice** completed **Write the release notes** in **Website Relaunch**.",
                "facts": [
                    { "name": "Project", "value": "Website Relaunch" },
                    { "name": "Points Earned", "value": "25" },
                ],
                "markdown": true,
            }],
            "themeColor": "00ff00",
            "summary": "✅ Task Completed: alice completed Write the release notes in Website Relaunch.",
        })
    );
}

#[test]
fn a_completed_task_in_a_teams_workflow() {
    assert_eq!(
        body(TeamsWorkflow, &sample_event("task_completed")),
        json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "msteams": { "width": "Full" },
                    "body": [{
                        "type": "Container",
                        "style": "good",
                        "spacing": "Medium",
                        "items": [
                            {
                                "type": "TextBlock",
                                "text": "✅ Task Completed",
                                "wrap": true,
                                "size": "Large",
                                "weight": "Bolder",
                            },
                            {
                                "type": "TextBlock",
                                "text": "**alice** completed **Write the release notes** in **Website Relaunch**.",
                                "wrap": true,
                                "spacing": "Small",
                            },
                            {
                                "type": "FactSet",
                                "facts": [
                                    { "title": "Project", "value": "Website Relaunch" },
                                    { "title": "Points Earned", "value": "25" },
                                ],
                                "spacing": "Medium",
                            },
                            {
                                "type": "TextBlock",
                                "text": "Zentry Project Management · {{DATE(2024-01-15T10:30:00Z, SHORT)}} \
                                         {{TIME(2024-01-15T10:30:00Z)}}",
                                "wrap": true,
                                "size": "Small",
                                "spacing": "Medium",
                                "isSubtle": true,
                            },
                        ],
                    }],
                },
            }],
        })
    );
}

/// Title, text, fields, colour and style of the others; the rest is as above.
#[test]
fn the_other_events() {
    let expected = [
        (
            "badge_earned",
            "🏆 Badge Earned",
            "**alice** earned the badge **Task Master**.",
            json!([["Badge Description", "Complete 100 tasks."]]),
            0xff_d7_00,
            "warning",
            "2024-01-15T10:30:00Z",
        ),
        (
            "project_created",
            "🚀 Project Created",
            "**bob** created the project **Website Relaunch**.",
            json!([
                ["Created by", "bob"],
                [
                    "Description",
                    "A new face for our website, ready before the spring fair."
                ]
            ]),
            0x00_99_ff,
            "accent",
            "2024-01-15T10:30:00Z",
        ),
        (
            "milestone_reached",
            "🎯 Milestone Reached",
            "**Website Relaunch** reached **50% Project Completion**.",
            json!([["Project", "Website Relaunch"], ["Progress", "50%"]]),
            0xff_66_00,
            "warning",
            "2024-01-15T10:31:02Z",
        ),
        (
            "daily_streak",
            "🔥 Daily Streak",
            "**alice** is on a **7-day** streak.",
            json!([["Streak Type", "Daily task completion"]]),
            0x99_66_ff,
            "accent",
            "2024-01-15T10:31:02Z",
        ),
        (
            "test",
            "🔔 Webhook Test",
            "Test message from Zentry!",
            json!([]),
            0x80_80_80,
            "emphasis",
            "2024-01-15T10:31:02Z",
        ),
    ];
    let pairs = |list: &Value, name: &str| -> Value {
        list.as_array()
            .into_iter()
            .flatten()
            .map(|field| json!([field[name], field["value"]]))
            .collect()
    };
    for (name, title, text, fields, colour, style, time) in expected {
        let event = sample_event(name);
        let embed = &body(Discord, &event)["embeds"][0];
        assert_eq!(
            (
                &embed["title"],
                &embed["description"],
                pairs(&embed["fields"], "name"),
                &embed["color"],
                &embed["timestamp"]
            ),
            (
                &json!(title),
                &json!(text),
                fields.clone(),
                &json!(colour),
                &json!(time)
            ),
        );

        let card = body(TeamsConnector, &event);
        let section = &card["sections"][0];
        assert_eq!(
            (
                &section["activityTitle"],
                &section["text"],
                pairs(&section["facts"], "name"),
                &card["themeColor"]
            ),
            (
                &json!(title),
                &json!(text),
                fields.clone(),
                &json!(format!("{colour:06x}"))
            ),
        );

        let container = &body(TeamsWorkflow, &event)["attachments"][0]["content"]["body"][0];
        let items = container["items"].as_array().unwrap();
        let facts = items
            .iter()
            .find_map(|item| item.get("facts"))
            .unwrap_or(&Value::Null);
        assert_eq!(
            (
                &items[0]["text"],
                &items[1]["text"],
                pairs(facts, "title"),
                &container["style"]
            ),
            (&json!(title), &json!(text), fields, &json!(style)),
        );
        assert!(
            items.last().unwrap()["text"]
                .as_str()
                .unwrap()
                .contains(&format!("TIME({time})"))
        );
    }
}

#[test]
fn samples_have_the_keys_that_other_software_reads() {
    let keys = |name: &str| {
        sample(name)
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        keys("task_completed"),
        "completed_at points project_id project_name task_description task_id task_title user_id user_name"
    );
    assert_eq!(
        keys("badge_earned"),
        "badge_description badge_id badge_name earned_at user_id user_name"
    );
    assert_eq!(
        keys("project_created"),
        "created_at project_description project_id project_name user_id user_name"
    );
    assert_eq!(
        keys("milestone_reached"),
        "milestone_name progress project_id project_name user_id user_name"
    );
    assert_eq!(keys("daily_streak"), "streak_days streak_type user_id user_name");
    assert!(builtin().iter().all(|raw| sample(&raw.name).is_some()));
    assert_eq!(sample("sprint_closed"), None);
}

#[test]
fn a_sample_says_that_it_is_one() {
    let data = json!({ "user_name": "alice", "zentry_sample": true });
    for event_type in ["daily_streak", "sprint_closed"] {
        let event = event(event_type, &data);
        let embed = &body(Discord, &event)["embeds"][0];
        assert_eq!(embed["author"], json!({ "name": "A sample, not an event" }));
        assert!(!embed["fields"].to_string().contains("Zentry Sample"), "{embed}");
        let section = &body(TeamsConnector, &event)["sections"][0];
        assert!(
            section["activitySubtitle"]
                .as_str()
                .unwrap()
                .starts_with("A sample, not an event · ")
        );
        let items = &body(TeamsWorkflow, &event)["attachments"][0]["content"]["body"][0]["items"];
        let small_print = items.as_array().unwrap().last().unwrap()["text"]
            .as_str()
            .unwrap();
        assert!(
            small_print.starts_with("A sample, not an event · "),
            "{small_print}"
        );
    }
}
