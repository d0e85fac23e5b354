//! The part of the vendors' markup that the messages use, as a reader sees it.
//!
//! Everywhere `**` makes bold and a backslash escapes punctuation. Teams reads CommonMark: a line ends with an empty
//! line, and HTML entities stand for their characters; Adaptive Cards also have functions for dates and times. Slack has single asterisks and
//! angle brackets, a card of Google Chat has tags.

use jiff::Timestamp;

/// A run of text in one style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub text: String,
    pub bold: bool,
}

/// Text without any.
pub(crate) fn unmarked(source: &str) -> Vec<Span> {
    vec![Span {
        text: source.to_owned(),
        bold: false,
    }]
}

/// Of the family of Markdown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Markdown {
    Discord,
    Mattermost,
    Connector,
    Workflow,
    CommonMark,
}

pub(crate) fn markdown(dialect: Markdown, source: &str) -> Vec<Span> {
    let lines = match dialect {
        Markdown::Discord | Markdown::Mattermost => source.to_owned(),
        Markdown::Connector | Markdown::Workflow => joined(source),
        Markdown::CommonMark => joined(&source.replace("  \n", "\n\n")),
    };
    let mut spans = vec![Span {
        text: String::new(),
        bold: false,
    }];
    let mut rest = lines.as_str();
    let mut bold = false;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("**") && (bold || has_partner(&rest[2..])) {
            bold = !bold;
            spans.push(Span {
                text: String::new(),
                bold,
            });
            rest = &rest[2..];
            continue;
        }
        let (shown, length) =
            special(dialect, first, rest).unwrap_or_else(|| (first.to_string(), first.len_utf8()));
        if let Some(span) = spans.last_mut() {
            span.text.push_str(&shown);
        }
        rest = &rest[length..];
    }
    if dialect == Markdown::Mattermost {
        spans
            .iter_mut()
            .for_each(|span| span.text.retain(|c| c != '\u{200B}'));
    }
    spans.retain(|span| !span.text.is_empty());
    spans
}

/// Slack's: `*bold*`, `<address|label>` and `<!date^...|label>`, three entities.
pub(crate) fn mrkdwn(source: &str) -> Vec<Span> {
    let mut out = Runs::default();
    let mut rest = source;
    let mut before = None;
    while let Some(first) = rest.chars().next() {
        let after = rest[first.len_utf8()..].chars().next();
        let opens = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        let has_space = |c: Option<char>| c.is_none_or(|c| c.is_whitespace() || c == '\u{200B}');
        let mut length = first.len_utf8();
        if first == '*' && ((out.bold && opens(after)) || (!out.bold && opens(before) && !has_space(after))) {
            out.toggle();
        } else if let Some((label, used)) = (first == '<').then(|| bracket(rest)).flatten() {
            mrkdwn(label).into_iter().for_each(|span| out.push(&span.text));
            length = used;
        } else if let Some((shown, used)) = (first == '&').then(|| entity(rest)).flatten() {
            out.push(&shown);
            length = used;
        } else {
            out.push(&rest[..length]);
        }
        before = Some(first);
        rest = &rest[length..];
    }
    out.finish()
}

/// What stands behind the bar of `<...|label>`, and the length of all of it.
fn bracket(rest: &str) -> Option<(&str, usize)> {
    let end = rest.find('>')?;
    let (_, label) = rest[1..end].split_once('|')?;
    Some((label, end + 1))
}

/// A card's of Google Chat.
pub(crate) fn html(source: &str) -> Vec<Span> {
    let mut out = Runs::default();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        if let Some(end) = (first == '<').then(|| rest.find('>')).flatten() {
            match &rest[..=end] {
                "<b>" | "</b>" => out.toggle(),
                "<br>" => out.push("\n"),
                _ => {}
            }
            length = end + 1;
        } else if let Some((shown, used)) = (first == '&').then(|| entity(rest)).flatten() {
            out.push(&shown);
            length = used;
        } else {
            out.push(&rest[..length]);
        }
        rest = &rest[length..];
    }
    out.finish()
}

/// Runs that are being collected.
#[derive(Default)]
struct Runs {
    spans: Vec<Span>,
    bold: bool,
}

impl Runs {
    fn toggle(&mut self) {
        self.bold = !self.bold;
    }

    fn push(&mut self, text: &str) {
        match self.spans.last_mut() {
            Some(last) if last.bold == self.bold => last.text.push_str(text),
            _ => self.spans.push(Span {
                text: text.to_owned(),
                bold: self.bold,
            }),
        }
    }

    fn finish(mut self) -> Vec<Span> {
        for span in &mut self.spans {
            span.text.retain(|c| c != '\u{200B}');
        }
        self.spans.retain(|span| !span.text.is_empty());
        self.spans
    }
}

/// Escape, entity or function at the start of `rest`: what is shown for it, and its length.
fn special(dialect: Markdown, first: char, rest: &str) -> Option<(String, usize)> {
    match (first, dialect) {
        ('\\', _) => {
            let escaped = rest[1..].chars().next().filter(char::is_ascii_punctuation)?;
            Some((escaped.to_string(), 2))
        }
        ('&', Markdown::Connector | Markdown::Workflow | Markdown::Mattermost | Markdown::CommonMark) => {
            entity(rest)
        }
        ('{', Markdown::Workflow) => date_function(rest),
        _ => None,
    }
}

/// CommonMark's lines: an empty line ends one, a lone break is a space.
fn joined(source: &str) -> String {
    source
        .split("\n\n")
        .map(|line| line.replace('\n', " "))
        .collect::<Vec<_>>()
        .join("\n")
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

fn entity(rest: &str) -> Option<(String, usize)> {
    let (name, _) = rest[1..].split_once(';')?;
    let shown = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    Some((shown.to_string(), name.len() + 2))
}

/// `{{DATE(2024-01-15T10:30:00Z, SHORT)}}` and `{{TIME(2024-01-15T10:30:00Z)}}`, shown in UTC.
pub(crate) fn date_function(rest: &str) -> Option<(String, usize)> {
    let (call, _) = rest.strip_prefix("{{")?.split_once("}}")?;
    let (name, arguments) = call.strip_suffix(')')?.split_once('(')?;
    let (time, format) = arguments.split_once(',').unwrap_or((arguments, "COMPACT"));
    let time: Timestamp = time.trim().parse().ok()?;
    let shown = match (name, format.trim()) {
        ("DATE", "COMPACT") => time.strftime("%-d/%-m/%Y"),
        ("DATE", "SHORT") => time.strftime("%a, %-d %b %Y"),
        ("DATE", "LONG") => time.strftime("%A, %-d %B %Y"),
        ("TIME", "COMPACT") => time.strftime("%H:%M"),
        _ => return None,
    };
    Some((shown.to_string(), call.len() + "{{}}".len()))
}
