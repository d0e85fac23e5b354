//! ntfy's notifications: a title, and a message in CommonMark.

use serde_json::Value;

use super::{Shown, keys, markdown, text};

/// Validates what is published; returns the events in it.
pub(crate) fn events(body: &[u8]) -> Vec<Shown> {
    assert!(body.len() < 2 * 4096, "{} bytes of JSON", body.len());
    let message: Value = serde_json::from_slice(body).expect("JSON");
    keys(
        &message,
        &[
            "topic",
            "title",
            "message",
            "markdown",
            "priority?",
            "tags?",
            "click?",
            "icon?",
            "actions?",
        ],
    );
    assert_eq!(message["markdown"], true);
    let title = text(&message["title"]);
    assert!(!title.contains("=?"), "a word that is decoded in {title:?}");
    assert!(title.chars().filter(|c| *c != '\u{200B}').count() <= 250);
    let words = text(&message["message"]);
    assert!(words.len() < 4096, "{} bytes are an attachment", words.len());
    for tag in list(&message, "tags") {
        assert!(!text(tag).contains(','));
    }
    for key in ["click", "icon"] {
        assert!(message.get(key).is_none_or(|url| text(url).starts_with("http")));
    }
    let actions: Vec<&Value> = list(&message, "actions").collect();
    assert!(actions.len() <= 3);
    for action in actions {
        keys(action, &["action", "label", "url"]);
        assert_eq!(action["action"], "view");
        text(&action["label"]);
        assert!(text(&action["url"]).starts_with("http"));
    }
    let blocks: Vec<&str> = words.split("\n\n---\n\n").collect();
    assert!((1..=10).contains(&blocks.len()));
    if let [block] = blocks.as_slice() {
        return vec![Shown {
            title: title.to_owned(),
            ..shown(block)
        }];
    }
    let blocks = blocks.into_iter().map(|block| {
        let (title, rest) = block.split_once("\n\n").expect("a title of its own");
        Shown {
            title: markdown::read(title).0,
            ..shown(rest)
        }
    });
    blocks.collect()
}

fn list<'a>(message: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    message.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// A paragraph of text, a list of fields, and the small print.
fn shown(block: &str) -> Shown {
    let mut shown = Shown::default();
    let mut paragraphs: Vec<&str> = block.split("\n\n").collect();
    shown.footer = markdown::read(paragraphs.pop().expect("small print")).0;
    for paragraph in paragraphs {
        if let Some(items) = paragraph.strip_prefix("- ") {
            for item in items.split("\n- ") {
                let (name, value) = item.split_once(":\u{2003}").expect("a name");
                shown
                    .fields
                    .push((markdown::read(name).0, markdown::read(value).0));
            }
        } else {
            (shown.text, shown.bold) = markdown::read(paragraph);
        }
    }
    shown
}
