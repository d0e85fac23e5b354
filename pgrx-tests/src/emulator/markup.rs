//! The part of the vendors' markdown that the messages use: bold, and backslash escapes.

/// A run of text in one style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub text: String,
    pub bold: bool,
}

/// Splits marked-up text into runs. A backslash before ASCII punctuation escapes it; `**` that has a partner makes
/// bold what is between; everything else stands for itself.
pub fn spans(source: &str) -> Vec<Span> {
    let mut spans = vec![Span {
        text: String::new(),
        bold: false,
    }];
    let mut rest = source;
    let mut bold = false;
    while let Some(first) = rest.chars().next() {
        let (literal, length) = match first {
            '\\' => match rest[1..].chars().next() {
                Some(escaped) if escaped.is_ascii_punctuation() => (escaped, 2),
                _ => (first, 1),
            },
            '*' if rest.starts_with("**") && (bold || has_partner(&rest[2..])) => {
                bold = !bold;
                spans.push(Span {
                    text: String::new(),
                    bold,
                });
                rest = &rest[2..];
                continue;
            }
            _ => (first, first.len_utf8()),
        };
        if let Some(span) = spans.last_mut() {
            span.text.push(literal);
        }
        rest = &rest[length..];
    }
    spans.retain(|span| !span.text.is_empty());
    spans
}

/// Whether an unescaped `**` follows, with something before it.
fn has_partner(rest: &str) -> bool {
    let bytes = rest.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'*' if bytes.get(at + 1) == Some(&b'*') => return at > 0,
            _ => at += 1,
        }
    }
    false
}

/// What a person reads: the text without its markup.
pub fn plain(source: &str) -> String {
    spans(source).into_iter().map(|span| span.text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bold(text: &str) -> Span {
        Span {
            text: text.into(),
            bold: true,
        }
    }

    fn normal(text: &str) -> Span {
        Span {
            text: text.into(),
            bold: false,
        }
    }

    #[test]
    fn bold_needs_both_ends() {
        assert_eq!(spans("**Ann** did it"), [bold("Ann"), normal(" did it")]);
        assert_eq!(spans("2 ** 3"), [normal("2 ** 3")]);
        assert_eq!(spans("****"), [normal("****")]);
    }

    #[test]
    fn escapes_stand_for_themselves() {
        assert_eq!(
            plain(r"\*\*not bold\*\* \_ \\ C:\dir"),
            r"**not bold** _ \ C:\dir"
        );
        assert_eq!(spans(r"**a\*\*b**"), [bold("a**b")]);
        assert_eq!(plain("ends with \\"), "ends with \\");
        assert_eq!(plain("é\\é"), "é\\é");
    }
}
