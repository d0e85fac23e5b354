//! The preview of a message, roughly as its service shows it.

mod markdown;

use maud::{Markup, html};
use serde_json::Value;

use self::markdown::Dialect;

/// A message as it is posted, with the dialect that its structure shows.
#[derive(Clone, Debug)]
pub struct Message {
    json: Value,
    dialect: Dialect,
}

/// One event of a message.
#[derive(Debug, Default)]
struct Card<'a> {
    /// Hexadecimal digits, without `#`.
    colour: Option<String>,
    /// The style of a container of an Adaptive Card, which has styles instead of colours.
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
    /// Returns the message with its dialect, which is recognised by the keys of the JSON.
    pub fn of(json: Value) -> Self {
        let first = &json["attachments"][0];
        let dialect = if json.get("data").is_some() {
            Dialect::Event
        } else if json.get("embeds").is_some() {
            Dialect::Discord
        } else if json.get("cardsV2").is_some() {
            Dialect::GoogleChat
        } else if first.get("blocks").is_some() {
            Dialect::Slack
        } else if first.get("fallback").is_some() {
            Dialect::Mattermost
        } else if first.is_object() {
            Dialect::AdaptiveCard
        } else if json.get("sections").is_some() {
            Dialect::MessageCard
        } else {
            Dialect::Other
        };
        Self { json, dialect }
    }

    pub fn json(&self) -> &Value {
        &self.json
    }

    /// Returns the CSS class of the message.
    fn service(&self) -> &'static str {
        match self.dialect {
            Dialect::Discord => "discord",
            Dialect::AdaptiveCard | Dialect::MessageCard => "teams",
            Dialect::Slack => "slack",
            Dialect::GoogleChat => "google_chat",
            Dialect::Mattermost => "mattermost",
            Dialect::Event => "webhook",
            Dialect::Other => "other",
        }
    }

    /// Returns the text above the events; `None` if there is none.
    fn above(&self) -> Option<Markup> {
        let text = |name: &str| self.json[name].as_str();
        match self.dialect {
            Dialect::Discord => text("content").map(|text| html! { (text) }),
            Dialect::Slack | Dialect::GoogleChat | Dialect::Mattermost => {
                text("text").map(|text| markdown::marked(self.dialect, text))
            }
            Dialect::AdaptiveCard | Dialect::MessageCard | Dialect::Event | Dialect::Other => None,
        }
    }

    /// Returns the message as HTML; an event for a program is shown as JSON.
    pub fn draw(&self) -> Markup {
        if self.dialect == Dialect::Event {
            return super::parts::json("The event", &self.json);
        }
        html! {
            div.message.(self.service()) {
                @if let Some(above) = self.above() { p.ping { (above) } }
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
            Dialect::Event => Vec::new(),
            Dialect::Other => vec![plain(&self.json)],
            Dialect::Slack => list(&self.json["attachments"]).map(attachment).collect(),
            Dialect::Mattermost => list(&self.json["attachments"]).map(post).collect(),
            Dialect::GoogleChat => list(&self.json["cardsV2"]).map(chat_card).collect(),
            Dialect::AdaptiveCard => {
                let contents = list(&self.json["attachments"]).map(|attachment| &attachment["content"]);
                contents
                    .flat_map(|content| list(&content["body"]))
                    .map(element)
                    .collect()
            }
        }
    }

    /// Returns a footer as HTML; only some services have markup there.
    fn small_print(&self, footer: &str) -> Markup {
        match self.dialect {
            Dialect::Slack | Dialect::GoogleChat => markdown::marked(self.dialect, footer),
            _ => html! { (footer) },
        }
    }

    fn card(&self, card: &Card<'_>) -> Markup {
        let marked = |source: &str| markdown::marked(self.dialect, source);
        html! {
            div.card.(card.style.unwrap_or_default()) {
                @if let Some(colour) = &card.colour {
                    // The Content-Security-Policy of these pages does not allow style attributes.
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
                @if !card.footer.is_empty() { p.small { (self.small_print(&card.footer)) } }
            }
        }
    }
}

/// Returns the card of an embed of Discord.
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

/// Returns the card of a message of a service without cards: its title and its text, each empty if it is missing.
fn plain(message: &Value) -> Card<'_> {
    let words = ["message", "text"]
        .into_iter()
        .find_map(|name| message[name].as_str());
    Card {
        title: text(&message["title"]),
        text: words.unwrap_or_default(),
        ..Card::default()
    }
}

/// Returns the card of an attachment of Slack: the first line of the block with a text is the title, the context block is the footer.
fn attachment(attachment: &Value) -> Card<'_> {
    let mut card = Card {
        colour: hex(&attachment["color"]),
        ..Card::default()
    };
    for block in list(&attachment["blocks"]) {
        if block["type"] == "context" {
            card.footer = text(&block["elements"][0]["text"]).to_owned();
        }
        if let Some(main) = block["text"]["text"].as_str() {
            (card.title, card.text) = main.split_once('\n').unwrap_or((main, ""));
        }
        card.fields.extend(list(&block["fields"]).map(|field| {
            let (name, value) = text(&field["text"]).split_once('\n').unwrap_or_default();
            Field {
                name,
                value,
                inline: true,
            }
        }));
    }
    card
}

/// Returns the card of an attachment of Mattermost.
fn post(attachment: &Value) -> Card<'_> {
    let fields = list(&attachment["fields"]).map(|one| Field {
        inline: one["short"] == true,
        ..field(one, "title")
    });
    Card {
        colour: hex(&attachment["color"]),
        title: text(&attachment["title"]),
        text: text(&attachment["text"]),
        fields: fields.collect(),
        footer: text(&attachment["footer"]).to_owned(),
        ..Card::default()
    }
}

/// Returns the card of a card of Google Chat: its first paragraph is the title, the last of the others is the footer.
fn chat_card(card: &Value) -> Card<'_> {
    let widgets = || list(&card["card"]["sections"][0]["widgets"]);
    let paragraphs = widgets().filter_map(|widget| widget["textParagraph"]["text"].as_str());
    let paragraphs: Vec<&str> = paragraphs.collect();
    let fields = widgets().filter_map(|widget| {
        let decorated = widget.get("decoratedText")?;
        Some(Field {
            name: text(&decorated["topLabel"]),
            value: text(&decorated["text"]),
            inline: false,
        })
    });
    let (title, others) = match paragraphs.as_slice() {
        [title, others @ ..] => (*title, others),
        [] => ("", [].as_slice()),
    };
    let (footer, texts) = match others {
        [texts @ .., footer] => (*footer, texts),
        [] => ("", others),
    };
    Card {
        title,
        text: texts.first().copied().unwrap_or_default(),
        fields: fields.collect(),
        footer: footer.to_owned(),
        ..Card::default()
    }
}

/// Returns the digits of a colour such as `#57F287`; `None` if it has no `#`, or other characters than hexadecimal digits
/// after it, which must not get into the page.
fn hex(colour: &Value) -> Option<String> {
    let digits = colour.as_str()?.strip_prefix('#')?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| digits.to_owned())
}

/// Returns the card of a section of a MessageCard of Teams.
fn section(section: &Value) -> Card<'_> {
    Card {
        title: text(&section["activityTitle"]),
        subtitle: text(&section["activitySubtitle"]),
        text: text(&section["text"]),
        fields: list(&section["facts"]).map(|one| field(one, "name")).collect(),
        ..Card::default()
    }
}

/// Returns the card of an element of an Adaptive Card: a container with an event, or a text with mentions.
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

/// Returns a field; `name`: the key of its name.
fn field<'a>(field: &'a Value, name: &str) -> Field<'a> {
    Field {
        name: text(&field[name]),
        value: text(&field["value"]),
        inline: field["inline"] == true,
    }
}

/// Returns the items of an array; none of any other value.
fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Returns a text; any other value is an empty one.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests;
