//! The places at which marks of bold text are possible.

use std::ops::Range;

use super::super::dialect::Dialect;
use crate::rich_text::RichText;

/// Returns the text in pieces that are bold or not, without two that are not bold in a row.
///
/// White space is left outside of the marks, and no bold part continues on another line, since CommonMark permits neither.
pub(super) fn runs(text: &RichText, dialect: Dialect) -> Vec<(Range<usize>, bool)> {
    let whole = text.as_str();
    let mut runs: Vec<(Range<usize>, bool)> = Vec::new();
    let mut push = |range: Range<usize>, bold: bool| match runs.last_mut() {
        _ if range.is_empty() => {}
        Some((last, false)) if !bold => last.end = range.end,
        _ => runs.push((range, bold)),
    };
    let mut at = 0;
    for span in text.spans() {
        if span.bold {
            for line in span.text.split_inclusive('\n') {
                let start = at + line.len() - line.trim_start().len();
                let core = start..start + line.trim().len();
                let marked = match dialect {
                    Dialect::Discord => core,
                    _ => {
                        let (before, after) = (&whole[..core.start], &whole[core.end..]);
                        let inner = flanked(
                            &whole[core],
                            is_free_before(before, dialect),
                            is_free_after(after, dialect),
                        );
                        start + inner.start..start + inner.end
                    }
                };
                push(at..marked.start, false);
                let end = at + line.len();
                let rest = marked.end..end;
                push(marked, true);
                push(rest, false);
                at = end;
            }
        } else {
            push(at..at + span.text.len(), false);
            at += span.text.len();
        }
    }
    runs
}

/// Returns the part of a bold text that CommonMark's marks can enclose: if there is no white space outside of them, there has to be a letter
/// inside. (Between punctuation a mark could open as well as close, and next to a letter it does neither.)
fn flanked(text: &str, is_free_before: bool, is_free_after: bool) -> Range<usize> {
    let first = if is_free_before {
        Some(0)
    } else {
        text.find(is_letter_or_digit)
    };
    let last = text
        .char_indices()
        .rfind(|&(_, c)| is_letter_or_digit(c))
        .map(|(at, c)| at + c.len_utf8());
    let end = if is_free_after { Some(text.len()) } else { last };
    match (first, end) {
        (Some(start), Some(end)) if start < end => start..end,
        _ => 0..0,
    }
}

/// Whether a mark can follow the text without a letter after it. Phones recognise only ASCII white space, and not an indent.
fn is_free_before(text: &str, dialect: Dialect) -> bool {
    let last = text.chars().next_back();
    if dialect == Dialect::AdaptiveCard {
        let in_line = text.rsplit('\n').next().unwrap_or_default();
        let is_indent = !in_line.is_empty() && in_line.bytes().all(is_blank);
        return !is_indent && last.is_none_or(|c| c.is_ascii_whitespace());
    }
    last.is_none_or(char::is_whitespace)
}

/// Whether a mark can precede the text without a letter before it.
fn is_free_after(text: &str, dialect: Dialect) -> bool {
    text.chars().next().is_none_or(|c| {
        if dialect == Dialect::AdaptiveCard {
            c.is_ascii_whitespace()
        } else {
            c.is_whitespace()
        }
    })
}

/// Whether a character is punctuation by CommonMark's definition, which includes Unicode's symbols, such as letters in circles and squares.
fn is_letter_or_digit(c: char) -> bool {
    let is_symbol = matches!(c, 'Ⓐ'..='ⓩ' | '🄰'..='🅉' | '🅐'..='🅩' | '🅰'..='🆉');
    c.is_alphanumeric() && !is_symbol
}

/// Whether it is a space or a tab, which CommonMark calls blank.
pub(super) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}
