//! Text with bold parts in each dialect of Markdown.

use std::ops::Range;

use crate::rich_text::{RichText, Span};

/// Which Markdown the receiver reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Discord's own.
    Discord,
    /// CommonMark and HTML, in a MessageCard.
    MessageCard,
    /// A part of CommonMark, and functions in double braces, in an Adaptive Card.
    AdaptiveCard,
}

/// Separates what would be a tag, a function or an entity together, where the receiver has no escape for it.
const ZERO_WIDTH_SPACE: char = '\u{200B}';

/// Writes text so that it is read as text.
pub(super) struct Writer {
    out: String,
    dialect: Dialect,
    at_line_start: bool,
    /// Whether the text being written ends where a URL in it would: at the end of all or of a bold part.
    ends_links: bool,
    /// A URL that reaches beyond this byte of the current run holds something to escape there: remembered so that
    /// no run is read twice.
    not_a_link_until: usize,
}

impl Writer {
    fn new(dialect: Dialect, length: usize) -> Self {
        Self {
            out: String::with_capacity(length + length / 8 + 16),
            dialect,
            at_line_start: true,
            ends_links: true,
            not_a_link_until: 0,
        }
    }

    pub(super) fn write(text: &RichText, dialect: Dialect) -> String {
        let whole = text.as_str();
        let mut writer = Self::new(dialect, whole.len());
        let mut at = 0;
        for span in text.spans() {
            let end = at + span.text.len();
            writer.span(span, whole[..at].chars().next_back(), whole[end..].chars().next());
            at = end;
        }
        writer.out
    }

    /// Writes clean text without bold parts.
    pub(super) fn write_plain(text: &str, dialect: Dialect) -> String {
        let mut writer = Self::new(dialect, text.len());
        writer.escaped(text);
        writer.out
    }

    fn span(&mut self, span: Span<'_>, before: Option<char>, after: Option<char>) {
        if !span.bold {
            self.ends_links = after.is_none();
            return self.escaped(span.text);
        }
        // White space stays outside and no bold part crosses a line: CommonMark knows neither.
        let mut lines = span.text.split_inclusive('\n').peekable();
        let mut previous = before;
        while let Some(line) = lines.next() {
            let start = line.len() - line.trim_start().len();
            let core = line.trim();
            let (lead, trail) = (&line[..start], &line[start + core.len()..]);
            let inner_before = lead.chars().next_back().or(previous);
            let inner_after = trail
                .chars()
                .next()
                .or(if lines.peek().is_none() { after } else { None });
            self.escaped(lead);
            self.bold(core, inner_before, inner_after);
            self.escaped(trail);
            previous = line.chars().next_back();
        }
    }

    fn bold(&mut self, text: &str, before: Option<char>, after: Option<char>) {
        let core = match self.dialect {
            Dialect::Discord => 0..text.len(),
            Dialect::MessageCard | Dialect::AdaptiveCard => flanked(text, before, after),
        };
        let (lead, rest) = text.split_at(core.start);
        let (core, trail) = rest.split_at(core.len());
        if core.is_empty() {
            self.ends_links = after.is_none_or(char::is_whitespace);
            return self.escaped(text);
        }
        self.ends_links = false;
        self.escaped(lead);
        self.out.push_str("**");
        self.ends_links = true;
        self.escaped(core);
        self.out.push_str("**");
        self.ends_links = after.is_none_or(char::is_whitespace);
        self.escaped(trail);
    }

    /// Writes text that is no markup.
    fn escaped(&mut self, text: &str) {
        self.not_a_link_until = 0;
        let mut rest = 0;
        while rest < text.len() {
            if self.at_line_start {
                rest += self.line_start(&text[rest..]);
            }
            let run = text[rest..]
                .bytes()
                .position(|byte| self.is_special(byte))
                .unwrap_or(text.len() - rest);
            if run > 0 {
                self.out.push_str(&text[rest..rest + run]);
                self.at_line_start = false;
                rest += run;
            }
            if rest < text.len() {
                rest += self.special(text, rest);
            }
        }
    }

    fn is_special(&self, byte: u8) -> bool {
        match byte {
            b'\\' | b'*' | b'_' | b'`' | b'[' | b']' | b'~' | b'<' | b'\n' => true,
            b'|' | b'>' | b':' => self.dialect == Dialect::Discord,
            b'&' => self.dialect != Dialect::Discord,
            b'{' => self.dialect == Dialect::AdaptiveCard,
            _ => false,
        }
    }

    /// Writes the special character at `at` and returns how many bytes of the text that was.
    fn special(&mut self, text: &str, at: usize) -> usize {
        let rest = &text[at..];
        let next = rest.as_bytes().get(1).copied();
        let byte = rest.as_bytes()[0];
        if byte == b'\n' {
            return self.new_line(rest);
        }
        self.at_line_start = false;
        match (byte, self.dialect) {
            (b':', _) => return self.colon(text, at),
            (b'<', Dialect::MessageCard) => self.out.push_str("&lt;"),
            // A tag, an address in brackets.
            (b'<', Dialect::AdaptiveCard) => {
                self.separated('<', next.is_none_or(|byte| !byte.is_ascii_whitespace()))
            }
            (b'{', _) => self.separated('{', next.is_none_or(|byte| byte == b'{')),
            (b'&', Dialect::MessageCard) if is_entity(rest) => self.out.push_str("&amp;"),
            (b'&', _) => self.separated('&', self.dialect == Dialect::AdaptiveCard && is_entity(rest)),
            _ => {
                self.out.push('\\');
                self.out.push(char::from(byte));
            }
        }
        1
    }

    fn separated(&mut self, character: char, separate: bool) {
        self.out.push(character);
        if separate {
            self.out.push(ZERO_WIDTH_SPACE);
        }
    }

    /// Teams wants a blank line for a new one, and shows no more of them than one.
    fn new_line(&mut self, rest: &str) -> usize {
        self.at_line_start = true;
        if self.dialect == Dialect::Discord {
            self.out.push('\n');
            return 1;
        }
        self.out.push_str("\n\n");
        rest.len() - rest.trim_start_matches('\n').len()
    }

    /// Writes what would start a heading, a list or the like; returns how many bytes of the text that was.
    fn line_start(&mut self, text: &str) -> usize {
        let blank = text.bytes().take_while(|&byte| is_blank(byte)).count();
        self.indent(&text[..blank]);
        let rest = &text[blank..];
        let Some(first) = rest.bytes().next() else {
            return blank;
        };
        let is_discord = self.dialect == Dialect::Discord;
        if first.is_ascii_digit() {
            return blank + self.list_number(rest);
        }
        let is_block = match first {
            b'#' => true,
            b'-' => !starts_word(&rest[1..]),
            b'+' => !is_discord && !starts_word(&rest[1..]),
            b'=' | b'>' => !is_discord,
            _ => false,
        };
        if is_block {
            self.out.push('\\');
            self.out.push(char::from(first));
            self.at_line_start = false;
            return blank + 1;
        }
        self.at_line_start = first == b'\n';
        blank
    }

    fn list_number(&mut self, rest: &str) -> usize {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        self.out.push_str(&rest[..digits]);
        self.at_line_start = false;
        let Some(&mark) = rest.as_bytes().get(digits) else {
            return digits;
        };
        let is_mark = mark == b'.' || (mark == b')' && self.dialect != Dialect::Discord);
        if !is_mark || starts_word(&rest[digits + 1..]) {
            return digits;
        }
        self.out.push('\\');
        self.out.push(char::from(mark));
        digits + 1
    }

    /// White space before a line, which must not make a block of code of it in CommonMark.
    fn indent(&mut self, blank: &str) {
        if self.dialect == Dialect::Discord {
            self.out.push_str(blank);
        } else {
            self.out.extend(blank.chars().map(|_| '\u{A0}'));
        }
    }

    /// Discord makes an emoji of `:name:` and a link of `https://...`, in which it takes escapes for letters.
    fn colon(&mut self, text: &str, at: usize) -> usize {
        let rest = &text[at..];
        if rest.starts_with("://") {
            let link = self.link(text, at);
            self.out.push_str(if link == 0 { "\\:" } else { &rest[..link] });
            return link.max(1);
        }
        let name = rest[1..]
            .bytes()
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"_+-".contains(byte))
            .count();
        let is_emoji = name > 0 && rest.as_bytes().get(name + 1) == Some(&b':');
        self.out.push_str(if is_emoji { "\\:" } else { ":" });
        1
    }

    /// The bytes from `at` to the end of the URL whose `://` that is; 0 where it is to be no link, because it has
    /// another scheme or holds what would have to be escaped.
    fn link(&mut self, text: &str, at: usize) -> usize {
        let scheme = text[..at]
            .rsplit(|c: char| !c.is_ascii_alphanumeric())
            .next()
            .unwrap_or_default();
        if !(scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
            || at < self.not_a_link_until
        {
            return 0;
        }
        let rest = &text[at..];
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let link = &rest[..end];
        let to_escape = |byte| {
            matches!(
                byte,
                b'\\' | b'*' | b'~' | b'|' | b'`' | b'[' | b']' | b'<' | b'>'
            )
        };
        let runs_on = (end == rest.len() && !self.ends_links) || link.ends_with('…');
        let obstacle = if runs_on {
            Some(end)
        } else {
            link.bytes().position(to_escape)
        };
        match obstacle {
            None => end,
            Some(obstacle) => {
                self.not_a_link_until = at + obstacle;
                0
            }
        }
    }
}

/// The part of a bold text that CommonMark's marks can enclose: where no white space is outside of them, a letter
/// has to be inside. (Between punctuation a mark could open as well as close, and next to a letter it does neither.)
fn flanked(text: &str, before: Option<char>, after: Option<char>) -> Range<usize> {
    let is_free = |outside: Option<char>| outside.is_none_or(char::is_whitespace);
    let first = if is_free(before) {
        Some(0)
    } else {
        text.find(is_letter_or_digit)
    };
    let last = text
        .char_indices()
        .rfind(|&(_, c)| is_letter_or_digit(c))
        .map(|(at, c)| at + c.len_utf8());
    let end = if is_free(after) { Some(text.len()) } else { last };
    match (first, end) {
        (Some(start), Some(end)) if start < end => start..end,
        _ => 0..0,
    }
}

/// As CommonMark sees it: letters in circles and squares are of Unicode's symbols, and so punctuation.
fn is_letter_or_digit(c: char) -> bool {
    let is_symbol = matches!(c, 'Ⓐ'..='ⓩ' | '🄰'..='🅉' | '🅐'..='🅩' | '🅰'..='🆉');
    c.is_alphanumeric() && !is_symbol
}

/// Whether a mark before it stands for itself: a minus sign, a decimal point.
fn starts_word(rest: &str) -> bool {
    rest.starts_with(char::is_alphanumeric)
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Whether an ampersand starts an HTML entity.
fn is_entity(text: &str) -> bool {
    let name = text[1..]
        .bytes()
        .take_while(|&byte| byte.is_ascii_alphanumeric() || byte == b'#')
        .count();
    name > 0 && text.as_bytes().get(name + 1) == Some(&b';')
}
