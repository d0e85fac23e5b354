//! What each built-in event looks like in each format, and what becomes of the odd ones.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod model;

use jiff::Timestamp;
use serde_json::{Value, json};
use webhook::appearance::Appearance;
use webhook::card::Card;
use webhook::definition::{
    Catalogue, Definition, DefinitionError, EventDefinition, FieldDefinition, builtin, sample,
};
use webhook::endpoint::EndpointKind::{self, Discord, TeamsConnector, TeamsWorkflow};
use webhook::event::Event;
use webhook::mention::Mention;
use webhook::message::{Message, compose, compose_into, compose_with};

fn event(event_type: &str, data: &Value) -> Event {
    Event {
        event_type: event_type.into(),
        data: data.to_string().into(),
        occurred_at: "2024-01-15T10:31:02.5Z".parse().unwrap(),
    }
}

fn sample_event(event_type: &str) -> Event {
    event(event_type, &Value::Object(sample(event_type).unwrap()))
}

fn body(kind: EndpointKind, event: &Event) -> Value {
    let message = compose(kind, &[Catalogue::builtin().card(event)]);
    serde_json::from_slice(&message.body).unwrap()
}

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

fn description(event_type: &str, data: &Value) -> String {
    body(Discord, &event(event_type, data))["embeds"][0]["description"]
        .as_str()
        .unwrap()
        .to_owned()
}

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

fn compose_events(kind: EndpointKind, events: &[Event]) -> Message {
    let cards: Vec<Card> = events
        .iter()
        .map(|event| Catalogue::builtin().card(event))
        .collect();
    compose(kind, &cards)
}

fn pinging(mention: Mention) -> Appearance {
    Appearance {
        mention: Some(mention),
        ..Appearance::default()
    }
}

/// Only what was registered pings, and only where the service lets it.
#[test]
fn a_mention_pings_whom_it_names() {
    let cards = [Catalogue::builtin().card(&sample_event("daily_streak"))];
    let body = |kind, mention: &str| -> Value {
        let mention = Mention::parse(kind, mention).unwrap();
        serde_json::from_slice(&compose_with(kind, &cards, &pinging(mention)).body).unwrap()
    };
    let role = body(Discord, "role:123456789012345678");
    assert_eq!(role["content"], "<@&123456789012345678>");
    assert_eq!(
        role["allowed_mentions"],
        json!({ "parse": [], "roles": ["123456789012345678"] })
    );
    let user = body(Discord, "user:123456789012345678");
    assert_eq!(user["content"], "<@123456789012345678>");
    assert_eq!(
        user["allowed_mentions"],
        json!({ "parse": [], "users": ["123456789012345678"] })
    );
    let card = &body(TeamsWorkflow, "user:ada@contoso.com Ada Lovelace")["attachments"][0]["content"];
    assert_eq!(
        card["body"][0],
        json!({ "type": "TextBlock", "text": "<at>Ada Lovelace</at>", "wrap": true })
    );
    assert_eq!(
        card["msteams"],
        json!({
            "width": "Full",
            "entities": [{
                "type": "mention",
                "text": "<at>Ada Lovelace</at>",
                "mentioned": { "id": "ada@contoso.com", "name": "Ada Lovelace" },
            }],
        })
    );
    // One of another service, left from before the URL was changed.
    let foreign = Mention::parse(Discord, "role:123456789012345678").unwrap();
    assert_eq!(
        compose_with(TeamsConnector, &cards, &pinging(foreign)),
        compose(TeamsConnector, &cards)
    );
}

#[test]
fn a_webhook_has_a_name_a_picture_and_a_place_on_discord() {
    let cards = vec![Catalogue::builtin().card(&sample_event("daily_streak")); 3];
    let appearance = Appearance {
        mention: Mention::parse(Discord, "role:123456789012345678").ok(),
        username: Some("Zentry".into()),
        avatar_url: Some("https://app.example.com/zentry.png".into()),
        announce: true,
        thread_name: Some("Streaks".into()),
        applied_tags: vec!["223456789012345678".into()],
    };
    let mut message: Value =
        serde_json::from_slice(&compose_with(Discord, &cards, &appearance).body).unwrap();
    message.as_object_mut().unwrap().remove("embeds");
    assert_eq!(
        message,
        json!({
            "content": "<@&123456789012345678> 🔥 Daily Streak: alice is on a 7-day streak. (and 2 more)",
            "username": "Zentry",
            "avatar_url": "https://app.example.com/zentry.png",
            "thread_name": "Streaks",
            "applied_tags": ["223456789012345678"],
            "allowed_mentions": { "parse": [], "roles": ["123456789012345678"] },
        })
    );
    // Teams has no place for any of it.
    for kind in [TeamsConnector, TeamsWorkflow] {
        assert_eq!(compose_with(kind, &cards, &appearance), compose(kind, &cards));
    }
}

#[test]
fn what_a_phone_announces_is_text() {
    let announced = |message: &str| -> Value {
        let cards = [Catalogue::builtin().card(&event("test", &json!({ "message": message })))];
        let appearance = Appearance {
            announce: true,
            ..Appearance::default()
        };
        let body = compose_with(Discord, &cards, &appearance).body;
        serde_json::from_slice::<Value>(&body).unwrap()["content"].clone()
    };
    assert_eq!(
        announced("**a** @everyone\nhttps://e.com/x"),
        "🔔 Webhook Test: \\*\\*a\\*\\* @everyone https:\u{200B}//e.com/x"
    );
    assert!(announced(&"*".repeat(5000)).as_str().unwrap().chars().count() <= 1024);
}

fn linked(url: &str, thumbnail: &str) -> Definition {
    Definition::compile(&EventDefinition {
        url: Some(url.into()),
        thumbnail: Some(thumbnail.into()),
        ..own("Look")
    })
    .unwrap()
}

#[test]
fn a_link_leads_to_the_thing_in_each_format() {
    let definition = linked("https://app.example.com/tasks/{{ id }}", "/pictures/{{ id }}.png");
    let card = definition.card(
        &event("own", &json!({ "id": 5 })),
        Some("https://cdn.example.com"),
    );
    let body =
        |kind| -> Value { serde_json::from_slice(&compose(kind, std::slice::from_ref(&card)).body).unwrap() };
    let (url, picture) = (
        "https://app.example.com/tasks/5",
        "https://cdn.example.com/pictures/5.png",
    );
    let embed = &body(Discord)["embeds"][0];
    assert_eq!(
        (&embed["url"], &embed["thumbnail"]),
        (&json!(url), &json!({ "url": picture }))
    );
    let section = &body(TeamsConnector)["sections"][0];
    assert_eq!(section["activityImage"], picture);
    assert_eq!(
        section["potentialAction"],
        json!([{ "@type": "OpenUri", "name": "Open", "targets": [{ "os": "default", "uri": url }] }])
    );
    let items = &body(TeamsWorkflow)["attachments"][0]["content"]["body"][0]["items"];
    assert_eq!(
        items[2],
        json!({ "type": "Image", "url": picture, "altText": "", "size": "Medium" })
    );
    assert_eq!(
        items[3],
        json!({ "type": "ActionSet", "actions": [{ "type": "Action.OpenUrl", "title": "Open", "url": url }] })
    );
}

#[test]
fn what_is_no_address_of_the_web_is_no_link() {
    let definition = linked("{{ url }}", "/{{ id }}");
    for url in [
        "javascript:alert(1)",
        "//evil.example",
        "",
        "data:text/html,x",
        "/without/a/base",
    ] {
        let card = definition.card(&event("own", &json!({ "url": url })), None);
        assert_eq!((card.url, card.thumbnail), (None, None), "{url}");
    }
    for url in [
        "javascript:{{ x }}",
        "tasks/{{ id }}",
        "//{{ host }}/x",
        "ftp://x/{{ id }}",
    ] {
        let refusal = Definition::compile(&EventDefinition {
            url: Some(url.into()),
            ..own("")
        });
        let refusal = refusal.unwrap_err().to_string();
        assert!(
            refusal.starts_with("url must begin with https://"),
            "{url}: {refusal}"
        );
    }
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

/// Discord makes one embed of two with the same address.
#[test]
fn events_of_the_same_thing_stay_apart() {
    let url = |template: &str| {
        let card = linked(template, "").card(&event("own", &json!({})), None);
        let body = compose(Discord, &[card.clone(), card.clone(), card]).body;
        let embeds = serde_json::from_slice::<Value>(&body).unwrap()["embeds"].clone();
        embeds
            .as_array()
            .unwrap()
            .iter()
            .map(|embed| embed["url"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        url("https://e.com/5"),
        ["https://e.com/5", "https://e.com/5#2", "https://e.com/5#3"]
    );
    assert_eq!(
        url("https://e.com/#/5"),
        [
            "https://e.com/#/5",
            "https://e.com/?_=2#/5",
            "https://e.com/?_=3#/5"
        ]
    );
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

fn own(text: &str) -> EventDefinition {
    EventDefinition {
        name: "own".into(),
        title: "Own".into(),
        colour: 0,
        emoji: String::new(),
        text: text.into(),
        fields: Vec::new(),
        footer: None,
        time_key: None,
        url: None,
        thumbnail: None,
    }
}

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

/// What is sent for a text in each format.
fn sent(text: &str) -> [String; 3] {
    let event = event("test", &json!({ "message": text }));
    let sent = |value: &Value| value.as_str().unwrap().to_owned();
    [
        sent(&body(Discord, &event)["embeds"][0]["description"]),
        sent(&body(TeamsConnector, &event)["sections"][0]["text"]),
        sent(&body(TeamsWorkflow, &event)["attachments"][0]["content"]["body"][0]["items"][1]["text"]),
    ]
}

#[test]
fn markup_of_each_receiver_is_escaped() {
    let inline = "\\ * _ ` [ ] ~";
    let escaped = "\\\\ \\* \\_ \\` \\[ \\] \\~";
    assert_eq!(sent(inline), [escaped, escaped, "\\ \\* \\_ ` [ ] ~"]);
    assert_eq!(sent("a | b > c"), ["a \\| b \\> c", "a | b > c", "a | b > c"]);
    assert_eq!(
        sent("x\n# y\n- z\n1. a"),
        [
            "x\n\\# y\n\\- z\n1\\. a",
            "x\n\n\\# y\n\n\\- z\n\n1\\. a",
            "x\n\n\u{200B}# y\n\n\u{200B}- z\n\n\u{200B}1. a"
        ]
    );
    assert_eq!(
        sent("a\n  12) b"),
        [
            "a\n  12) b",
            "a\n\n\u{A0}\u{A0}12\\) b",
            "a\n\n\u{A0}\u{A0}\u{200B}12) b"
        ]
    );
    assert_eq!(
        sent("<at>Bob</at>"),
        [
            "\\<at\\>Bob\\</at\\>",
            "&lt;at>Bob&lt;/at>",
            "<\u{200B}at>Bob<\u{200B}/at>"
        ]
    );
    assert_eq!(
        sent("AT&T &lt; 1"),
        ["AT&T &lt; 1", "AT&T &amp;lt; 1", "AT&T &\u{200B}lt; 1"]
    );
    assert_eq!(sent("{{DATE(x)}}")[2], "{\u{200B}{DATE(x)}}");
    assert_eq!(sent("@everyone :smile: 10:30")[0], "@everyone \\:smile: 10:30");
}

#[test]
fn links_on_discord_are_links_only_if_they_read_as_written() {
    let discord = |text: &str| sent(text)[0].clone();
    assert_eq!(
        discord("see https://example.com/a_b, ok"),
        "see https://example.com/a_b, ok"
    );
    assert_eq!(discord("https://example.com/a*b"), "https\\://example.com/a\\*b");
    assert_eq!(discord("steam://run_it"), "steam\\://run\\_it");
    assert_eq!(
        discord("[a](https://example.com)"),
        "\\[a\\](https://example.com)"
    );
}
