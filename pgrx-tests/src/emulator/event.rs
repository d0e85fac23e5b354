//! What a message says, whatever its format.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One embed, section or card: what a person would take for one notification. Texts are as they were sent, markup
/// included; [`Event::shown`] gives what is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Event {
    pub title: String,
    pub text: String,
    pub fields: Vec<Field>,
    /// 0xRRGGBB.
    pub colour: Option<u32>,
    pub timestamp: Option<String>,
    pub footer: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Field {
    pub name: String,
    pub value: String,
}

impl Event {
    /// The value of the field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|field| field.name == name)
            .map(|field| field.value.as_str())
    }
}

/// Of Discord.
pub(crate) fn embeds(body: &Value) -> Vec<Event> {
    match list(body, "embeds") {
        [] => vec![Event {
            text: text(body, "content"),
            ..Event::default()
        }],
        embeds => embeds.iter().map(embed).collect(),
    }
}

/// Of a Workflows flow.
pub(crate) fn adaptive_cards(body: &Value) -> Vec<Event> {
    let attachments = list(body, "attachments").iter();
    attachments
        .flat_map(|attachment| adaptive_card(&attachment["content"]))
        .collect()
}

/// One for each entry, or the text of the message where it has none.
pub(crate) fn of_list(body: &Value, key: &str, read: fn(&Value) -> Event) -> Vec<Event> {
    match list(body, key) {
        [] => vec![Event {
            text: text(body, "text"),
            ..Event::default()
        }],
        entries => entries.iter().map(read).collect(),
    }
}

/// `#rrggbb`
pub(crate) fn hex_colour(value: &Value) -> Option<u32> {
    u32::from_str_radix(value.as_str()?.strip_prefix('#')?, 16).ok()
}

/// What of a body tells how many events are in it.
#[derive(Deserialize)]
pub(crate) struct Outline<'a> {
    #[serde(default)]
    pub(crate) embeds: Vec<IgnoredAny>,
    #[serde(default)]
    pub(crate) sections: Vec<IgnoredAny>,
    #[serde(default, borrow)]
    pub(crate) attachments: Vec<Attachment<'a>>,
    #[serde(default, borrow)]
    pub(crate) message: Cow<'a, str>,
    #[serde(default, rename = "cardsV2")]
    pub(crate) cards: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
pub(crate) struct Attachment<'a> {
    #[serde(default, borrow)]
    content: Card<'a>,
}

#[derive(Default, Deserialize)]
pub(crate) struct Card<'a> {
    #[serde(borrow)]
    body: Vec<Element<'a>>,
}

#[derive(Deserialize)]
pub(crate) struct Element<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

/// Of a Workflows flow.
pub(crate) fn containers(outline: &Outline<'_>) -> usize {
    let containers = |card: &Card<'_>| {
        card.body
            .iter()
            .filter(|element| element.kind == "Container")
            .count()
    };
    outline
        .attachments
        .iter()
        .map(|attachment| containers(&attachment.content).max(1))
        .sum()
}

fn embed(embed: &Value) -> Event {
    Event {
        title: text(embed, "title"),
        text: text(embed, "description"),
        fields: pairs(embed, "fields", "name"),
        colour: embed["color"]
            .as_u64()
            .and_then(|colour| u32::try_from(colour).ok()),
        timestamp: optional(embed, "timestamp"),
        footer: optional(&embed["footer"], "text"),
    }
}

/// A section each, or the card itself where it has none.
pub(crate) fn message_card(card: &Value) -> Vec<Event> {
    let colour = card["themeColor"]
        .as_str()
        .and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let sections = list(card, "sections");
    if sections.is_empty() {
        return vec![Event {
            title: text(card, "title"),
            text: text(card, "text"),
            colour,
            ..Event::default()
        }];
    }
    sections
        .iter()
        .map(|section| Event {
            colour,
            ..self::section(section)
        })
        .collect()
}

/// The subtitle is small print below the title, unless it is all the text that there is.
fn section(section: &Value) -> Event {
    let title = optional(section, "activityTitle").unwrap_or_else(|| text(section, "title"));
    let texts = ["activityText", "text"].map(|key| text(section, key));
    let texts: Vec<String> = texts.into_iter().filter(|text| !text.is_empty()).collect();
    let subtitle = optional(section, "activitySubtitle");
    let (text, footer) = match texts.is_empty() {
        true => (subtitle.unwrap_or_default(), None),
        false => (texts.join("\n\n"), subtitle),
    };
    Event {
        title,
        text,
        footer,
        fields: pairs(section, "facts", "name"),
        ..Event::default()
    }
}

/// Each outermost container is an event; a card without one is an event itself.
fn adaptive_card(card: &Value) -> Vec<Event> {
    let body = list(card, "body");
    let containers = body.iter().filter(|element| element["type"] == "Container");
    let container = |container: &Value| Event {
        colour: container["style"].as_str().and_then(style_colour),
        ..elements(list(container, "items"))
    };
    let containers: Vec<Event> = containers.map(container).collect();
    if containers.is_empty() {
        vec![elements(body)]
    } else {
        containers
    }
}

/// The accent that goes with a container's style in Teams' light theme.
fn style_colour(style: &str) -> Option<u32> {
    match style.to_ascii_lowercase().as_str() {
        "good" => Some(0x23_7b4b),
        "warning" => Some(0x83_5c00),
        "attention" => Some(0xc4_314b),
        "accent" => Some(0x5b_5fc7),
        _ => None,
    }
}

/// The first text block is the title; the others are the text, and the small print among them the footer.
fn elements(elements: &[Value]) -> Event {
    let mut event = Event::default();
    for element in elements {
        collect(element, &mut event);
    }
    event
}

fn collect(element: &Value, event: &mut Event) {
    match element["type"].as_str() {
        Some("TextBlock") if event.title.is_empty() => event.title = text(element, "text"),
        Some("TextBlock") if element["isSubtle"] == true && element["size"] == "Small" => {
            event.footer = optional(element, "text");
        }
        Some("TextBlock") => {
            if !event.text.is_empty() {
                event.text.push_str("\n\n");
            }
            event.text.push_str(&text(element, "text"));
        }
        Some("FactSet") => event.fields.extend(pairs(element, "facts", "title")),
        Some("Container" | "Column") => list(element, "items")
            .iter()
            .for_each(|item| collect(item, event)),
        Some("ColumnSet") => list(element, "columns")
            .iter()
            .for_each(|column| collect(column, event)),
        _ => {}
    }
}

pub(crate) fn pairs(parent: &Value, key: &str, name: &str) -> Vec<Field> {
    list(parent, key)
        .iter()
        .map(|pair| Field {
            name: text(pair, name),
            value: text(pair, "value"),
        })
        .collect()
}

pub(crate) fn list<'a>(parent: &'a Value, key: &str) -> &'a [Value] {
    parent[key].as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn optional(parent: &Value, key: &str) -> Option<String> {
    parent[key].as_str().map(str::to_owned)
}

pub(crate) fn text(parent: &Value, key: &str) -> String {
    optional(parent, key).unwrap_or_default()
}
