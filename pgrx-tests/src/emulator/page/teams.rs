//! A Teams message: a MessageCard, or an Adaptive Card.

use maud::{Markup, html};
use serde_json::Value;

use super::marked::marked;
use crate::emulator::kind::Kind;
use crate::emulator::store::Received;

pub(super) fn message(received: &Received) -> Markup {
    let body = &received.body;
    if received.kind == Some(Kind::Connector) {
        return message_card(body);
    }
    html! {
        @for attachment in list(&body["attachments"]) {
            div.card {
                @for element in list(&attachment["content"]["body"]) { (self::element(element)) }
                (actions(&attachment["content"]["actions"], "title"))
            }
        }
    }
}

fn message_card(card: &Value) -> Markup {
    let hex = card["themeColor"]
        .as_str()
        .filter(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
    html! {
        div.card.bar style={ "border-top-color:#" (hex.unwrap_or("c8c6c4")) } {
            @if let Some(title) = card["title"].as_str() { div.large.bolder { (marked(Kind::Connector, title)) } }
            @if let Some(text) = card["text"].as_str() { div.line { (marked(Kind::Connector, text)) } }
            @for section in list(&card["sections"]) {
                div.section {
                    @for (key, class) in [("title", "bolder"), ("activityTitle", "medium bolder"),
                        ("activitySubtitle", "line small subtle"), ("activityText", "line"), ("text", "line")] {
                        @if let Some(text) = section[key].as_str() { div class=(class) { (marked(Kind::Connector, text)) } }
                    }
                    (facts(Kind::Connector, &section["facts"], "name"))
                }
            }
            (actions(&card["potentialAction"], "name"))
        }
    }
}

fn element(element: &Value) -> Markup {
    match element["type"].as_str() {
        Some("TextBlock") => text_block(element),
        Some("FactSet") => facts(Kind::Workflow, &element["facts"], "title"),
        Some("Container") => html! {
            div class={ "container " (style(element)) } {
                @for item in list(&element["items"]) { (self::element(item)) }
            }
        },
        Some("ColumnSet") => html! {
            div class={ "columns " (style(element)) } {
                @for column in list(&element["columns"]) {
                    div class=(if column["width"] == "auto" { "auto" } else { "stretch" }) {
                        @for item in list(&column["items"]) { (self::element(item)) }
                    }
                }
            }
        },
        Some("ActionSet") => actions(&element["actions"], "title"),
        _ => html! {},
    }
}

fn text_block(block: &Value) -> Markup {
    let mut classes = vec!["line"];
    classes.extend(one_of(block, "size", &["small", "medium", "large", "extraLarge"]));
    classes.extend(one_of(block, "weight", &["bolder", "lighter"]));
    classes.extend(one_of(
        block,
        "color",
        &["accent", "good", "warning", "attention"],
    ));
    if block["isSubtle"] == true {
        classes.push("subtle");
    }
    html! { div class=(classes.join(" ")) { (marked(Kind::Workflow, block["text"].as_str().unwrap_or_default())) } }
}

fn facts(kind: Kind, facts: &Value, name: &str) -> Markup {
    let facts = list(facts);
    html! {
        @if !facts.is_empty() {
            table {
                @for fact in facts {
                    tr {
                        th { (marked(kind, fact[name].as_str().unwrap_or_default())) }
                        td { (marked(kind, fact["value"].as_str().unwrap_or_default())) }
                    }
                }
            }
        }
    }
}

/// Drawn, not linked: the addresses are the senders' and nobody is meant to follow them from here.
fn actions(actions: &Value, name: &str) -> Markup {
    let actions = list(actions);
    html! {
        @if !actions.is_empty() {
            div.actions {
                @for action in actions { span.action { (action[name].as_str().unwrap_or_default()) } }
            }
        }
    }
}

fn style(element: &Value) -> &'static str {
    one_of(
        element,
        "style",
        &["good", "accent", "warning", "attention", "emphasis"],
    )
    .unwrap_or_default()
}

/// A member's value as a class, if it is one of these.
fn one_of(element: &Value, key: &str, classes: &[&'static str]) -> Option<&'static str> {
    let value = element[key].as_str()?;
    classes
        .iter()
        .find(|class| class.eq_ignore_ascii_case(value))
        .copied()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
