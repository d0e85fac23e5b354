//! Teams Workflows: an Adaptive Card in a message's envelope, a container for each event.

use std::sync::Arc;

use serde::Serialize;

use super::dialect::Dialect;
use super::json::{quoted_length, write_json};
use super::pack::{self, Format, Shrink};
use super::text;
use crate::appearance::Appearance;
use crate::card::Card;
use crate::mention::Mention;

/// The limit of the cards in bytes, as Teams counts them. Teams refuses 28,672 bytes, in which it includes its own wrapping.
const MAX_BYTES: usize = 20 * 1024;
/// These limits are this project's, for readability; Microsoft documents none.
const MAX_TITLE: usize = 256;
const MAX_TEXT: usize = 4096;
const MAX_FACT_TITLE: usize = 256;
const MAX_FACT_VALUE: usize = 1024;
const MAX_FOOTER: usize = 256;

const OPEN: &[u8] = concat!(
    r#"{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null,"#,
    r#""content":{"$schema":"http://adaptivecards.io/schemas/adaptive-card.json","type":"AdaptiveCard","#,
    r#""version":"1.4","msteams":{"width":"Full""#,
)
.as_bytes();
const BODY: &[u8] = br#"},"body":["#;
const CLOSE: &[u8] = b"]}}]}";

#[derive(Serialize)]
struct Container {
    #[serde(rename = "type")]
    kind: &'static str,
    style: Style,
    spacing: &'static str,
    items: Vec<Item>,
}

/// The colours that are readable in both of Teams' themes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Style {
    Good,
    Accent,
    Warning,
    Attention,
    Emphasis,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Item {
    TextBlock(TextBlock),
    FactSet {
        facts: Vec<Fact>,
        spacing: &'static str,
    },
    #[serde(rename_all = "camelCase")]
    Image {
        url: Arc<str>,
        alt_text: &'static str,
        size: &'static str,
    },
    ActionSet {
        actions: [OpenUrl; 1],
    },
}

#[derive(Serialize)]
struct OpenUrl {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    url: Arc<str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TextBlock {
    text: String,
    wrap: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spacing: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_subtle: bool,
}

#[derive(Serialize)]
struct Fact {
    title: String,
    value: String,
}

/// An entity, which makes an `<at>` with the same text a mention.
#[derive(Serialize)]
struct Entity<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
    mentioned: Mentioned<'a>,
}

#[derive(Serialize)]
struct Mentioned<'a> {
    id: &'a str,
    name: &'a str,
}

impl<'a> Entity<'a> {
    fn new(text: &'a str, id: &'a str, name: &'a str) -> Self {
        Self {
            kind: "mention",
            text,
            mentioned: Mentioned { id, name },
        }
    }
}

pub(super) const FORMAT: Format = Format::Cards(pack::compose::<Layout>);

enum Layout {}

impl pack::Layout for Layout {
    const CAPACITY: usize = MAX_BYTES - 2 * (OPEN.len() + BODY.len() + CLOSE.len());

    fn open(appearance: &Appearance, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        out.extend_from_slice(OPEN);
        let Some(Mention::TeamsUser { id, name }) = &appearance.mention else {
            out.extend_from_slice(BODY);
            return 0;
        };
        let text = format!("<at>{name}</at>");
        out.extend_from_slice(br#","entities":["#);
        write_json(&Entity::new(&text, id, name), out);
        out.push(b']');
        out.extend_from_slice(BODY);
        write_json(&Item::TextBlock(TextBlock::new(text)), out);
        out.push(b',');
        quoted_length(&out[start..])
    }

    fn write(cards: &[Card], shrink: Shrink, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        if let Some(card) = cards.last() {
            write_json(&Container::new(card, shrink), out);
        }
        quoted_length(&out[start..]) + ",".len()
    }

    fn close(_: &[Card], _: &Appearance, out: &mut Vec<u8>) {
        out.extend_from_slice(CLOSE);
    }
}

impl Container {
    fn new(card: &Card, shrink: Shrink) -> Self {
        let mut items = Vec::with_capacity(4);
        items.push(Item::TextBlock(TextBlock {
            size: Some("Large"),
            weight: Some("Bolder"),
            ..TextBlock::new(text::line(&text::heading(card), Dialect::AdaptiveCard, MAX_TITLE))
        }));
        let description = text::render(&card.text, Dialect::AdaptiveCard, MAX_TEXT >> shrink);
        if !description.is_empty() {
            items.push(Item::TextBlock(TextBlock {
                spacing: Some("Small"),
                ..TextBlock::new(description)
            }));
        }
        let facts = text::fields(
            card,
            Dialect::AdaptiveCard,
            MAX_FACT_TITLE >> shrink,
            MAX_FACT_VALUE >> shrink,
        );
        let facts: Vec<_> = facts.map(|(title, value)| Fact { title, value }).collect();
        if !facts.is_empty() {
            items.push(Item::FactSet {
                facts,
                spacing: "Medium",
            });
        }
        if let Some(url) = &card.thumbnail {
            items.push(Item::Image {
                url: Arc::clone(url),
                alt_text: "",
                size: "Medium",
            });
        }
        if let Some(url) = &card.url {
            items.push(Item::ActionSet {
                actions: [OpenUrl {
                    kind: "Action.OpenUrl",
                    title: card.language.words().open,
                    url: Arc::clone(url),
                }],
            });
        }
        items.push(Item::TextBlock(TextBlock {
            size: Some("Small"),
            spacing: Some("Medium"),
            is_subtle: true,
            ..TextBlock::new(small_print(card))
        }));
        Self {
            kind: "Container",
            style: Style::nearest(card.colour),
            spacing: "Medium",
            items,
        }
    }
}

impl TextBlock {
    fn new(text: String) -> Self {
        Self {
            text,
            wrap: true,
            size: None,
            weight: None,
            spacing: None,
            is_subtle: false,
        }
    }
}

/// Returns the footer and the time, which Teams shows in the reader's language and time zone.
fn small_print(card: &Card) -> String {
    let footer = text::line(&text::footer(card), Dialect::AdaptiveCard, MAX_FOOTER);
    let time = match text::iso(card.time) {
        Some(iso) => format!("{{{{DATE({iso}, SHORT)}}}} {{{{TIME({iso})}}}}"),
        None => text::moment_in(card, Dialect::AdaptiveCard),
    };
    if footer.is_empty() {
        time
    } else {
        format!("{footer} · {time}")
    }
}

impl Style {
    /// Returns the style with the nearest hue; for grey, emphasis.
    fn nearest(colour: u32) -> Self {
        let [_, red, green, blue] = colour.to_be_bytes().map(i32::from);
        let (high, low) = (red.max(green).max(blue), red.min(green).min(blue));
        let spread = high - low;
        if spread < 32 {
            return Self::Emphasis;
        }
        let hue = match high {
            _ if high == red => (60 * (green - blue) / spread).rem_euclid(360),
            _ if high == green => 120 + 60 * (blue - red) / spread,
            _ => 240 + 60 * (red - green) / spread,
        };
        match hue {
            0..20 | 330.. => Self::Attention,
            20..75 => Self::Warning,
            75..170 => Self::Good,
            _ => Self::Accent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_follow_the_hue() {
        let styles = [
            (0x00_ff_00, Style::Good),
            (0xff_d7_00, Style::Warning),
            (0x00_99_ff, Style::Accent),
            (0xff_66_00, Style::Warning),
            (0x99_66_ff, Style::Accent),
            (0xd1_34_38, Style::Attention),
            // Greens that lean to red and to blue.
            (0xaa_cc_00, Style::Warning),
            (0x66_cc_00, Style::Good),
            (0x1a_bc_9c, Style::Good),
            (0xff_00_80, Style::Attention),
            (0x80_80_80, Style::Emphasis),
            (0x00_00_00, Style::Emphasis),
            (0xff_ff_ff, Style::Emphasis),
        ];
        for (colour, style) in styles {
            assert_eq!(Style::nearest(colour), style, "{colour:06x}");
        }
    }
}
