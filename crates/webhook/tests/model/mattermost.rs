//! Mattermost's attachments, and its Markdown: CommonMark, with names, channels, hashtags and emoji.

use serde_json::Value;

use super::{Shown, keys, markdown, optional, text};

/// Validates a post; returns its attachments.
pub(crate) fn attachments(body: &[u8]) -> Vec<Value> {
    let post: Value = serde_json::from_slice(body).expect("JSON");
    keys(&post, &["attachments", "text?", "username?", "icon_url?"]);
    let characters = post.to_string().chars().count();
    assert!(characters <= 16_383, "{characters} characters");
    let attachments = post["attachments"].as_array().expect("an array").clone();
    assert!((1..=10).contains(&attachments.len()));
    for attachment in &attachments {
        keys(
            attachment,
            &[
                "fallback",
                "color",
                "title",
                "title_link?",
                "text?",
                "fields?",
                "footer",
                "thumb_url?",
            ],
        );
        no_ping(text(&attachment["fallback"]));
        no_ping(text(&attachment["footer"]));
        assert!(text(&attachment["footer"]).chars().count() <= 300);
        text(&attachment["title"]);
        for field in attachment
            .get("fields")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            keys(field, &["title", "value", "short"]);
            text(&field["title"]);
            text(&field["value"]);
        }
    }
    attachments
}

pub(crate) fn shown(attachment: &Value) -> Shown {
    let (text, bold) = read(optional(attachment, "text"));
    let line = |value: &Value| read(value.as_str().expect("a text")).0;
    let fields = attachment
        .get("fields")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    Shown {
        title: line(&attachment["title"]),
        text,
        bold,
        fields: fields
            .map(|field| (line(&field["title"]), line(&field["value"])))
            .collect(),
        footer: optional(attachment, "footer").to_owned(),
    }
}

/// What is shown of a text, and its bold parts; panics at any other markup.
fn read(raw: &str) -> (String, Vec<String>) {
    no_ping(raw);
    let characters: Vec<char> = raw.chars().collect();
    let mut in_link = false;
    for (at, c) in characters.iter().enumerate() {
        let word = |from: usize| {
            characters[from..]
                .iter()
                .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '+' | '-'))
                .count()
        };
        let rest: String = characters[at..characters.len().min(at + 8)].iter().collect();
        in_link = !c.is_whitespace() && (in_link || rest.to_lowercase().starts_with("http"));
        let escaped = at > 0 && characters[at - 1] == '\\';
        match c {
            '#' if !escaped && !in_link => assert!(word(at + 1) < 3, "a hashtag in {raw:?}"),
            '~' if !escaped => assert_eq!(word(at + 1), 0, "a channel in {raw:?}"),
            ':' if !in_link => {
                let name = word(at + 1);
                assert!(
                    name == 0 || characters.get(at + 1 + name) != Some(&':'),
                    "emoji in {raw:?}"
                );
            }
            _ => {}
        }
    }
    markdown::read(raw)
}

/// The server pings whoever is named after an `@`, whatever markup is around it.
fn no_ping(text: &str) {
    let mut after = text.split('@').skip(1);
    assert!(
        after.all(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))),
        "a ping in {text:?}"
    );
}
