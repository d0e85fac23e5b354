//! What a webhook and a definition add to a message: mentions, names, pictures, links.

use serde_json::{Value, json};
use webhook::appearance::Appearance;
use webhook::definition::{Catalogue, Definition, EventDefinition};
use webhook::endpoint::EndpointKind::{
    Discord, GoogleChat, Mattermost, Slack, TeamsConnector, TeamsWorkflow,
};
use webhook::endpoint::parse_mention;
use webhook::mention::Mention;
use webhook::message::{compose, compose_with};

use crate::{event, own, sample_event};

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
        let mention = parse_mention(kind, mention).unwrap();
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
    let foreign = parse_mention(Discord, "role:123456789012345678").unwrap();
    assert_eq!(
        compose_with(TeamsConnector, &cards, &pinging(foreign)),
        compose(TeamsConnector, &cards)
    );
}

#[test]
fn a_webhook_has_a_name_a_picture_and_a_place_on_discord() {
    let cards = vec![Catalogue::builtin().card(&sample_event("daily_streak")); 3];
    let appearance = Appearance {
        mention: parse_mention(Discord, "role:123456789012345678").ok(),
        username: Some("Zentry".into()),
        avatar_url: Some("https://app.example.com/zentry.png".into()),
        announce: true,
        thread_name: Some("Streaks".into()),
        applied_tags: vec!["223456789012345678".into()],
        ..Appearance::default()
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

/// Mattermost looks for names in what has no markup, too.
#[test]
fn small_print_and_a_fallback_ping_nobody_on_mattermost() {
    let mut definition = own("a");
    definition.title = "For @all".into();
    definition.footer = Some("by @channel".into());
    let card = Definition::compile(&definition)
        .unwrap()
        .card(&event("own", &json!({})), None);
    let body: Value = serde_json::from_slice(&compose(Mattermost, &[card]).body).unwrap();
    let attachment = &body["attachments"][0];
    assert_eq!(attachment["fallback"], "For @\u{200B}all");
    assert_eq!(
        attachment["footer"],
        "by @\u{200B}channel \u{b7} 2024-01-15 10:31 UTC"
    );
}

#[test]
fn slack_has_a_link_if_the_url_leaves_room_for_text() {
    let mut card = Catalogue::builtin().card(&sample_event("daily_streak"));
    let mut is_linked = |length: usize| {
        let url = format!("https://e.com/{}", "x".repeat(length - "https://e.com/".len()));
        card.url = Some(url.as_str().into());
        let body = compose(Slack, std::slice::from_ref(&card)).body;
        String::from_utf8(body).unwrap().contains(&url)
    };
    assert!(is_linked(2048));
    assert!(!is_linked(2049));
}

#[test]
fn google_chat_has_a_text_above_the_cards_if_there_is_something_to_say() {
    let cards = [Catalogue::builtin().card(&sample_event("daily_streak"))];
    let text = |appearance: &Appearance| {
        let body = compose_with(GoogleChat, &cards, appearance).body;
        serde_json::from_slice::<Value>(&body)
            .unwrap()
            .get("text")
            .cloned()
    };
    assert_eq!(text(&Appearance::default()), None);
    let announcing = Appearance {
        announce: true,
        ..Appearance::default()
    };
    assert_eq!(
        text(&announcing),
        Some(json!("🔥 Daily Streak: alice is on a 7-day streak."))
    );
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
