//! What a message says, whoever shows it.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;

use crate::language::Language;
use crate::rich_text::{RichText, has};

/// One event, ready to be written in any format.
///
/// Nothing in it is bounded or escaped: that is the business of the formats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Empty where it is of several.
    pub event_type: Arc<str>,
    /// Where it is empty, the formats show "Notification".
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
    /// Not of an event, but of made-up data: readers are told so.
    pub is_sample: bool,
    /// Where the thing is that it is about, of http or https.
    pub url: Option<Arc<str>>,
    /// A picture of it.
    pub thumbnail: Option<Arc<str>>,
    /// Of what the formats say themselves.
    pub language: Language,
}

/// A key or a type's name as a heading: `sprint_closed` is "Sprint Closed".
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

/// The text on one line.
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
