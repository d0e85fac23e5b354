//! Cards: the content of a message, whatever its format.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;

use crate::language::Language;
use crate::rich_text::{RichText, has};

/// The content for one event, which can be written in any format.
///
/// Texts are neither shortened nor escaped: the formats do that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The event type; empty for a digest, which is about several events.
    pub event_type: Arc<str>,
    /// The title; if it is empty, the formats show "Notification".
    pub title: RichText,
    /// Shown before the title; empty for none.
    pub emoji: Arc<str>,
    /// 0xRRGGBB.
    pub colour: u32,
    pub text: RichText,
    /// Names and values. Formats leave out the fields whose name or value is empty.
    pub fields: Vec<(Arc<str>, RichText)>,
    pub time: Timestamp,
    /// Small print without markup; empty for none.
    pub footer: Arc<str>,
    /// Whether it is a sample and not of an event, which the message says.
    pub is_sample: bool,
    /// The URL of what the event is about, http or https.
    pub url: Option<Arc<str>>,
    /// The URL of a picture.
    pub thumbnail: Option<Arc<str>>,
    /// The language of the formats' own words.
    pub language: Language,
}

/// Returns a key or an event type's name as a heading: `sprint_closed` as "Sprint Closed".
pub(crate) fn humanised(name: &str) -> String {
    let mut heading = String::with_capacity(name.len());
    for word in name
        .split(|c: char| c == '_' || c == '-' || c.is_whitespace())
        .filter(|word| !word.is_empty())
    {
        if !heading.is_empty() {
            heading.push(' ');
        }
        let mut letters = word.chars();
        heading.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        heading.push_str(letters.as_str());
    }
    heading
}

/// Returns the text as one line.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    let is_break = |byte| (byte == b'\n') | (byte == b'\t');
    if has(text, is_break) {
        Cow::Owned(text.replace(['\n', '\t'], " "))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_headings() {
        assert_eq!(humanised("sprint_closed"), "Sprint Closed");
        assert_eq!(humanised("__émile--zola "), "Émile Zola");
        assert_eq!(humanised("_"), "");
    }
}
