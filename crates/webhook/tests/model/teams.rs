//! MessageCard and Adaptive Card.

use serde_json::Value;

use super::{Shown, keys, markdown, optional, text};

pub(crate) const TITLE: usize = 256;
pub(crate) const TEXT: usize = 4096;
pub(crate) const FACT_NAME: usize = 256;
pub(crate) const FACT_VALUE: usize = 1024;

/// The bytes that Teams counts: the card is a string in its own message.
fn quoted(body: &[u8]) -> usize {
    let body = std::str::from_utf8(body).expect("UTF-8");
    serde_json::to_string(body).expect("a string").len() - 2
}

/// Validates a MessageCard; returns its sections.
pub(crate) fn sections(body: &[u8]) -> Vec<Value> {
    let bytes = quoted(body);
    assert!(bytes <= 21 * 1024, "{bytes} bytes");
    let card: Value = serde_json::from_slice(body).expect("JSON");
    keys(&card, &["@type", "@context", "summary", "themeColor", "sections"]);
    assert_eq!(card["@type"], "MessageCard");
    assert_eq!(card["@context"], "https://schema.org/extensions");
    text(&card["summary"]);
    let colour = text(&card["themeColor"]);
    assert!(
        colour.len() == 6 && u32::from_str_radix(colour, 16).is_ok(),
        "{colour}"
    );
    let sections = card["sections"].as_array().expect("an array").clone();
    assert!((1..=10).contains(&sections.len()));
    for section in &sections {
        keys(
            section,
            &[
                "activityTitle",
                "activitySubtitle",
                "activityImage?",
                "text?",
                "facts?",
                "markdown",
                "potentialAction?",
            ],
        );
        for action in section
            .get("potentialAction")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let uri = text(&action["targets"][0]["uri"]);
            assert!(uri.starts_with("https://"));
            let target = serde_json::json!([{ "os": "default", "uri": uri }]);
            let name = text(&action["name"]);
            assert!(
                ["Open", "Öffnen", "Abrir", "Ouvrir", "開く"].contains(&name),
                "{name}"
            );
            assert_eq!(
                *action,
                serde_json::json!({ "@type": "OpenUri", "name": name, "targets": target })
            );
        }
        assert_eq!(section["markdown"], true);
        limited(text(&section["activityTitle"]), TITLE);
        limited(text(&section["activitySubtitle"]), TITLE);
        limited(optional(section, "text"), TEXT);
        check_facts(section.get("facts"), "name");
    }
    sections
}

pub(crate) fn section_shown(section: &Value) -> Shown {
    let (text, bold) = message_card_text(optional(section, "text"));
    let line = |value: &Value| message_card_text(value.as_str().expect("a text")).0;
    let facts = section
        .get("facts")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    Shown {
        title: line(&section["activityTitle"]),
        text,
        bold,
        fields: facts
            .map(|fact| (line(&fact["name"]), line(&fact["value"])))
            .collect(),
        footer: line(&section["activitySubtitle"]),
    }
}

fn message_card_text(raw: &str) -> (String, Vec<String>) {
    assert!(!raw.contains('<'), "HTML in {raw:?}");
    markdown::read(raw)
}

/// Validates a message with an Adaptive Card; returns the containers.
pub(crate) fn containers(body: &[u8]) -> Vec<Value> {
    let bytes = quoted(body);
    assert!(bytes <= 20 * 1024, "{bytes} bytes");
    let message: Value = serde_json::from_slice(body).expect("JSON");
    keys(&message, &["type", "attachments"]);
    assert_eq!(message["type"], "message");
    let [attachment] = message["attachments"].as_array().expect("an array").as_slice() else {
        panic!("attachments")
    };
    keys(attachment, &["contentType", "contentUrl", "content"]);
    assert_eq!(
        attachment["contentType"],
        "application/vnd.microsoft.card.adaptive"
    );
    assert!(attachment["contentUrl"].is_null());
    let card = &attachment["content"];
    keys(card, &["$schema", "type", "version", "msteams", "body"]);
    assert_eq!(card["type"], "AdaptiveCard");
    assert_eq!(card["version"], "1.4");
    let mut containers = card["body"].as_array().expect("an array").clone();
    let teams = match card["msteams"]["entities"].as_array().map(Vec::as_slice) {
        None => serde_json::json!({ "width": "Full" }),
        Some([entity]) => {
            let at = format!("<at>{}</at>", text(&entity["mentioned"]["name"]));
            assert_eq!(
                containers.remove(0),
                serde_json::json!({ "type": "TextBlock", "text": at, "wrap": true })
            );
            keys(&entity["mentioned"], &["id", "name"]);
            let entity =
                serde_json::json!({ "type": "mention", "text": at, "mentioned": entity["mentioned"] });
            serde_json::json!({ "width": "Full", "entities": [entity] })
        }
        Some(other) => panic!("{other:?}"),
    };
    assert_eq!(card["msteams"], teams);
    assert!((1..=10).contains(&containers.len()));
    containers.iter().for_each(check_container);
    containers
}

fn check_container(container: &Value) {
    keys(container, &["type", "style", "spacing", "items"]);
    assert_eq!(container["type"], "Container");
    let styles = ["good", "accent", "warning", "attention", "emphasis"];
    assert!(styles.contains(&text(&container["style"])));
    check_spacing(container);
    for item in container["items"].as_array().expect("an array") {
        check_spacing(item);
        match text(&item["type"]) {
            "TextBlock" => {
                keys(
                    item,
                    &[
                        "type",
                        "text",
                        "wrap",
                        "size?",
                        "weight?",
                        "spacing?",
                        "isSubtle?",
                    ],
                );
                assert_eq!(item["wrap"], true);
                assert!(["Small", "Large", ""].contains(&optional(item, "size")));
                assert!(["Bolder", ""].contains(&optional(item, "weight")));
                limited(text(&item["text"]), TEXT);
            }
            "FactSet" => {
                keys(item, &["type", "facts", "spacing"]);
                check_facts(item.get("facts"), "title");
            }
            "Image" => {
                keys(item, &["type", "url", "altText", "size"]);
                assert!(text(&item["url"]).starts_with("https://"));
            }
            "ActionSet" => {
                keys(item, &["type", "actions"]);
                let actions = item["actions"].as_array().expect("an array");
                assert_eq!(actions.len(), 1);
                keys(&actions[0], &["type", "title", "url"]);
                assert_eq!(actions[0]["type"], "Action.OpenUrl");
                assert!(text(&actions[0]["url"]).starts_with("https://"));
            }
            other => panic!("{other}"),
        }
    }
}

fn check_spacing(element: &Value) {
    assert!(["Small", "Medium", ""].contains(&optional(element, "spacing")));
}

fn check_facts(facts: Option<&Value>, name: &str) {
    let Some(facts) = facts else { return };
    let facts = facts.as_array().expect("an array");
    assert!((1..=25).contains(&facts.len()));
    for fact in facts {
        keys(fact, &[name, "value"]);
        limited(text(&fact[name]), FACT_NAME);
        limited(text(&fact["value"]), FACT_VALUE);
    }
}

fn limited(text: &str, limit: usize) {
    let count = text.chars().count();
    assert!(count <= limit, "{count} of {limit} code points");
}

pub(crate) fn container_shown(container: &Value) -> Shown {
    let items = container["items"].as_array().expect("an array");
    let (small_print, items) = items.split_last().expect("small print");
    let (title, items) = items.split_first().expect("a title");
    let line = |value: &Value| adaptive_text(value.as_str().expect("a text")).0;
    let mut shown = Shown {
        title: line(&title["text"]),
        footer: small_print_shown(&small_print["text"]),
        ..Shown::default()
    };
    for item in items
        .iter()
        .filter(|item| item["type"] != "Image" && item["type"] != "ActionSet")
    {
        match item.get("facts").and_then(Value::as_array) {
            Some(facts) => {
                shown.fields = facts
                    .iter()
                    .map(|fact| (line(&fact["title"]), line(&fact["value"])))
                    .collect()
            }
            None => (shown.text, shown.bold) = adaptive_text(text(&item["text"])),
        }
    }
    shown
}

/// Text of the data, which desktop and phones show alike: no function, no tag that would be a mention.
fn adaptive_text(raw: &str) -> (String, Vec<String>) {
    assert!(!raw.contains("{{"), "function in {raw:?}");
    assert!(!raw.to_lowercase().contains("<at"), "mention in {raw:?}");
    let (desktop, phone) = (markdown::read_subset(raw), super::phones::read(raw));
    assert_eq!(super::normal(&desktop.0), super::normal(&phone.0), "{raw:?}");
    let normal = |parts: &[String]| parts.iter().map(|part| super::normal(part)).collect::<Vec<_>>();
    assert_eq!(normal(&desktop.1), normal(&phone.1), "{raw:?}");
    desktop
}

/// The small print with the functions in it replaced by their time.
fn small_print_shown(value: &Value) -> String {
    let mut raw = text(value).to_owned();
    for (open, close) in [("{{DATE(", ", SHORT)}}"), ("{{TIME(", ")}}")] {
        // The last one is ours: in a footer there may be no other, which the text without it shows.
        let Some(start) = raw.rfind(open) else { continue };
        let end = start + raw[start..].find(close).expect("an end");
        let time = raw[start + open.len()..end].to_owned();
        assert!(time.ends_with('Z') && !time.contains('.'), "{time}");
        time.parse::<jiff::Timestamp>().expect("a time");
        raw.replace_range(start..end + close.len(), &time);
    }
    adaptive_text(&raw).0
}
