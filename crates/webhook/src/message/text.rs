//! The texts of a message, shortened to a number of code points.

use std::borrow::Cow;
use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::dialect::{Dialect, ZERO_WIDTH_SPACE};
use super::markup;
use super::pack::MAX_FIELDS;
use crate::appearance::Appearance;
use crate::card::{Card, one_line};
use crate::language::Language;
use crate::mention::Mention;
use crate::rich_text::{RichText, clean};

/// Returns the footer for formats without a place of its own for the mark of a sample.
pub(super) fn footer(card: &Card) -> Cow<'_, str> {
    match (card.is_sample, card.footer.is_empty()) {
        (false, _) => Cow::Borrowed(&card.footer),
        (true, true) => Cow::Borrowed(card.language.words().sample),
        (true, false) => Cow::Owned(format!("{} · {}", card.language.words().sample, card.footer)),
    }
}

/// Writes `text` in at most `limit` code points, escapes included.
pub(super) fn render(text: &RichText, dialect: Dialect, limit: usize) -> String {
    // A text of more than four bytes for each code point of the limit cannot fit, even before it is escaped.
    if text.as_str().len() <= limit.saturating_mul(4) {
        let whole = markup::write(text, dialect);
        if fits(&whole, limit) {
            return whole;
        }
    }
    shorten(limit, |length| markup::write(&text.shortened(length), dialect))
}

/// Writes `text` for a place without markup.
pub(super) fn plain(text: &str, limit: usize) -> String {
    let text = RichText::plain(&one_line(&clean(text)));
    if fits(text.as_str(), limit) {
        return text.as_str().to_owned();
    }
    shorten(limit, |length| text.shortened(length).as_str().to_owned())
}

/// Writes a heading or a name: one line, without bold parts.
pub(super) fn line(text: &str, dialect: Dialect, limit: usize) -> String {
    let text = clean(text);
    let text = one_line(&text);
    if text.len() <= limit {
        let whole = markup::write_plain(text.trim(), dialect);
        if fits(&whole, limit) {
            return whole;
        }
    }
    render(&RichText::plain(&text), dialect, limit)
}

/// Writes a heading or a name in bold: one line.
pub(super) fn bold_line(text: &str, dialect: Dialect, limit: usize) -> String {
    render(&RichText::bold(&one_line(&clean(text))), dialect, limit)
}

/// Returns the names and values, each within its limit, of the fields that have both.
pub(super) fn fields(
    card: &Card,
    dialect: Dialect,
    max_name: usize,
    max_value: usize,
) -> impl Iterator<Item = (String, String)> {
    card.fields
        .iter()
        .map(move |(name, value)| (line(name, dialect, max_name), render(value, dialect, max_value)))
        .filter(|(name, value)| !name.is_empty() && !value.is_empty())
        .take(MAX_FIELDS)
}

/// Returns the emoji and the title, which is never empty.
pub(super) fn heading(card: &Card) -> String {
    let title = if card.title.is_empty() {
        card.language.words().no_title
    } else {
        card.title.as_str()
    };
    if card.emoji.is_empty() {
        title.to_owned()
    } else {
        format!("{} {title}", card.emoji)
    }
}

/// Returns the title of the first card and the number of others, without markup.
pub(super) fn titles(cards: &[Card], limit: usize) -> String {
    let Some((first, others)) = cards.split_first() else {
        return String::new();
    };
    with_others(&heading(first), others.len(), first.language, limit)
}

/// Returns the text about the first card and the number of others, within the limit and without markup.
pub(super) fn with_others(first: &str, others: usize, language: Language, limit: usize) -> String {
    let others = match others {
        0 => String::new(),
        others => language.more(others),
    };
    plain(first, limit - others.len()) + &others
}

/// Returns the text above the events: the mention and, if it is given, what the message is about.
pub(super) fn announcement(mention: &str, about: Option<&str>, dialect: Dialect, limit: usize) -> String {
    let Some(about) = about else {
        return mention.to_owned();
    };
    let about = render(&RichText::plain(about), dialect, limit);
    if mention.is_empty() {
        about
    } else {
        format!("{mention} {about}")
    }
}

/// Returns the mention in the receiver's own markup; empty: there is none.
pub(super) fn mention(appearance: &Appearance) -> &str {
    match &appearance.mention {
        Some(Mention::Markup(mention)) => mention,
        _ => "",
    }
}

/// Adds a zero-width space after each `@`, for places where there is no other way to keep a name from being pinged.
pub(super) fn without_pings(text: &str) -> String {
    text.replace('@', &format!("@{ZERO_WIDTH_SPACE}"))
}

/// Returns the card's time in UTC and in its language, for a place without markup.
pub(super) fn moment(card: &Card) -> String {
    card.language.moment(&card.time.to_zoned(TimeZone::UTC))
}

/// Returns the same for a place with markup, where "1. Mai" would begin a list.
pub(super) fn moment_in(card: &Card, dialect: Dialect) -> String {
    let time = moment(card);
    match card.language {
        Language::English => time,
        _ => markup::write_plain(&time, dialect),
    }
}

/// Returns the time in ISO 8601, in UTC and whole seconds; `None` before the year 0001, which receivers cannot read.
pub(super) fn iso(time: Timestamp) -> Option<String> {
    const YEAR_1: i64 = -62_135_596_800;
    (time.as_second() >= YEAR_1).then(|| format!("{time:.0}"))
}

/// Returns the longest text within the limit that `write` makes of some number of code points.
fn shorten(limit: usize, write: impl Fn(usize) -> String) -> String {
    let (mut best, mut low, mut high) = (String::new(), 0, limit);
    while low < high {
        let middle = low.midpoint(high);
        let text = write(middle);
        if fits(&text, limit) {
            best = text;
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    best
}

fn fits(text: &str, limit: usize) -> bool {
    text.len() <= limit || text.chars().count() <= limit
}

/// Returns a colour as six hexadecimal digits.
pub(super) fn hex(colour: u32) -> String {
    let mut text = String::with_capacity(6);
    // Writing to a string does not fail.
    let _ = write!(text, "{:06x}", colour & 0xFF_FF_FF);
    text
}

/// Returns the text of a phone's notification about the cards, without markup.
pub(super) fn summary(cards: &[Card], limit: usize) -> String {
    let first = &cards[0];
    let mut summary = heading(first);
    if !first.text.is_empty() {
        summary.push_str(": ");
        summary.push_str(first.text.as_str());
    }
    with_others(&summary, cards.len() - 1, first.language, limit)
}
