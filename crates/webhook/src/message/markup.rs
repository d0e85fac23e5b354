//! Text with bold parts in the markup that a receiver reads.

use crate::rich_text::{RichText, Span};

use super::dialect::{Dialect, ZERO_WIDTH_SPACE};
use super::markdown;

/// Writes text so that no part of it is read as markup.
pub(super) fn write(text: &RichText, dialect: Dialect) -> String {
    match dialect {
        Dialect::Slack | Dialect::GoogleChatText | Dialect::GoogleChatCard => {
            let mut out = String::with_capacity(text.as_str().len() + 16);
            for Span { text, bold } in text.spans() {
                write_span(text, bold, dialect, &mut out);
            }
            out
        }
        _ => markdown::Writer::write(text, dialect),
    }
}

/// Writes clean text without bold parts.
pub(super) fn write_plain(text: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::Slack | Dialect::GoogleChatText | Dialect::GoogleChatCard => {
            let mut out = String::with_capacity(text.len() + 16);
            write_span(text, false, dialect, &mut out);
            out
        }
        _ => markdown::Writer::write_plain(text, dialect),
    }
}

fn write_span(text: &str, bold: bool, dialect: Dialect, out: &mut String) {
    if !bold {
        return escape(text, dialect, out);
    }
    // Marks do not continue on another line, and white space has to be outside.
    for line in text.split_inclusive('\n') {
        let start = line.len() - line.trim_start().len();
        let core = line.trim();
        escape(&line[..start], dialect, out);
        if !core.is_empty() {
            write_bold(core, dialect, out);
        }
        escape(&line[start + core.len()..], dialect, out);
    }
}

fn write_bold(text: &str, dialect: Dialect, out: &mut String) {
    if dialect == Dialect::GoogleChatCard {
        out.push_str("<b>");
        escape(text, dialect, out);
        out.push_str("</b>");
        return;
    }
    // An asterisk of the data would end the bold part, so it is left outside.
    for (index, part) in text.split('*').enumerate() {
        if index > 0 {
            out.push('*');
            out.push(ZERO_WIDTH_SPACE);
        }
        let is_space = |c: char| c.is_whitespace() || c == ZERO_WIDTH_SPACE;
        if !part.is_empty() && !part.starts_with(is_space) && !part.ends_with(is_space) {
            write_marked(part, dialect, out);
        } else {
            escape(part, dialect, out);
        }
    }
}

fn write_marked(text: &str, dialect: Dialect, out: &mut String) {
    // A mark is recognised only at the edge of a word.
    if !out.chars().next_back().is_none_or(char::is_whitespace) {
        out.push(ZERO_WIDTH_SPACE);
    }
    out.push('*');
    escape(text, dialect, out);
    // A URL would include the mark.
    if ends_with_link(text) {
        out.push(ZERO_WIDTH_SPACE);
    }
    out.push('*');
    // The next part may begin with a letter.
    out.push(ZERO_WIDTH_SPACE);
}

fn escape(text: &str, dialect: Dialect, out: &mut String) {
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match (c, dialect) {
            ('&', _) => out.push_str("&amp;"),
            ('<', _) => out.push_str("&lt;"),
            ('>', Dialect::Slack) => {
                // At the beginning of a line it would make a quotation.
                if out.chars().next_back().is_none_or(|before| before == '\n') {
                    out.push(ZERO_WIDTH_SPACE);
                }
                out.push_str("&gt;");
            }
            ('>', _) => out.push_str("&gt;"),
            ('\n', Dialect::GoogleChatCard) => out.push_str("<br>"),
            ('*' | '_' | '~' | '`' | '\\', Dialect::GoogleChatText) => {
                out.push('\\');
                out.push(c);
            }
            ('-', Dialect::GoogleChatText) if is_line_start(out) => {
                out.push(ZERO_WIDTH_SPACE);
                out.push(c);
            }
            ('*' | '_' | '~' | '`', Dialect::Slack) if c != '_' || !markdown::is_within_word(text, at) => {
                out.push(c);
                if characters.peek().is_none_or(|(_, next)| !next.is_whitespace()) {
                    out.push(ZERO_WIDTH_SPACE);
                }
            }
            (':', Dialect::Slack) if is_emoji(&text[at..], ends_with_link(text)) => {
                out.push(c);
                out.push(ZERO_WIDTH_SPACE);
            }
            _ => out.push(c),
        }
    }
}

fn is_line_start(out: &str) -> bool {
    out.is_empty() || out.ends_with('\n')
}

/// Whether the last word is a URL.
fn ends_with_link(text: &str) -> bool {
    let word = text.split_whitespace().next_back().unwrap_or_default();
    word.contains("://")
}

/// Whether `:name:` begins here, or may with what follows the text. (At the end of a URL it is a port.)
fn is_emoji(text: &str, ends_with_link: bool) -> bool {
    let name = text[1..]
        .bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"_+-'".contains(byte))
        .count();
    let next = text.as_bytes().get(name + 1);
    (name > 0 && next == Some(&b':')) || (next.is_none() && !ends_with_link)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slack(text: &str) -> String {
        write(&RichText::parse(text), Dialect::Slack)
    }

    #[test]
    fn slack_reads_text_as_text() {
        assert_eq!(
            slack("a & <!channel> <@U1>"),
            "a &amp; &lt;!channel&gt; &lt;@U1&gt;"
        );
        assert_eq!(
            slack("*a* _b_ `c` 2 * 3"),
            "*\u{200B}a* _\u{200B}b_ `\u{200B}c` 2 * 3"
        );
        assert_eq!(slack("> a"), "\u{200B}&gt; a");
        assert_eq!(slack("see https://a.example/x_y"), "see https://a.example/x_y");
        assert_eq!(
            slack("**https://a.example**"),
            "*https://a.example\u{200B}*\u{200B}"
        );
        assert_eq!(
            slack(":tada: 10:30:15 a:b"),
            ":\u{200B}tada: 10:\u{200B}30:15 a:\u{200B}b"
        );
        assert_eq!(
            slack("an emoji has a name: a::b c"),
            "an emoji has a name: a::b c"
        );
    }

    #[test]
    fn bold_parts_stand_between_words() {
        assert_eq!(slack("a **b c** d"), "a *b c*\u{200B} d");
        assert_eq!(slack("x**b**y"), "x\u{200B}*b*\u{200B}y");
        assert_eq!(slack("**a\nb**"), "*a*\u{200B}\n*b*\u{200B}");
        let card = write(&RichText::parse("**a** <b>\nc & d"), Dialect::GoogleChatCard);
        assert_eq!(card, "<b>a</b> &lt;b&gt;<br>c &amp; d");
    }

    #[test]
    fn google_chat_reads_text_as_text() {
        let chat = |text| write_plain(text, Dialect::GoogleChatText);
        assert_eq!(
            chat("<users/all> *a* _b_ ~c~"),
            "&lt;users/all&gt; \\*a\\* \\_b\\_ \\~c\\~"
        );
        assert_eq!(chat("- a"), "\u{200B}- a");
    }
}
