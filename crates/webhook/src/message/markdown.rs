//! Text with bold parts in each dialect of Markdown.

mod bold;

use super::dialect::{Dialect, ZERO_WIDTH_SPACE};
use crate::rich_text::{RichText, Span};

/// Writes text so that no part of it is read as markup.
///
/// Two kinds of parsers read an Adaptive Card. Those of the phones accept a backslash before `*` and `_` only (before `[`, `]` and `)`
/// too, unless the text has no markup on iOS), show any other one, and drop one after bold marks. So nothing but `*` and `_` is escaped with it
/// there, and a zero-width space separates the rest.
pub(super) struct Writer {
    out: String,
    dialect: Dialect,
    at_line_start: bool,
    /// Whether a URL at the end of the text being written ends there: it is the end of all, or of a bold part.
    ends_links: bool,
    /// Whether bold marks follow the text being written.
    before_mark: bool,
    /// A byte of the current run at which a URL has something to be escaped. It is remembered so that
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
            before_mark: false,
            not_a_link_until: 0,
        }
    }

    pub(super) fn write(text: &RichText, dialect: Dialect) -> String {
        let mut spans = text.spans();
        if let (Some(Span { text, bold: false }), None) = (spans.next(), spans.next()) {
            return Self::write_plain(text, dialect);
        }
        let whole = text.as_str();
        let mut writer = Self::new(dialect, whole.len());
        let runs = bold::runs(text, dialect);
        for (index, (range, bold)) in runs.iter().enumerate() {
            let is_last = index + 1 == runs.len();
            if *bold {
                writer.out.push_str("**");
            }
            writer.ends_links = *bold || is_last;
            writer.before_mark = *bold || !is_last;
            writer.escaped(&whole[range.clone()], index > 0 || *bold);
            if *bold {
                writer.out.push_str("**");
            }
        }
        writer.out
    }

    /// Writes clean text without bold parts.
    pub(super) fn write_plain(text: &str, dialect: Dialect) -> String {
        let mut writer = Self::new(dialect, text.len());
        writer.escaped(text, false);
        writer.out
    }

    /// Writes text that is not markup.
    fn escaped(&mut self, text: &str, after_mark: bool) {
        self.not_a_link_until = 0;
        if self.dialect == Dialect::AdaptiveCard && after_mark && text.starts_with('\\') {
            self.out.push(ZERO_WIDTH_SPACE);
        }
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
            b'\\' | b'*' | b'_' | b'[' | b']' | b'~' | b'<' | b'\n' => true,
            b'`' => self.dialect != Dialect::AdaptiveCard,
            b'|' if self.dialect == Dialect::CommonMark => true,
            b'|' | b'>' | b':' => matches!(self.dialect, Dialect::Discord | Dialect::Mattermost),
            b'@' | b'#' => self.dialect == Dialect::Mattermost,
            b'&' => self.dialect != Dialect::Discord,
            b'{' | b')' => self.dialect == Dialect::AdaptiveCard,
            _ => false,
        }
    }

    /// Writes the special character at `at`, and returns its length in bytes.
    fn special(&mut self, text: &str, at: usize) -> usize {
        let rest = &text[at..];
        let byte = rest.as_bytes()[0];
        if byte == b'\n' {
            return self.new_line(rest);
        }
        self.at_line_start = false;
        match (byte, self.dialect) {
            (b':', _) => return self.colon(text, at),
            // The server pings a name after it, whatever comes before it.
            (b'@', _) => {
                self.out.push('@');
                self.out.push(ZERO_WIDTH_SPACE);
            }
            (_, Dialect::AdaptiveCard) => self.adaptive(text, at),
            (b'<', Dialect::MessageCard) => self.out.push_str("&lt;"),
            // Within a word it is not a mark, and some readers show each backslash.
            (b'_', Dialect::CommonMark) if is_within_word(text, at) => self.out.push('_'),
            (b'&', _) if is_entity(rest) => self.out.push_str("&amp;"),
            (b'&', _) => self.out.push('&'),
            _ => {
                self.out.push('\\');
                self.out.push(char::from(byte));
            }
        }
        1
    }

    fn adaptive(&mut self, text: &str, at: usize) {
        let rest = &text[at..];
        let byte = rest.as_bytes()[0];
        let next = rest.as_bytes().get(1).copied();
        let is_escaped = match byte {
            b'*' => true,
            // Within a word it is not a mark for any parser.
            b'_' => !is_within_word(text, at),
            _ => false,
        };
        if is_escaped {
            self.out.push('\\');
        }
        self.out.push(char::from(byte));
        let separate = match byte {
            // An escape, or a hard line break.
            b'\\' => match next {
                Some(next) => next.is_ascii_punctuation() || next == b'\n',
                None => self.before_mark,
            },
            // A link, or its definition.
            b']' if matches!(next, Some(b'(' | b'[' | b':')) => true,
            b'[' | b']' | b')' => starts_phones_list(&rest[1..]),
            b'~' => next == Some(b'~'),
            // A tag, or an autolink.
            b'<' => next.is_some_and(|byte| !byte.is_ascii_whitespace()),
            b'{' => next == Some(b'{'),
            b'&' => is_entity(rest),
            _ => false,
        };
        if separate {
            self.out.push(ZERO_WIDTH_SPACE);
        }
    }

    /// Writes a line break: for Teams a blank line, of which it shows no more than one; in CommonMark two spaces before it.
    fn new_line(&mut self, rest: &str) -> usize {
        self.at_line_start = true;
        if matches!(self.dialect, Dialect::Discord | Dialect::Mattermost) {
            self.out.push('\n');
            return 1;
        }
        let line = match self.dialect {
            Dialect::CommonMark => "  \n",
            _ => "\n\n",
        };
        self.out.push_str(line);
        rest.len() - rest.trim_start_matches('\n').len()
    }

    /// Writes what would begin a heading, a list or the like, and returns its length in bytes.
    fn line_start(&mut self, text: &str) -> usize {
        let blank = text.bytes().take_while(|&byte| bold::is_blank(byte)).count();
        self.indent(&text[..blank]);
        let rest = &text[blank..];
        let Some(first) = rest.bytes().next() else {
            return blank;
        };
        if self.dialect == Dialect::AdaptiveCard {
            if starts_block(rest) {
                self.out.push(ZERO_WIDTH_SPACE);
            }
            self.at_line_start = first == b'\n';
            return blank;
        }
        let is_discord = self.dialect == Dialect::Discord;
        if first.is_ascii_digit() {
            return blank + self.list_number(rest);
        }
        let is_block = match first {
            b'#' => true,
            b'-' => !starts_word(&rest[1..]),
            b'+' => !is_discord && !starts_word(&rest[1..]),
            b'=' | b'>' => !is_discord,
            // Below another line it would make that the head of a table.
            b':' => self.dialect == Dialect::CommonMark && rest[1..].starts_with('-'),
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

    /// Writes the white space before a line, which must not become a code block in CommonMark.
    fn indent(&mut self, blank: &str) {
        if self.dialect == Dialect::Discord {
            self.out.push_str(blank);
        } else {
            self.out.extend(blank.chars().map(|_| '\u{A0}'));
        }
    }

    /// Writes a colon. Discord makes `:name:` an emoji, and `https://...` a link, in which it does not recognise escapes.
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
        if self.dialect == Dialect::Mattermost {
            self.out.push(':');
            // Between letters its parser takes it as part of an address: `a:b:c`.
            if rest[1..].starts_with(|c: char| !c.is_whitespace()) {
                self.out.push(ZERO_WIDTH_SPACE);
            }
        } else {
            self.out.push_str(if is_emoji { "\\:" } else { ":" });
        }
        1
    }

    /// Returns the number of bytes from `at`, which is at `://`, to the end of the URL; 0: it is not to become a link, because it has
    /// another scheme, or something that would have to be escaped.
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
        let to_escape = |(at, byte): (usize, u8)| match byte {
            b'\\' | b'*' | b'~' | b'|' | b'`' | b'[' | b']' | b'<' | b'>' => true,
            // A ping, an entity, or the beginning or end of italics.
            b'@' => self.dialect == Dialect::Mattermost,
            b'&' => self.dialect == Dialect::Mattermost && is_entity(&link[at..]),
            b'_' => self.dialect == Dialect::Mattermost && !is_within_word(link, at),
            _ => false,
        };
        let runs_on = (end == rest.len() && !self.ends_links) || link.ends_with('…');
        let obstacle = if runs_on {
            Some(end)
        } else {
            link.bytes().enumerate().position(to_escape)
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

/// Whether a mark before this text is an ordinary character: a minus sign, a decimal point.
fn starts_word(rest: &str) -> bool {
    rest.starts_with(char::is_alphanumeric)
}

/// Whether a line would be a heading, a list, a quotation or the like in an Adaptive Card, for the desktop or for a phone.
fn starts_block(line: &str) -> bool {
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(char::is_whitespace);
    match line.as_bytes()[0] {
        b'#' => ends(line.trim_start_matches('#')),
        b'-' | b'+' => !starts_word(&line[1..]) || starts_phones_list(line),
        b'=' | b'>' => true,
        b'`' => line.starts_with("```"),
        b'0'..=b'9' => {
            let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
            rest.strip_prefix(['.', ')'])
                .is_some_and(|rest| !starts_word(rest))
                || starts_phones_list(line)
        }
        _ => false,
    }
}

/// Whether a phone would begin a list there: it looks for one again after each digit, plus and minus.
fn starts_phones_list(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
    line[..line.len() - rest.len()].ends_with(['+', '-']) && (rest.is_empty() || rest.starts_with(' '))
}

/// Whether the byte is between two letters or digits.
pub(super) fn is_within_word(text: &str, at: usize) -> bool {
    let is_word = |at: Option<usize>| {
        let byte = at.and_then(|at| text.as_bytes().get(at));
        byte.is_some_and(u8::is_ascii_alphanumeric)
    };
    is_word(at.checked_sub(1)) && is_word(Some(at + 1))
}

/// Whether an ampersand begins an HTML entity.
fn is_entity(text: &str) -> bool {
    let name = text[1..]
        .bytes()
        .take_while(|&byte| byte.is_ascii_alphanumeric() || byte == b'#')
        .count();
    name > 0 && text.as_bytes().get(name + 1) == Some(&b';')
}
