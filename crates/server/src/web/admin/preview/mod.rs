//! A message roughly as its readers see it.

mod markdown;

use maud::{Markup, html};
use serde_json::Value;

use self::markdown::Dialect;

/// A message as it is posted.
#[derive(Clone, Debug)]
pub struct Message {
    json: Value,
    dialect: Dialect,
}

/// One event in it.
#[derive(Debug, Default)]
struct Card<'a> {
    colour: Option<String>,
    /// Of an Adaptive Card, which has no colours of its own.
    style: Option<&'a str>,
    title: &'a str,
    subtitle: &'a str,
    text: &'a str,
    fields: Vec<Field<'a>>,
    footer: String,
}

#[derive(Debug)]
struct Field<'a> {
    name: &'a str,
    value: &'a str,
    inline: bool,
}

impl Message {
    pub fn of(json: Value) -> Self {
        let dialect = match (json.get("embeds"), json.get("attachments")) {
            (Some(_), _) => Dialect::Discord,
            (None, Some(_)) => Dialect::AdaptiveCard,
            (None, None) => Dialect::MessageCard,
        };
        Self { json, dialect }
    }

    pub fn json(&self) -> &Value {
        &self.json
    }

    /// Who shows it.
    pub fn vendor(&self) -> &'static str {
        match self.dialect {
            Dialect::Discord => "Discord",
            Dialect::AdaptiveCard | Dialect::MessageCard => "Microsoft Teams",
        }
    }

    pub fn draw(&self) -> Markup {
        let class = match self.dialect {
            Dialect::Discord => "discord",
            Dialect::AdaptiveCard | Dialect::MessageCard => "teams",
        };
        html! {
            div.message.(class) {
                @if let Some(content) = self.json["content"].as_str() { p.ping { (content) } }
                @for card in self.cards() { (self.card(&card)) }
            }
        }
    }

    fn cards(&self) -> Vec<Card<'_>> {
        match self.dialect {
            Dialect::Discord => list(&self.json["embeds"]).map(embed).collect(),
            Dialect::MessageCard => {
                let colour = self.json["themeColor"]
                    .as_str()
                    .map(|hex| hex.trim_start_matches('#').to_owned());
                let cards = list(&self.json["sections"]).map(section);
                cards
                    .map(|card| Card {
                        colour: colour.clone(),
                        ..card
                    })
                    .collect()
            }
            Dialect::AdaptiveCard => {
                let contents = list(&self.json["attachments"]).map(|attachment| &attachment["content"]);
                contents
                    .flat_map(|content| list(&content["body"]))
                    .map(element)
                    .collect()
            }
        }
    }

    fn card(&self, card: &Card<'_>) -> Markup {
        let marked = |source: &str| markdown::marked(self.dialect, source);
        html! {
            div.card.(card.style.unwrap_or_default()) {
                @if let Some(colour) = &card.colour {
                    // A style attribute would need a laxer policy than these pages have.
                    svg.bar aria-hidden="true" { rect width="100%" height="100%" fill={ "#" (colour) } {} }
                }
                @if !card.title.is_empty() { p.heading { (marked(card.title)) } }
                @if !card.subtitle.is_empty() { p.small { (marked(card.subtitle)) } }
                @if !card.text.is_empty() { p { (marked(card.text)) } }
                @if !card.fields.is_empty() {
                    dl {
                        @for field in &card.fields {
                            div.wide[!field.inline] { dt { (marked(field.name)) } dd { (marked(field.value)) } }
                        }
                    }
                }
                @if !card.footer.is_empty() { p.small { (card.footer) } }
            }
        }
    }
}

/// Of Discord.
fn embed(embed: &Value) -> Card<'_> {
    let time = embed["timestamp"]
        .as_str()
        .and_then(|time| time.parse::<jiff::Timestamp>().ok());
    let time = time.map(|time| time.strftime("%Y-%m-%d %H:%M").to_string());
    let footer: Vec<&str> = embed["footer"]["text"]
        .as_str()
        .into_iter()
        .chain(time.as_deref())
        .collect();
    Card {
        colour: embed["color"]
            .as_u64()
            .map(|colour| format!("{:06x}", colour & 0xff_ffff)),
        title: text(&embed["title"]),
        text: text(&embed["description"]),
        fields: list(&embed["fields"]).map(|one| field(one, "name")).collect(),
        footer: footer.join(" • "),
        ..Card::default()
    }
}

/// Of a MessageCard.
fn section(section: &Value) -> Card<'_> {
    Card {
        title: text(&section["activityTitle"]),
        subtitle: text(&section["activitySubtitle"]),
        text: text(&section["text"]),
        fields: list(&section["facts"]).map(|one| field(one, "name")).collect(),
        ..Card::default()
    }
}

/// Of an Adaptive Card: a container with an event, or a text with whom it pings.
fn element(element: &Value) -> Card<'_> {
    let mut card = Card {
        style: element["style"].as_str(),
        ..Card::default()
    };
    let alone = element["items"].is_null().then_some(element);
    for item in list(&element["items"]).chain(alone) {
        if item["type"] == "FactSet" {
            card.fields = list(&item["facts"]).map(|one| field(one, "title")).collect();
        } else if item["weight"] == "Bolder" {
            card.title = text(&item["text"]);
        } else if item["isSubtle"] == true {
            card.footer = markdown::with_times(text(&item["text"]));
        } else {
            card.text = text(&item["text"]);
        }
    }
    card
}

fn field<'a>(field: &'a Value, name: &str) -> Field<'a> {
    Field {
        name: text(&field[name]),
        value: text(&field["value"]),
        inline: field["inline"] == true,
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
