//! Discord's embeds and Markdown.

use serde_json::Value;

use super::{Shown, keys, optional, text};

pub(crate) const TITLE: usize = 256;
pub(crate) const DESCRIPTION: usize = 4096;
pub(crate) const FIELD_NAME: usize = 256;
pub(crate) const FIELD_VALUE: usize = 1024;

/// Validates a body; returns the raw embeds.
pub(crate) fn embeds(body: &[u8]) -> Vec<Value> {
    let message: Value = serde_json::from_slice(body).expect("JSON");
    keys(
        &message,
        &[
            "content?",
            "username?",
            "avatar_url?",
            "thread_name?",
            "applied_tags?",
            "embeds",
            "allowed_mentions",
        ],
    );
    let content = optional(&message, "content");
    assert!(content.chars().count() <= 2000);
    let (ping, said) = match content.split_once('>') {
        Some((ping, said)) if ping.starts_with("<@") => (ping, said),
        _ => ("", content),
    };
    assert!(!said.contains("://"), "a link that is drawn again: {said:?}");
    read(said.trim());
    let allowed = match (ping.strip_prefix("<@&"), ping.strip_prefix("<@")) {
        (Some(role), _) => serde_json::json!({ "parse": [], "roles": [role] }),
        (None, Some(user)) => serde_json::json!({ "parse": [], "users": [user] }),
        (None, None) => serde_json::json!({ "parse": [] }),
    };
    assert_eq!(message["allowed_mentions"], allowed);
    let embeds = message["embeds"].as_array().expect("an array").clone();
    assert!((1..=10).contains(&embeds.len()), "{} embeds", embeds.len());
    let sum: usize = embeds.iter().map(check).sum();
    assert!(sum <= 6000, "{sum} code points in all");
    let urls: Vec<_> = embeds.iter().filter_map(|embed| embed.get("url")).collect();
    for (at, url) in urls.iter().enumerate() {
        assert!(!urls[..at].contains(url), "embeds that become one: {url}");
    }
    embeds
}

/// Checks an embed and returns what it counts.
fn check(embed: &Value) -> usize {
    keys(
        embed,
        &[
            "title",
            "description?",
            "color",
            "fields?",
            "footer?",
            "timestamp?",
            "url?",
            "thumbnail?",
            "author?",
        ],
    );
    let mut sum =
        counted(text(&embed["title"]), TITLE) + counted(optional(embed, "description"), DESCRIPTION);
    assert!(embed["color"].as_u64().expect("a number") <= 0xFF_FF_FF);
    if let Some(fields) = embed.get("fields") {
        let fields = fields.as_array().expect("an array");
        assert!((1..=25).contains(&fields.len()));
        for field in fields {
            keys(field, &["name", "value", "inline"]);
            assert!(field["inline"].is_boolean());
            sum += counted(text(&field["name"]), FIELD_NAME) + counted(text(&field["value"]), FIELD_VALUE);
        }
    }
    if let Some(author) = embed.get("author") {
        keys(author, &["name"]);
        sum += counted(text(&author["name"]), 256);
    }
    if let Some(footer) = embed.get("footer") {
        keys(footer, &["text"]);
        sum += counted(text(&footer["text"]), 2048);
    }
    for address in [
        embed.get("url"),
        embed.get("thumbnail").map(|picture| &picture["url"]),
    ]
    .into_iter()
    .flatten()
    {
        assert!(text(address).starts_with("https://") && text(address).len() <= 2048);
    }
    if let Some(timestamp) = embed.get("timestamp") {
        timestamp
            .as_str()
            .expect("a text")
            .parse::<jiff::Timestamp>()
            .expect("ISO 8601");
    }
    sum
}

fn counted(text: &str, limit: usize) -> usize {
    let count = text.trim().chars().count();
    assert!(count <= limit, "{count} of {limit} code points");
    count
}

pub(crate) fn shown(embed: &Value) -> Shown {
    let (text, bold) = read(optional(embed, "description"));
    let fields = embed
        .get("fields")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let line = |value: &Value| read(value.as_str().expect("a text")).0;
    Shown {
        title: line(&embed["title"]),
        text,
        bold,
        fields: fields
            .map(|field| (line(&field["name"]), line(&field["value"])))
            .collect(),
        footer: embed
            .get("footer")
            .map_or_else(String::new, |footer| optional(footer, "text").to_owned()),
    }
}

/// Reads Discord's Markdown; panics at any markup but bold. Returns the text and its bold parts.
pub(crate) fn read(raw: &str) -> (String, Vec<String>) {
    let (mut shown, mut bold, mut bold_since) = (String::new(), Vec::new(), None);
    let (mut rest, mut at_line_start) = (raw, true);
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        if rest.starts_with("http://") || rest.starts_with("https://") {
            // A bold part is cut out before what is in it is read.
            let inner = if bold_since.is_some() {
                rest.split("**").next().expect("a first")
            } else {
                rest
            };
            length = inner
                .find(|c: char| c.is_whitespace() || c == '<')
                .unwrap_or(inner.len());
            let link = &inner[..length];
            assert!(
                !link.contains(['\\', '*']),
                "link that is not what was written: {link}"
            );
            shown.push_str(link);
        } else if first == '\\' {
            let escaped = rest.chars().nth(1).expect("a backslash at the end");
            assert!(
                escaped.is_ascii_punctuation(),
                "backslash that is shown in {rest:?}"
            );
            shown.push(escaped);
            length = 2;
        } else if rest.starts_with("**") {
            match bold_since.take() {
                None => bold_since = Some(shown.len()),
                Some(since) => bold.push(shown[since..].to_owned()),
            }
            rest = &rest[2..];
            continue;
        } else {
            assert!(
                !matches!(first, '*' | '_' | '~' | '|' | '`' | '[' | ']' | '<' | '>'),
                "markup in {rest:?}"
            );
            assert!(!at_line_start || !starts_block(rest), "block in {rest:?}");
            assert!(!is_emoji(rest), "emoji in {rest:?}");
            shown.push(first);
        }
        at_line_start = first == '\n' || (at_line_start && first == ' ');
        rest = &rest[length..];
    }
    assert_eq!(bold_since, None, "bold without an end");
    assert!(
        bold.iter().all(|part| part.trim() == part && !part.is_empty()),
        "odd bold part in {bold:?}"
    );
    (shown, bold)
}

fn starts_block(rest: &str) -> bool {
    let after_digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(char::is_whitespace);
    rest.starts_with('#')
        || rest
            .strip_prefix('-')
            .is_some_and(|rest| ends(rest) || rest.starts_with('#'))
        || (after_digits.len() < rest.len() && after_digits.strip_prefix('.').is_some_and(ends))
}

fn is_emoji(rest: &str) -> bool {
    let Some(rest) = rest.strip_prefix(':') else {
        return false;
    };
    let after = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-'));
    after.len() < rest.len() && after.starts_with(':')
}
