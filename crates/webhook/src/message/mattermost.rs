//! Mattermost and servers with the same API: a post of attachments, one for each event.
//!
//! Limits: Mattermost's documentation of incoming webhooks and message attachments.

use std::sync::Arc;

use serde::Serialize;

use super::dialect::Dialect;
use super::json::{write_json, write_member};
use super::pack::{self, Format, Shrink};
use super::text;
use crate::appearance::Appearance;
use crate::card::Card;

/// The limit of a post in characters; a longer one would become several.
const MAX_CHARACTERS: usize = 16_383;
/// The maximum size of what comes after the attachments.
const ENVELOPE: usize = 5_000;
/// These limits are this project's, for readability.
const MAX_TITLE: usize = 256;
const MAX_TEXT: usize = 4_096;
const MAX_FIELD_NAME: usize = 256;
const MAX_FIELD_VALUE: usize = 1_024;
const MAX_FOOTER: usize = 300;
const MAX_SUMMARY: usize = 256;
/// The maximum length of fields that are shown side by side.
const MAX_SHORT: usize = 40;

#[derive(Serialize)]
struct Attachment {
    fallback: String,
    color: String,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title_link: Option<Arc<str>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Field>,
    footer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumb_url: Option<Arc<str>>,
}

#[derive(Serialize)]
struct Field {
    title: String,
    value: String,
    short: bool,
}

pub(super) const FORMAT: Format = Format::Cards(pack::compose::<Layout>);

enum Layout {}

impl pack::Layout for Layout {
    const CAPACITY: usize = MAX_CHARACTERS - ENVELOPE;

    fn open(_: &Appearance, out: &mut Vec<u8>) -> usize {
        out.extend_from_slice(b"{\"attachments\":[");
        0
    }

    fn write(cards: &[Card], shrink: Shrink, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        if let Some(card) = cards.last() {
            write_json(&Attachment::new(card, shrink), out);
        }
        out.len() - start
    }

    fn close(cards: &[Card], appearance: &Appearance, out: &mut Vec<u8>) {
        out.push(b']');
        let text = announcement(cards, appearance);
        let members = [
            ("text", (!text.is_empty()).then_some(&*text)),
            ("username", appearance.username.as_deref()),
            ("icon_url", appearance.avatar_url.as_deref()),
        ];
        for (name, value) in members {
            if let Some(value) = value {
                write_member(name, value, out);
            }
        }
        out.push(b'}');
    }
}

/// Returns the text above the attachments. Only this is meant to ping.
fn announcement(cards: &[Card], appearance: &Appearance) -> String {
    let summary = appearance.announce.then(|| text::summary(cards, MAX_SUMMARY));
    text::announcement(
        text::mention(appearance),
        summary.as_deref(),
        Dialect::Mattermost,
        4 * MAX_SUMMARY,
    )
}

impl Attachment {
    fn new(card: &Card, shrink: Shrink) -> Self {
        let fields = text::fields(
            card,
            Dialect::Mattermost,
            MAX_FIELD_NAME >> shrink,
            MAX_FIELD_VALUE >> shrink,
        );
        let heading = text::heading(card);
        Self {
            fallback: text::without_pings(&text::plain(&heading, MAX_TITLE)),
            color: format!("#{}", text::hex(card.colour)),
            title: text::line(&heading, Dialect::Mattermost, MAX_TITLE),
            title_link: card.url.clone(),
            text: text::render(&card.text, Dialect::Mattermost, MAX_TEXT >> shrink),
            fields: fields
                .map(|(title, value)| Field {
                    short: value.chars().nth(MAX_SHORT).is_none() && !value.contains('\n'),
                    title,
                    value,
                })
                .collect(),
            footer: footer(card, shrink),
            thumb_url: card.thumbnail.clone(),
        }
    }
}

/// Returns the footer and the time without markup, in UTC: Mattermost does not convert it to the reader's time zone.
fn footer(card: &Card, shrink: Shrink) -> String {
    let time = text::moment(card);
    let room = (MAX_FOOTER >> shrink).saturating_sub(time.len() + 3);
    let footer = text::without_pings(&text::plain(&text::footer(card), room / 2));
    if footer.is_empty() {
        time
    } else {
        format!("{footer} · {time}")
    }
}
