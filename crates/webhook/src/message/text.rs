//! Texts of a message, shortened to a number of code points.

use std::borrow::Cow;
use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::MAX_FIELDS;
use super::dialect::{Dialect, ZERO_WIDTH_SPACE};
use super::markup;
use crate::appearance::Appearance;
use crate::card::{Card, one_line};
use crate::language::Language;
use crate::mention::Mention;
use crate::rich_text::{RichText, clean};

/// The small print of formats that have one place for all of it.
pub(super) fn footer(card: &Card) -> Cow<'_, str> {
    match (card.is_sample, card.footer.is_empty()) {
        (false, _) => Cow::Borrowed(&card.footer),
        (true, true) => Cow::Borrowed(card.language.words().sample),
        (true, false) => Cow::Owned(format!("{} · {}", card.language.words().sample, card.footer)),
    }
}

/// Writes `text` in at most `limit` code points, escapes included.
pub(super) fn render(text: &RichText, dialect: Dialect, limit: usize) -> String {
    // What has more code points than are allowed before it is escaped need not be written to see that.
    if text.as_str().len() <= limit.saturating_mul(4) {
        let whole = markup::write(text, dialect);
        if fits(&whole, limit) {
            return whole;
        }
    }
    shorten(limit, |length| markup::write(&text.shortened(length), dialect))
}

/// Writes `text` for a place that knows no markup.
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

/// Names and values of the fields that have both, each within its limit.
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

/// The emoji and the title, never empty.
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

/// The title of the first card, and how many others there are; no markup.
pub(super) fn titles(cards: &[Card], limit: usize) -> String {
    let Some((first, others)) = cards.split_first() else {
        return String::new();
    };
    with_others(&heading(first), others.len(), first.language, limit)
}

/// What is said of the first card, cut to the limit with how many others there are; no markup.
pub(super) fn with_others(first: &str, others: usize, language: Language, limit: usize) -> String {
    let others = match others {
        0 => String::new(),
        others => language.more(others),
    };
    plain(first, limit - others.len()) + &others
}

/// What stands above the events: whom it pings, and what it is about, if that is to be said.
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

/// Whom a message pings, in the receiver's own markup; empty: nobody.
pub(super) fn mention(appearance: &Appearance) -> &str {
    match &appearance.mention {
        Some(Mention::Markup(mention)) => mention,
        _ => "",
    }
}

/// The text with a space without width after each `@`, where nothing else keeps a name from being pinged.
pub(super) fn without_pings(text: &str) -> String {
    text.replace('@', &format!("@{ZERO_WIDTH_SPACE}"))
}

/// When it was, in UTC and in the card's language; for a place that knows no markup.
pub(super) fn moment(card: &Card) -> String {
    card.language.moment(&card.time.to_zoned(TimeZone::UTC))
}

/// The same for a place that does: "1. Mai" would begin a list.
pub(super) fn moment_in(card: &Card, dialect: Dialect) -> String {
    let time = moment(card);
    match card.language {
        Language::English => time,
        _ => markup::write_plain(&time, dialect),
    }
}

/// ISO 8601 in UTC and whole seconds; none before the year 0001, which receivers cannot read.
pub(super) fn iso(time: Timestamp) -> Option<String> {
    const YEAR_1: i64 = -62_135_596_800;
    (time.as_second() >= YEAR_1).then(|| format!("{time:.0}"))
}

/// The longest of the texts that `write` makes of a number of code points and that fits.
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

/// A colour as six hexadecimal digits.
pub(super) fn hex(colour: u32) -> String {
    let mut text = String::with_capacity(6);
    // Writing to a string does not fail.
    let _ = write!(text, "{:06x}", colour & 0xFF_FF_FF);
    text
}
