//! Discord: a message of embeds, one for each event.
//!
//! Limits: Discord's documentation, "Embed Limits". They are in code points, after trimming, and include escapes.

use std::sync::Arc;

use serde::Serialize;

use super::dialect::Dialect;
use super::json::{write_json, write_member};
use super::pack::{self, Format, Shrink};
use super::text;
use crate::appearance::Appearance;
use crate::card::Card;
use crate::mention::Mention;

const MAX_TITLE: usize = 256;
const MAX_DESCRIPTION: usize = 4096;
const MAX_FIELD_NAME: usize = 256;
const MAX_FIELD_VALUE: usize = 1024;
const MAX_FOOTER: usize = 2048;
/// The limit of the texts of all embeds of a message together.
const MAX_SUM: usize = 6000;
/// The limit of the line above the events, which is read on a phone's screen. Discord's own is 2000.
const MAX_ANNOUNCEMENT: usize = 256;
/// The maximum length of fields that are shown side by side.
const MAX_INLINE: usize = 40;

#[derive(Serialize)]
struct Embed {
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<Author>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbnail: Option<Picture>,
}

#[derive(Serialize)]
struct Picture {
    url: Arc<str>,
}

#[derive(Serialize)]
struct Field {
    name: String,
    value: String,
    inline: bool,
}

/// The line above the title.
#[derive(Serialize)]
struct Author {
    name: &'static str,
}

#[derive(Serialize)]
struct Footer {
    text: String,
}

pub(super) const FORMAT: Format = Format::Cards(pack::compose::<Layout>);

enum Layout {}

impl pack::Layout for Layout {
    const CAPACITY: usize = MAX_SUM;

    fn open(_: &Appearance, out: &mut Vec<u8>) -> usize {
        out.extend_from_slice(b"{\"embeds\":[");
        0
    }

    fn write(cards: &[Card], shrink: Shrink, out: &mut Vec<u8>) -> usize {
        let Some((card, before)) = cards.split_last() else {
            return 0;
        };
        let mut embed = Embed::new(card, shrink);
        embed.url = card.url.as_ref().map(|url| distinct(url, before));
        write_json(&embed, out);
        embed.weight()
    }

    fn close(cards: &[Card], appearance: &Appearance, out: &mut Vec<u8>) {
        out.push(b']');
        let content = content(cards, appearance);
        if !content.is_empty() {
            write_member("content", &content, out);
        }
        if let Some(username) = &appearance.username {
            write_member("username", username, out);
        }
        if let Some(avatar_url) = &appearance.avatar_url {
            write_member("avatar_url", avatar_url, out);
        }
        if let Some(thread_name) = &appearance.thread_name {
            write_member("thread_name", thread_name, out);
        }
        if !appearance.applied_tags.is_empty() {
            write_member("applied_tags", &appearance.applied_tags, out);
        }
        out.extend_from_slice(b",\"allowed_mentions\":{\"parse\":[]");
        match &appearance.mention {
            Some(Mention::DiscordRole(id)) => write_member("roles", &[id], out),
            Some(Mention::DiscordUser(id)) => write_member("users", &[id], out),
            _ => {}
        }
        out.extend_from_slice(b"}}");
    }
}

/// Returns the text above the embeds. Only this can ping, and it does not count towards their limits.
fn content(cards: &[Card], appearance: &Appearance) -> String {
    let ping = match &appearance.mention {
        Some(Mention::DiscordRole(id)) => format!("<@&{id}>"),
        Some(Mention::DiscordUser(id)) => format!("<@{id}>"),
        _ => String::new(),
    };
    // A link would be shown a second time, as an embed of its page.
    let summary = appearance
        .announce
        .then(|| text::summary(cards, MAX_ANNOUNCEMENT).replace("://", ":\u{200B}//"));
    text::announcement(&ping, summary.as_deref(), Dialect::Discord, 4 * MAX_ANNOUNCEMENT)
}

/// Returns the card's URL, made different from those of the embeds before it, because Discord merges embeds with the same URL.
fn distinct(url: &Arc<str>, before: &[Card]) -> Arc<str> {
    let same = before
        .iter()
        .filter(|card| card.url.as_ref() == Some(url))
        .count();
    match (same, url.split_once('#')) {
        (0, _) => Arc::clone(url),
        (same, None) => format!("{url}#{}", same + 1).into(),
        // The fragment may select the page, so a parameter is added instead, which servers ignore.
        (same, Some((page, place))) => {
            let mark = if page.contains('?') { '&' } else { '?' };
            format!("{page}{mark}_={}#{place}", same + 1).into()
        }
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
            author: card.is_sample.then_some(Author {
                name: card.language.words().sample,
            }),
            title: text::line(&text::heading(card), Dialect::Discord, MAX_TITLE),
            description: text::render(&card.text, Dialect::Discord, MAX_DESCRIPTION >> shrink),
            color: card.colour & 0xFF_FF_FF,
            fields: fields.map(|(name, value)| Field::new(name, value)).collect(),
            footer: (!footer.is_empty()).then_some(Footer { text: footer }),
            timestamp: text::iso(card.time),
            url: None,
            thumbnail: card.thumbnail.clone().map(|url| Picture { url }),
        }
    }

    /// The code points that count towards [`MAX_SUM`].
    fn weight(&self) -> usize {
        let fields = self.fields.iter().flat_map(|field| [&field.name, &field.value]);
        let footer = self.footer.iter().map(|footer| &footer.text);
        let author = self.author.iter().map(|author| author.name.chars().count());
        let texts = [&self.title, &self.description]
            .into_iter()
            .chain(fields)
            .chain(footer)
            .map(|text| text.chars().count());
        texts.chain(author).sum()
    }
}

impl Field {
    fn new(name: String, value: String) -> Self {
        let inline = value.chars().nth(MAX_INLINE).is_none() && !value.contains('\n');
        Self { name, value, inline }
    }
}
