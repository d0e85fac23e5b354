//! Teams' former connectors: a MessageCard with a section for each event.

use std::sync::Arc;

use serde::Serialize;

use super::dialect::Dialect;
use super::json::{quoted_length, write_json};
use super::pack::{self, Format, Shrink};
use super::text;
use crate::appearance::Appearance;
use crate::card::Card;
use crate::language::Language;

/// The limit of the sections in bytes, as Teams counts them. Teams refuses 28 KB, in which it includes its own wrapping.
const MAX_BYTES: usize = 21 * 1024;
/// These limits are this project's, for readability; Microsoft documents none.
const MAX_TITLE: usize = 256;
const MAX_TEXT: usize = 4096;
const MAX_FACT_NAME: usize = 256;
const MAX_FACT_VALUE: usize = 1024;
const MAX_SUBTITLE: usize = 256;
const MAX_SUMMARY: usize = 256;
/// The maximum size, in bytes, of what is around the sections.
const ENVELOPE: usize = 320 + MAX_SUMMARY * 4;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Section {
    activity_title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    activity_subtitle: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    facts: Vec<Fact>,
    markdown: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    activity_image: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    potential_action: Option<[OpenUri; 1]>,
}

#[derive(Serialize)]
struct OpenUri {
    #[serde(rename = "@type")]
    kind: &'static str,
    name: &'static str,
    targets: [Target; 1],
}

#[derive(Serialize)]
struct Target {
    os: &'static str,
    uri: Arc<str>,
}

impl OpenUri {
    fn new(uri: &Arc<str>, language: Language) -> Self {
        Self {
            kind: "OpenUri",
            name: language.words().open,
            targets: [Target {
                os: "default",
                uri: Arc::clone(uri),
            }],
        }
    }
}

#[derive(Serialize)]
struct Fact {
    name: String,
    value: String,
}

pub(super) const FORMAT: Format = Format::Cards(pack::compose::<Layout>);

enum Layout {}

impl pack::Layout for Layout {
    const CAPACITY: usize = MAX_BYTES - ENVELOPE;

    fn open(_: &Appearance, out: &mut Vec<u8>) -> usize {
        out.extend_from_slice(
            b"{\"@type\":\"MessageCard\",\"@context\":\"https://schema.org/extensions\",\"sections\":[",
        );
        0
    }

    fn write(cards: &[Card], shrink: Shrink, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        if let Some(card) = cards.last() {
            write_json(&Section::new(card, shrink), out);
        }
        quoted_length(&out[start..]) + ",".len()
    }

    fn close(cards: &[Card], _: &Appearance, out: &mut Vec<u8>) {
        out.extend_from_slice(b"],\"themeColor\":");
        write_json(&text::hex(cards[0].colour), out);
        out.extend_from_slice(b",\"summary\":");
        write_json(&text::summary(cards, MAX_SUMMARY), out);
        out.push(b'}');
    }
}

impl Section {
    fn new(card: &Card, shrink: Shrink) -> Self {
        let facts = text::fields(
            card,
            Dialect::MessageCard,
            MAX_FACT_NAME >> shrink,
            MAX_FACT_VALUE >> shrink,
        );
        Self {
            activity_title: text::line(&text::heading(card), Dialect::MessageCard, MAX_TITLE),
            activity_subtitle: text::line(&subtitle(card), Dialect::MessageCard, MAX_SUBTITLE),
            text: text::render(&card.text, Dialect::MessageCard, MAX_TEXT >> shrink),
            facts: facts.map(|(name, value)| Fact { name, value }).collect(),
            markdown: true,
            activity_image: card.thumbnail.clone(),
            potential_action: card.url.as_ref().map(|url| [OpenUri::new(url, card.language)]),
        }
    }
}

/// Returns the footer and the time, in UTC: a connector does not convert it to the reader's time zone.
fn subtitle(card: &Card) -> String {
    let time = text::moment(card);
    let footer = text::footer(card);
    if footer.is_empty() {
        time
    } else {
        format!("{footer} · {time}")
    }
}
