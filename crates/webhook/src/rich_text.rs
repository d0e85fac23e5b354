//! Text with bold parts, which templates print, and which formats write.

use std::borrow::Cow;
use std::ops::Range;

use unicode_segmentation::GraphemeCursor;

/// The character for an asterisk of the data in a template's output, where `**` switches bold on and off.
///
/// It is a noncharacter, which data cannot contain, because [`Builder::push`] removes those. So data cannot become
/// markup, and what is printed twice (a captured block) is not escaped twice.
pub(crate) const DATA_ASTERISK: char = '\u{FDD0}';

/// The maximum length of a text in bytes. No format shows more than 4096 code points of one text.
const MAX_BYTES: usize = 32 * 1024;

/// Text with bold parts.
///
/// It is cleaned: trimmed, at most 32 KiB, lines end with `\n`, there are no two blank lines in a row, and no control characters (but newline and
/// tab; other line breaks become newlines), noncharacters or directional formatting characters, which would reorder the text around it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RichText {
    text: String,
    /// Byte ranges of `text`: in order, not empty, not touching.
    bold: Vec<Range<usize>>,
}

/// A part of a text that is bold as a whole or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span<'a> {
    pub text: &'a str,
    pub bold: bool,
}

impl RichText {
    /// Returns text without markup, in which asterisks are asterisks.
    pub fn plain(text: &str) -> Self {
        let mut builder = Builder::default();
        builder.push(text);
        builder.finish()
    }

    /// Returns text that is bold as a whole.
    pub(crate) fn bold(text: &str) -> Self {
        let mut builder = Builder::default();
        builder.toggle_bold();
        builder.push(text);
        builder.finish()
    }

    /// Parses markup, in which `**` switches bold on and off, and nothing else has a meaning.
    pub fn parse(markup: &str) -> Self {
        let mut builder = Builder::default();
        for (index, piece) in markup.split("**").enumerate() {
            if index > 0 {
                builder.toggle_bold();
            }
            if piece.contains(DATA_ASTERISK) {
                builder.push(&piece.replace(DATA_ASTERISK, "*"));
            } else {
                builder.push(piece);
            }
        }
        builder.finish()
    }

    /// The text without its markup.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The parts, in order; none is empty, and bold ones don't touch.
    pub fn spans(&self) -> impl Iterator<Item = Span<'_>> {
        let mut at = 0;
        let mut bold = self.bold.iter().peekable();
        std::iter::from_fn(move || {
            let (end, is_bold) = match bold.peek() {
                Some(range) if range.start == at => (range.end, true),
                Some(range) => (range.start, false),
                None => (self.text.len(), false),
            };
            if is_bold {
                bold.next();
            }
            let span = Span {
                text: &self.text[at..end],
                bold: is_bold,
            };
            at = end;
            (!span.text.is_empty()).then_some(span)
        })
    }

    /// Returns the first `length` code points, or somewhat fewer so that no grapheme is cut, and an ellipsis, which is bold if the last
    /// one is.
    pub(crate) fn shortened(&self, length: usize) -> Self {
        let kept = beginning(&self.text, length).trim_end().len();
        let mut text = String::with_capacity(kept + '…'.len_utf8());
        text.push_str(&self.text[..kept]);
        text.push('…');
        let mut bold: Vec<_> = self
            .bold
            .iter()
            .take_while(|range| range.start < kept)
            .cloned()
            .collect();
        if let Some(last) = bold.last_mut()
            && last.end >= kept
        {
            last.end = text.len();
        }
        Self { text, bold }
    }
}

/// Collects the parts of a [`RichText`].
#[derive(Debug, Default)]
pub(crate) struct Builder {
    text: String,
    bold: Vec<Range<usize>>,
    bold_since: Option<usize>,
}

impl Builder {
    pub(crate) fn push(&mut self, text: &str) {
        let text = clean(text);
        let text = if self.text.is_empty() {
            text.trim_start()
        } else {
            &text
        };
        let room = MAX_BYTES.saturating_sub(self.text.len());
        let text = &text[..text.floor_char_boundary(room)];
        if has(text, |byte| byte == b'\n') {
            text.chars().for_each(|c| self.push_unless_blank_lines(c));
        } else {
            self.text.push_str(text);
        }
    }

    fn push_unless_blank_lines(&mut self, c: char) {
        if c != '\n' || !self.text.ends_with("\n\n") {
            self.text.push(c);
        }
    }

    pub(crate) fn toggle_bold(&mut self) {
        match self.bold_since.take() {
            None => self.bold_since = Some(self.text.len()),
            Some(start) if start == self.text.len() => {}
            Some(start) => match self.bold.last_mut() {
                Some(last) if last.end == start => last.end = self.text.len(),
                _ => self.bold.push(start..self.text.len()),
            },
        }
    }

    pub(crate) fn finish(mut self) -> RichText {
        if self.bold_since.is_some() {
            self.toggle_bold();
        }
        let length = self.text.trim_end().len();
        self.text.truncate(length);
        while let Some(last) = self.bold.last_mut()
            && last.end > length
        {
            last.end = length;
            if last.start >= last.end {
                self.bold.pop();
            }
        }
        RichText {
            text: self.text,
            bold: self.bold,
        }
    }
}

/// Returns the first `length` code points of the text, or somewhat fewer so that no grapheme is cut.
pub fn beginning(text: &str, length: usize) -> &str {
    let end = text
        .char_indices()
        .nth(length)
        .map_or(text.len(), |(at, _)| grapheme_boundary(text, at));
    &text[..end]
}

/// Returns the last boundary of graphemes (flags, families, accents, syllables) up to `at`; `at` itself within a sequence of marks that is longer than
/// any grapheme in use.
fn grapheme_boundary(text: &str, at: usize) -> usize {
    /// Bytes: a family of four with skin tones has 41, a long conjunct of Devanagari some more.
    const LONGEST: usize = 128;
    let mut cursor = GraphemeCursor::new(at, text.len(), true);
    if cursor.is_boundary(text, 0).unwrap_or(true) {
        return at;
    }
    match cursor.prev_boundary(text, 0) {
        Ok(Some(boundary)) if at - boundary <= LONGEST => boundary,
        _ => at,
    }
}

/// Whether one of the bytes is of a kind. Looks at all of them, so that the compiler takes many at a time.
pub(crate) fn has(text: &str, kind: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(false, |found, byte| found | kind(byte))
}

/// Removes what [`RichText`] does not hold.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let suspect = |byte: u8| {
        let is_control = byte < b' ' && byte != b'\n' && byte != b'\t';
        is_control | (byte == 0x7F) | (byte == 0xC2) | (byte == 0xE2) | (byte >= 0xEF)
    };
    if !has(text, suspect) || text.chars().all(is_clean) {
        return Cow::Borrowed(text);
    }
    let unix = text.replace("\r\n", "\n");
    Cow::Owned(
        unix.chars()
            .map(|c| if is_line_break(c) { '\n' } else { c })
            .filter(|&c| is_clean(c))
            .collect(),
    )
}

/// Unicode's mandatory breaks (UAX 14).
fn is_line_break(c: char) -> bool {
    matches!(
        c,
        '\n' | '\u{B}' | '\u{C}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

fn is_clean(c: char) -> bool {
    let is_noncharacter = matches!(c, '\u{FDD0}'..='\u{FDEF}') || c as u32 & 0xFFFE == 0xFFFE;
    let is_direction = matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let is_control = c.is_control() && c != '\n' && c != '\t';
    // The byte order mark is white space to some receivers, which would then see an empty text.
    !(is_noncharacter || is_direction || is_control || matches!(c, '\u{FEFF}' | '\u{2028}' | '\u{2029}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &RichText) -> Vec<(&str, bool)> {
        text.spans().map(|span| (span.text, span.bold)).collect()
    }

    #[test]
    fn markup_is_bold_and_nothing_else() {
        let text = RichText::parse("**alice** wrote *a* _b_ **c**d**e**");
        assert_eq!(
            parts(&text),
            [
                ("alice", true),
                (" wrote *a* _b_ ", false),
                ("c", true),
                ("d", false),
                ("e", true)
            ]
        );
        assert_eq!(text.as_str(), "alice wrote *a* _b_ cde");
    }

    #[test]
    fn empty_and_touching_bold_parts_leave_no_trace() {
        assert_eq!(parts(&RichText::parse("a****b")), [("ab", false)]);
        assert_eq!(parts(&RichText::parse("**a****b**")), [("ab", true)]);
        assert_eq!(
            parts(&RichText::parse("a **b**\n** ")),
            [("a ", false), ("b", true)]
        );
        assert_eq!(parts(&RichText::parse("** **")), []);
        assert_eq!(parts(&RichText::parse("a **b")), [("a ", false), ("b", true)]);
    }

    #[test]
    fn text_is_cleaned() {
        let dirty = " \u{FEFF}a\0b\r\nc\rd\u{202E}e\u{FDD0}\u{1FFFF}\tf\u{7F} ";
        assert_eq!(RichText::plain(dirty).as_str(), "ab\nc\nde\tf");
        let lines = "a\u{B}b\u{C}c\u{85}d\u{2028}e\u{2029}f";
        assert_eq!(RichText::plain(lines).as_str(), "a\nb\nc\nd\ne\nf");
        assert_eq!(RichText::plain("**é – “x” 👩‍👩‍👧**").as_str(), "**é – “x” 👩‍👩‍👧**");
    }

    #[test]
    fn blank_lines_are_one_at_most() {
        let mut builder = Builder::default();
        for part in ["a\n\n\n\nb\nc\n", "\n", "\n\nd"] {
            builder.push(part);
        }
        assert_eq!(builder.finish().as_str(), "a\n\nb\nc\n\nd");
    }

    #[test]
    fn shortened_text_ends_with_an_ellipsis_in_the_style_of_its_end() {
        let text = RichText::parse("ab **cdef** gh");
        assert_eq!(parts(&text.shortened(5)), [("ab ", false), ("cd…", true)]);
        assert_eq!(parts(&text.shortened(3)), [("ab…", false)]);
        assert_eq!(
            parts(&text.shortened(9)),
            [("ab ", false), ("cdef", true), (" g…", false)]
        );
        assert_eq!(parts(&text.shortened(0)), [("…", false)]);
    }

    #[test]
    fn no_character_is_cut() {
        let text = RichText::plain("a🇩🇪🇫🇷 👩🏽‍👩‍👧 e\u{301} क्षि");
        let whole = ["a", "a🇩🇪", "a🇩🇪🇫🇷", "a🇩🇪🇫🇷 👩🏽‍👩‍👧", "a🇩🇪🇫🇷 👩🏽‍👩‍👧 e\u{301}"];
        for length in 1..text.as_str().chars().count() {
            let shown = text.shortened(length).as_str().to_owned();
            let kept = shown.trim_end_matches('…');
            assert!(whole.contains(&kept), "{length}: {kept}");
            assert!(kept.chars().count() <= length, "{length}: {kept}");
        }
        // What is no character is cut where the room ends.
        let heap = RichText::plain(&"\u{301}".repeat(500));
        assert_eq!(heap.shortened(300).as_str().chars().count(), 301);
    }

    #[test]
    fn text_is_bounded() {
        let text = RichText::plain(&"🦀".repeat(100_000));
        assert_eq!(text.as_str().chars().count(), MAX_BYTES / 4);
    }
}
