//! Slack: a message of attachments, one for each event, with blocks in it. Only an attachment has a bar of colour.
//!
//! Limits: Slack's reference of Block Kit, and for all blocks of a message together what its API says (`msg_blocks_too_long`).

use std::sync::Arc;

use serde::Serialize;

use super::dialect::{Dialect, ZERO_WIDTH_SPACE};
use super::json::{write_json, write_member};
use super::pack::{self, Format, MAX_FIELDS, Shrink};
use super::text;
use crate::appearance::Appearance;
use crate::card::Card;

/// The limit of all blocks together, in characters; Slack accepts some 13,200.
const MAX_CHARACTERS: usize = 12_000;
/// Title and text together are a section, whose limit is 3000.
const MAX_TITLE: usize = 256;
const MAX_URL: usize = 2048;
const MAX_TEXT: usize = 2_600;
const MAX_SECTION: usize = 3_000;
/// Name and value together are a field, whose limit is 2000.
const MAX_FIELD_NAME: usize = 256;
const MAX_FIELD_VALUE: usize = 1024;
/// The maximum number of fields in a section.
const SECTION_FIELDS: usize = 10;
const MAX_FOOTER: usize = 1_000;
const MAX_SUMMARY: usize = 256;

#[derive(Serialize)]
struct Attachment {
    color: String,
    blocks: Vec<Block>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Section {
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<Text>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        fields: Vec<Text>,
        #[serde(skip_serializing_if = "Option::is_none")]
        accessory: Option<Image>,
    },
    Context {
        elements: [Text; 1],
    },
}

#[derive(Serialize)]
struct Text {
    #[serde(rename = "type")]
    kind: &'static str,
    text: String,
}

#[derive(Serialize)]
struct Image {
    #[serde(rename = "type")]
    kind: &'static str,
    image_url: Arc<str>,
    alt_text: &'static str,
}

pub(super) const FORMAT: Format = Format::Cards(pack::compose::<Layout>);

enum Layout {}

impl pack::Layout for Layout {
    const CAPACITY: usize = MAX_CHARACTERS;

    fn open(_: &Appearance, out: &mut Vec<u8>) -> usize {
        out.extend_from_slice(b"{\"attachments\":[");
        0
    }

    fn write(cards: &[Card], shrink: Shrink, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        if let Some(card) = cards.last() {
            write_json(&Attachment::new(card, shrink), out);
        }
        characters(&out[start..])
    }

    fn close(cards: &[Card], appearance: &Appearance, out: &mut Vec<u8>) {
        out.push(b']');
        write_member("text", &notification(cards, appearance), out);
        out.extend_from_slice(b",\"unfurl_links\":false,\"unfurl_media\":false}");
    }
}

/// Counts the characters of a text in UTF-8.
fn characters(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}

/// Returns the text above the attachments, which notifications show: the mention, and what the message is about.
fn notification(cards: &[Card], appearance: &Appearance) -> String {
    let titles = text::titles(cards, MAX_SUMMARY);
    text::announcement(
        text::mention(appearance),
        Some(&titles),
        Dialect::Slack,
        4 * MAX_SUMMARY,
    )
}

impl Attachment {
    fn new(card: &Card, shrink: Shrink) -> Self {
        let fields = card.fields.iter().map(|(name, value)| {
            let name = text::bold_line(name, Dialect::Slack, MAX_FIELD_NAME >> shrink);
            let value = text::render(value, Dialect::Slack, MAX_FIELD_VALUE >> shrink);
            (name, value)
        });
        let fields: Vec<Text> = fields
            .filter(|(name, value)| !name.is_empty() && !value.is_empty())
            .take(MAX_FIELDS)
            .map(|(name, value)| Text::new(format!("{name}\n{value}")))
            .collect();
        let mut blocks = Vec::with_capacity(2 + MAX_FIELDS / SECTION_FIELDS);
        blocks.push(Block::Section {
            text: Some(Text::new(main(card, shrink))),
            fields: Vec::new(),
            accessory: card.thumbnail.clone().map(|image_url| Image {
                kind: "image",
                image_url,
                alt_text: card.language.words().picture,
            }),
        });
        let mut fields = fields.into_iter().peekable();
        while fields.peek().is_some() {
            blocks.push(Block::Section {
                text: None,
                fields: fields.by_ref().take(SECTION_FIELDS).collect(),
                accessory: None,
            });
        }
        blocks.push(Block::Context {
            elements: [Text::new(small_print(card, shrink))],
        });
        Self {
            color: format!("#{}", text::hex(card.colour)),
            blocks,
        }
    }
}

impl Text {
    fn new(text: String) -> Self {
        Self { kind: "mrkdwn", text }
    }
}

/// Returns the title, linked if there is a URL, and the text.
fn main(card: &Card, shrink: Shrink) -> String {
    let heading = text::heading(card);
    let mut main = match card.url.as_deref().and_then(link) {
        Some(url) => {
            let title = text::line(&heading, Dialect::Slack, MAX_TITLE);
            format!("*<{url}|{title}>*{ZERO_WIDTH_SPACE}")
        }
        None => text::bold_line(&heading, Dialect::Slack, MAX_TITLE),
    };
    let room = MAX_SECTION - main.chars().count().min(MAX_SECTION) - 1;
    let text = text::render(&card.text, Dialect::Slack, (MAX_TEXT >> shrink).min(room));
    if !text.is_empty() {
        main.push('\n');
        main.push_str(&text);
    }
    main
}

/// Returns the URL escaped for Slack's brackets; `None`: it is too long for a section.
fn link(url: &str) -> Option<String> {
    let url = url
        .replace('&', "&amp;")
        .replace('<', "%3C")
        .replace('>', "%3E")
        .replace('|', "%7C");
    (url.len() <= MAX_URL).then_some(url)
}

/// Returns the footer and the time, which Slack shows in the reader's time zone.
fn small_print(card: &Card, shrink: Shrink) -> String {
    let fallback = text::moment(card);
    let time = format!(
        "<!date^{}^{{date_short_pretty}}, {{time}}|{fallback}>",
        card.time.as_second()
    );
    let footer = text::line(&text::footer(card), Dialect::Slack, MAX_FOOTER >> shrink);
    if footer.is_empty() {
        time
    } else {
        format!("{footer} · {time}")
    }
}
