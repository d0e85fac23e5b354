//! ntfy: one notification with a title and a text in Markdown, in which each event is a block.
//!
//! Sources: binwiederhier/ntfy, docs/publish.md ("Publish as JSON", "Markdown formatting", "Action buttons"), server/server.go, server/util.go and
//! util/peek.go. The apps for the web and for Android support Markdown, and the one for iOS shows its marks, so as few as possible are used.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use super::dialect::Dialect;
use super::json::write_json;
use super::pack::{Format, MAX_EVENTS, MAX_FIELDS, MAX_SHRINK, Message, Shrink};
use super::text;
use crate::appearance::Appearance;
use crate::card::Card;

/// The limit of a message in bytes. The server makes one of 4096 bytes or more an attachment.
const MAX_MESSAGE: usize = 4_095;
/// The limit of the body in bytes. The server refuses twice the limit of a message.
const MAX_BODY: usize = 8_191;
/// These limits, in characters, are this project's, for readability.
const MAX_TITLE: usize = 250;
const MAX_TEXT: usize = 3_000;
const MAX_FIELD_NAME: usize = 256;
const MAX_FIELD_VALUE: usize = 1_024;
const MAX_FOOTER: usize = 300;
const MAX_LABEL: usize = 60;
/// The limit of a URL in bytes, this project's; a longer one is left out.
const MAX_URL: usize = 500;
const MAX_ACTIONS: usize = 3;
const MAX_TAG: usize = 50;
/// The separator of two events.
const RULE: &str = "\n\n---\n\n";

/// The separator of a field's name and value, which is easier to see than a colon and a space.
const EM_SPACE: &str = ":\u{2003}";

/// The priority of messages about trouble of a webhook; the usual one is 3.
const HIGH: u8 = 4;

pub(super) const FORMAT: Format = Format::Cards(compose);

#[derive(Serialize)]
struct Publication<'a> {
    topic: &'a str,
    title: String,
    message: String,
    markdown: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<u8>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    tags: BTreeSet<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    click: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<Action<'a>>,
}

#[derive(Serialize)]
struct Action<'a> {
    action: &'static str,
    label: String,
    url: &'a str,
}

fn compose(cards: &[Card], appearance: &Appearance, buffer: Vec<u8>) -> Message {
    let mut body = buffer;
    let first = &cards[..1];
    let mut shrink = 0;
    while !write(first, &[block(&cards[0], shrink)], appearance, &mut body) && shrink < MAX_SHRINK {
        shrink += 1;
    }
    let mut taken = 1;
    if shrink == 0 {
        let mut blocks = vec![block(&cards[0], 0)];
        let mut longer = Vec::with_capacity(body.capacity());
        while taken < cards.len().min(MAX_EVENTS) {
            blocks.push(block(&cards[taken], 0));
            if !write(&cards[..=taken], &blocks, appearance, &mut longer) {
                break;
            }
            std::mem::swap(&mut body, &mut longer);
            taken += 1;
        }
    }
    Message { body, taken }
}

/// Writes the notification of these cards, and returns whether it is within the server's limits.
fn write(cards: &[Card], blocks: &[String], appearance: &Appearance, body: &mut Vec<u8>) -> bool {
    let publication = Publication {
        // A preview without a webhook has no topic.
        topic: appearance.topic.as_deref().unwrap_or("topic"),
        title: title(&text::titles(cards, MAX_TITLE)),
        message: message(cards, blocks),
        markdown: true,
        priority: cards
            .iter()
            .any(|card| &*card.event_type == crate::definition::TROUBLE)
            .then_some(HIGH),
        tags: cards
            .iter()
            .map(|card| &*card.event_type)
            .filter(|tag| is_tag(tag))
            .collect(),
        click: address(&cards[0].url).filter(|_| cards.len() == 1),
        icon: address(&cards[0].thumbnail).filter(|_| cards.len() == 1),
        actions: actions(cards),
    };
    body.clear();
    write_json(&publication, body);
    publication.message.len() <= MAX_MESSAGE && body.len() <= MAX_BODY
}

fn message(cards: &[Card], blocks: &[String]) -> String {
    if let ([_], [block]) = (cards, blocks) {
        return block.clone();
    }
    let blocks = cards.iter().zip(blocks).map(|(card, block)| {
        let heading = text::bold_line(&text::heading(card), Dialect::CommonMark, MAX_TITLE);
        format!("{heading}\n\n{block}")
    });
    blocks.collect::<Vec<_>>().join(RULE)
}

/// Returns text, fields and small print, each as a paragraph.
fn block(card: &Card, shrink: Shrink) -> String {
    let mut block = text::render(&card.text, Dialect::CommonMark, MAX_TEXT >> shrink);
    let fields = card.fields.iter().filter_map(|(name, value)| {
        let name = text::bold_line(name, Dialect::CommonMark, MAX_FIELD_NAME >> shrink);
        let value = text::render(value, Dialect::CommonMark, MAX_FIELD_VALUE >> shrink);
        (!name.is_empty() && !value.is_empty()).then(|| format!("- {name}{EM_SPACE}{value}"))
    });
    let fields: Vec<String> = fields.take(MAX_FIELDS).collect();
    for part in [fields.join("\n"), small_print(card, shrink)] {
        if !block.is_empty() && !part.is_empty() {
            block.push_str("\n\n");
        }
        block.push_str(&part);
    }
    block
}

/// Returns the footer and the time, in UTC. (The app shows the time of arrival above.)
fn small_print(card: &Card, shrink: Shrink) -> String {
    let footer = text::line(&text::footer(card), Dialect::CommonMark, MAX_FOOTER >> shrink);
    if footer.is_empty() {
        text::moment_in(card, Dialect::CommonMark)
    } else {
        // It is not at the beginning of a line, so it cannot begin a list, and needs no escape.
        format!("{footer} · {}", text::moment(card))
    }
}

/// Returns the title, which is not Markdown; but the server decodes words in the encoding of mail headers (RFC 2047), so their beginning is broken up.
fn title(text: &str) -> String {
    text.replace("=?", "=\u{200B}?")
}

fn actions(cards: &[Card]) -> Vec<Action<'_>> {
    let mut urls = BTreeSet::new();
    let linked = cards.iter().filter_map(|card| Some((card, address(&card.url)?)));
    linked
        .filter(|(_, url)| urls.insert(*url))
        .take(MAX_ACTIONS)
        .map(|(card, url)| Action {
            action: "view",
            label: match cards.len() {
                1 => card.language.words().open.to_owned(),
                _ => text::plain(&text::heading(card), MAX_LABEL),
            },
            url,
        })
        .collect()
}

fn address(url: &Option<Arc<str>>) -> Option<&str> {
    url.as_deref().filter(|url| url.len() <= MAX_URL)
}

/// Whether an event type can be a tag, by which readers can filter. (A comma would separate two tags.)
fn is_tag(tag: &str) -> bool {
    (1..=MAX_TAG).contains(&tag.len())
        && tag
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}
