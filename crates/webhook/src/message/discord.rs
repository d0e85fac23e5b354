//! Discord: a message of embeds, one for each event.
//!
//! Limits: Discord's documentation, "Embed Limits". They count code points, after trimming and with escapes.

use serde::Serialize;

use super::markdown::Dialect;
use super::{Shrink, text, write_json};
use crate::card::Card;
use crate::mention::Mention;

const MAX_TITLE: usize = 256;
const MAX_DESCRIPTION: usize = 4096;
const MAX_FIELD_NAME: usize = 256;
const MAX_FIELD_VALUE: usize = 1024;
const MAX_FOOTER: usize = 2048;
/// Over all embeds of a message.
const MAX_SUM: usize = 6000;
/// Fields up to this length stand side by side.
const MAX_INLINE: usize = 40;

#[derive(Serialize)]
struct Embed {
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    color: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Field>,
    #[serde(skip_serializing_if = "Option::is_none")]
    footer: Option<Footer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
}

#[derive(Serialize)]
struct Field {
    name: String,
    value: String,
    inline: bool,
}

#[derive(Serialize)]
struct Footer {
    text: String,
}

pub(super) enum Layout {}

impl super::Layout for Layout {
    const CAPACITY: usize = MAX_SUM;

    /// Only the content can ping, and it counts towards no limit of the embeds.
    fn open(mention: Option<&Mention>, out: &mut Vec<u8>) -> usize {
        match mention {
            Some(Mention::DiscordRole(id)) => {
                out.extend_from_slice(format!("{{\"content\":\"<@&{id}>\",\"embeds\":[").as_bytes());
            }
            Some(Mention::DiscordUser(id)) => {
                out.extend_from_slice(format!("{{\"content\":\"<@{id}>\",\"embeds\":[").as_bytes());
            }
            _ => out.extend_from_slice(b"{\"embeds\":["),
        }
        0
    }

    fn write(card: &Card, shrink: Shrink, out: &mut Vec<u8>) -> usize {
        let embed = Embed::new(card, shrink);
        write_json(&embed, out);
        embed.weight()
    }

    fn close(_: &[Card], mention: Option<&Mention>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"],\"allowed_mentions\":{\"parse\":[]");
        match mention {
            Some(Mention::DiscordRole(id)) => {
                out.extend_from_slice(format!(",\"roles\":[\"{id}\"]").as_bytes());
            }
            Some(Mention::DiscordUser(id)) => {
                out.extend_from_slice(format!(",\"users\":[\"{id}\"]").as_bytes());
            }
            _ => {}
        }
        out.extend_from_slice(b"}}");
    }
}

impl Embed {
    fn new(card: &Card, shrink: Shrink) -> Self {
        let footer = text::plain(&card.footer, MAX_FOOTER >> shrink);
        let fields = text::fields(
            card,
            Dialect::Discord,
            MAX_FIELD_NAME >> shrink,
            MAX_FIELD_VALUE >> shrink,
        );
        Self {
            title: text::line(&text::heading(card), Dialect::Discord, MAX_TITLE),
            description: text::render(&card.text, Dialect::Discord, MAX_DESCRIPTION >> shrink),
            color: card.colour & 0xFF_FF_FF,
            fields: fields.map(|(name, value)| Field::new(name, value)).collect(),
            footer: (!footer.is_empty()).then_some(Footer { text: footer }),
            timestamp: text::iso(card.time),
        }
    }

    /// The code points that count towards the sum.
    fn weight(&self) -> usize {
        let fields = self.fields.iter().flat_map(|field| [&field.name, &field.value]);
        let footer = self.footer.iter().map(|footer| &footer.text);
        [&self.title, &self.description]
            .into_iter()
            .chain(fields)
            .chain(footer)
            .map(|text| text.chars().count())
            .sum()
    }
}

impl Field {
    fn new(name: String, value: String) -> Self {
        let inline = value.chars().nth(MAX_INLINE).is_none() && !value.contains('\n');
        Self { name, value, inline }
    }
}
