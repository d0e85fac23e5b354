//! Slack's attachments, and the markup of a section, written from Slack's documentation.

use serde_json::Value;

use super::{Shown, keys, optional, text};

/// Validates a message; returns its attachments.
pub(crate) fn attachments(body: &[u8]) -> Vec<Value> {
    let message: Value = serde_json::from_slice(body).expect("JSON");
    keys(&message, &["attachments", "text", "unfurl_links", "unfurl_media"]);
    let (notification, _) = mrkdwn(text(&message["text"]));
    assert!(!notification.trim().is_empty());
    let attachments = message["attachments"].as_array().expect("an array").clone();
    assert!((1..=10).contains(&attachments.len()));
    let mut blocks = 0;
    let mut characters = 0;
    for attachment in &attachments {
        keys(attachment, &["color", "blocks"]);
        let colour = text(&attachment["color"]).strip_prefix('#').expect("a colour");
        assert!(colour.len() == 6 && u32::from_str_radix(colour, 16).is_ok());
        let of_it = attachment["blocks"].as_array().expect("an array");
        blocks += of_it.len();
        characters += Value::from(of_it.clone()).to_string().chars().count();
        of_it.iter().for_each(check_block);
    }
    assert!(blocks <= 50, "{blocks} blocks");
    assert!(characters <= 13_200, "{characters} characters");
    attachments
}

fn check_block(block: &Value) {
    match text(&block["type"]) {
        "section" => {
            keys(block, &["type", "text?", "fields?", "accessory?"]);
            assert!(block.get("text").is_some() || block.get("fields").is_some());
            if let Some(main) = block.get("text") {
                limited(main, 3_000);
            }
            if let Some(fields) = block.get("fields") {
                let fields = fields.as_array().expect("an array");
                assert!((1..=10).contains(&fields.len()));
                fields.iter().for_each(|field| limited(field, 2_000));
            }
            if let Some(picture) = block.get("accessory") {
                keys(picture, &["type", "image_url", "alt_text"]);
                assert!(text(&picture["image_url"]).starts_with("https://"));
                text(&picture["alt_text"]);
            }
        }
        "context" => {
            keys(block, &["type", "elements"]);
            let elements = block["elements"].as_array().expect("an array");
            assert!((1..=10).contains(&elements.len()));
            elements.iter().for_each(|element| limited(element, 3_000));
        }
        other => panic!("{other}"),
    }
}

fn limited(element: &Value, limit: usize) {
    keys(element, &["type", "text"]);
    assert_eq!(element["type"], "mrkdwn");
    let count = text(&element["text"]).chars().count();
    assert!(count <= limit, "{count} of {limit} characters");
}

pub(crate) fn shown(attachment: &Value) -> Shown {
    let blocks = attachment["blocks"].as_array().expect("an array");
    let (small_print, blocks) = blocks.split_last().expect("small print");
    let (main, fields) = blocks.split_first().expect("a section");
    let main = text(&main["text"]["text"]);
    let (title, rest) = main.split_once('\n').unwrap_or((main, ""));
    let (title, _) = mrkdwn(title);
    let (text, bold) = mrkdwn(rest);
    let field = |field: &Value| {
        let (name, value) = field["text"].as_str()?.split_once('\n')?;
        Some((mrkdwn(name).0, mrkdwn(value).0))
    };
    Shown {
        title,
        text,
        bold,
        fields: fields
            .iter()
            .flat_map(|block| block["fields"].as_array().expect("fields"))
            .map(|shown| field(shown).expect("a name and a value"))
            .collect(),
        footer: mrkdwn(optional(&small_print["elements"][0], "text")).0,
    }
}

/// What Slack shows of a text, and its bold parts; panics at any other markup.
pub(crate) fn mrkdwn(raw: &str) -> (String, Vec<String>) {
    let (mut shown, mut bold, mut bold_since) = (String::new(), Vec::new(), None);
    let characters: Vec<char> = raw.chars().collect();
    let mut at = 0;
    while let Some(&c) = characters.get(at) {
        let before = at.checked_sub(1).map(|at| characters[at]);
        let after = characters.get(at + 1).copied();
        let is_start = before.is_none_or(|c| c == '\n');
        let rest: String = characters[at..characters.len().min(at + 12)].iter().collect();
        match c {
            '<' => {
                let end = at + characters[at..].iter().position(|c| *c == '>').expect("an end");
                let inner: String = characters[at + 1..end].iter().collect();
                shown.push_str(&angle(&inner));
                at = end;
            }
            '&' => {
                let (entity, character) = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>')]
                    .into_iter()
                    .find(|(entity, _)| rest.starts_with(entity))
                    .unwrap_or_else(|| panic!("an ampersand in {raw:?}"));
                assert!(!(is_start && character == '>'), "a quotation in {raw:?}");
                shown.push(character);
                at += entity.len() - 1;
            }
            '*' if bold_since.is_some() && closes(before, after) => {
                let since = bold_since.take().unwrap_or_default();
                bold.push(shown[since..].to_owned());
            }
            '*' if opens(before, after) => {
                assert!(bold_since.is_none(), "bold within bold in {raw:?}");
                bold_since = Some(shown.len());
            }
            '_' | '~' | '`' => {
                assert!(!opens(before, after), "{c} opens in {raw:?}");
                shown.push(c);
            }
            ':' => {
                let name = characters[at + 1..]
                    .iter()
                    .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-'))
                    .count();
                assert!(
                    name == 0 || characters.get(at + 1 + name) != Some(&':'),
                    "emoji in {raw:?}"
                );
                shown.push(c);
            }
            '\n' => {
                assert!(bold_since.is_none(), "bold over lines in {raw:?}");
                shown.push(c);
            }
            _ => shown.push(c),
        }
        at += 1;
    }
    assert!(bold_since.is_none(), "bold without an end in {raw:?}");
    (shown, bold)
}

/// A mark opens after no word and before what is no space.
fn opens(before: Option<char>, after: Option<char>) -> bool {
    before.is_none_or(|c| !c.is_alphanumeric())
        && after.is_some_and(|c| !c.is_whitespace() && c != '\u{200B}')
}

fn closes(before: Option<char>, after: Option<char>) -> bool {
    before.is_some_and(|c| !c.is_whitespace()) && after.is_none_or(|c| !c.is_alphanumeric() && c != '*')
}

/// What stands between angle brackets: a link, a time.
fn angle(inner: &str) -> String {
    let (what, label) = inner.split_once('|').expect("a label");
    assert!(
        what.starts_with("https://") || what.starts_with("!date^"),
        "{inner:?}"
    );
    mrkdwn(label).0
}
