//! Google Chat: a card for each event, with one section of widgets.
//!
//! Limits: Google's documentation of messages and cards: 32,000 bytes of a message, 100 widgets of a card.

use std::sync::Arc;

use serde::Serialize;

use super::dialect::Dialect;
use super::json::{write_json, write_member};
use super::pack::{self, Format, Shrink};
use super::text;
use crate::appearance::Appearance;
use crate::card::Card;

/// The limit of the whole message.
const MAX_BYTES: usize = 32_000;
/// The maximum size of what comes after the cards.
const ENVELOPE: usize = 3_500;
/// The minimum number of bytes that are counted for a widget, so that no message has more than a hundred.
const WIDGET: usize = MAX_BYTES / 100;
/// These limits are this project's, for readability; Google's documentation has none.
const MAX_TITLE: usize = 256;
const MAX_TEXT: usize = 4_096;
const MAX_FIELD_NAME: usize = 256;
const MAX_FIELD_VALUE: usize = 1_024;
const MAX_FOOTER: usize = 1_000;
const MAX_SUMMARY: usize = 256;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CardWithId {
    card_id: String,
    card: ChatCard,
}

#[derive(Serialize)]
struct ChatCard {
    sections: [Section; 1],
}

#[derive(Serialize)]
struct Section {
    widgets: Vec<Widget>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Widget {
    TextParagraph {
        text: String,
    },
    #[serde(rename_all = "camelCase")]
    DecoratedText {
        top_label: String,
        text: String,
        wrap_text: bool,
    },
    #[serde(rename_all = "camelCase")]
    Image {
        image_url: Arc<str>,
        alt_text: &'static str,
    },
    ButtonList {
        buttons: [Button; 1],
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Button {
    text: &'static str,
    on_click: OnClick,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OnClick {
    open_link: OpenLink,
}

#[derive(Serialize)]
struct OpenLink {
    url: Arc<str>,
}

pub(super) const FORMAT: Format = Format::Cards(pack::compose::<Layout>);

enum Layout {}

impl pack::Layout for Layout {
    const CAPACITY: usize = MAX_BYTES - ENVELOPE;

    fn open(_: &Appearance, out: &mut Vec<u8>) -> usize {
        out.extend_from_slice(b"{\"cardsV2\":[");
        0
    }

    fn write(cards: &[Card], shrink: Shrink, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        let Some(card) = cards.last() else { return 0 };
        let widgets = widgets(card, shrink);
        let count = widgets.len();
        let card = CardWithId {
            card_id: cards.len().to_string(),
            card: ChatCard {
                sections: [Section { widgets }],
            },
        };
        write_json(&card, out);
        (out.len() - start + ",".len()).max(count * WIDGET)
    }

    fn close(cards: &[Card], appearance: &Appearance, out: &mut Vec<u8>) {
        out.push(b']');
        let text = announcement(cards, appearance);
        if !text.is_empty() {
            write_member("text", &text, out);
        }
        write_member("fallbackText", &text::summary(cards, MAX_SUMMARY), out);
        if let Some(thread) = &appearance.thread {
            out.extend_from_slice(b",\"thread\":{\"threadKey\":");
            write_json(thread, out);
            out.push(b'}');
        }
        out.push(b'}');
    }
}

/// Returns the text above the cards. Only this can ping.
fn announcement(cards: &[Card], appearance: &Appearance) -> String {
    let summary = appearance.announce.then(|| text::summary(cards, MAX_SUMMARY));
    text::announcement(
        text::mention(appearance),
        summary.as_deref(),
        Dialect::GoogleChatText,
        6 * MAX_SUMMARY,
    )
}

fn widgets(card: &Card, shrink: Shrink) -> Vec<Widget> {
    let title = text::line(&text::heading(card), Dialect::GoogleChatCard, MAX_TITLE);
    let mut widgets = vec![Widget::TextParagraph {
        text: format!(
            "<b><font color=\"#{}\">{title}</font></b>",
            text::hex(card.colour)
        ),
    }];
    let description = text::render(&card.text, Dialect::GoogleChatCard, MAX_TEXT >> shrink);
    if !description.is_empty() {
        widgets.push(Widget::TextParagraph { text: description });
    }
    let fields = text::fields(
        card,
        Dialect::GoogleChatCard,
        MAX_FIELD_NAME >> shrink,
        MAX_FIELD_VALUE >> shrink,
    );
    widgets.extend(fields.map(|(top_label, text)| Widget::DecoratedText {
        top_label,
        text,
        wrap_text: true,
    }));
    if let Some(image_url) = card.thumbnail.clone() {
        widgets.push(Widget::Image {
            image_url,
            alt_text: card.language.words().picture,
        });
    }
    if let Some(url) = card.url.clone() {
        widgets.push(Widget::ButtonList {
            buttons: [Button {
                text: card.language.words().open,
                on_click: OnClick {
                    open_link: OpenLink { url },
                },
            }],
        });
    }
    widgets.push(Widget::TextParagraph {
        text: small_print(card, shrink),
    });
    widgets
}

/// Returns the footer and the time, in UTC: Google Chat does not convert it to the reader's time zone.
fn small_print(card: &Card, shrink: Shrink) -> String {
    let time = text::moment(card);
    let footer = text::line(&text::footer(card), Dialect::GoogleChatCard, MAX_FOOTER >> shrink);
    if footer.is_empty() {
        format!("<i>{time}</i>")
    } else {
        format!("<i>{footer} · {time}</i>")
    }
}
