//! What the receivers take and show, written from their documentation and without a line of the formatter's.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub(crate) mod discord;
pub(crate) mod google_chat;
pub(crate) mod markdown;
pub(crate) mod mattermost;
pub(crate) mod ntfy;
pub(crate) mod phones;
pub(crate) mod slack;
pub(crate) mod teams;

use serde_json::Value;

/// An event as a reader sees it: texts without markup, and what is bold in the main text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shown {
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) bold: Vec<String>,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) footer: String,
}

/// Asserts that `object` has these keys and no others; those with a question mark may be missing.
pub(crate) fn keys(object: &Value, expected: &[&str]) {
    let object = object
        .as_object()
        .unwrap_or_else(|| panic!("no object: {object}"));
    for key in object.keys() {
        assert!(
            expected.iter().any(|known| known.trim_end_matches('?') == key),
            "unknown key {key}"
        );
    }
    for key in expected.iter().filter(|key| !key.ends_with('?')) {
        assert!(object.contains_key(*key), "missing key {key}");
    }
}

/// A required text, which receivers take only if there is more to it than white space.
pub(crate) fn text(value: &Value) -> &str {
    let text = value.as_str().unwrap_or_else(|| panic!("no text: {value}"));
    assert!(!text.trim().is_empty(), "empty text");
    assert!(
        !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'),
        "control character in {text:?}"
    );
    text
}

/// A text at an optional key; empty where it is missing.
pub(crate) fn optional<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).map_or("", text)
}

/// Text without what no reader sees: differences of white space, zero width, and control characters.
pub(crate) fn normal(shown: &str) -> String {
    // What breaks a line is not lost, though a test may see a space there.
    let shown: String = shown
        .chars()
        .map(|c| {
            if matches!(c, '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}') {
                '\n'
            } else {
                c
            }
        })
        .collect();
    let visible = |c: &char| match *c {
        '\u{200B}' | '\u{FEFF}' | '\u{FDD0}'..='\u{FDEF}' => false,
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => false,
        c if (c as u32) & 0xFFFE == 0xFFFE => false,
        c => !c.is_control() || c.is_ascii_whitespace(),
    };
    let text: String = shown.chars().filter(visible).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Asserts that `shown` is what was to be said, or its beginning if the raw text is as long as it may be.
pub(crate) fn assert_says(shown: &str, said: &str, raw_length: usize, limit: usize) {
    let (shown, said) = (normal(shown), normal(said));
    if shown == said {
        return;
    }
    let beginning = shown
        .strip_suffix('…')
        .unwrap_or_else(|| panic!("shown: {shown:?}\nsaid: {said:?}"));
    assert!(
        said.starts_with(beginning.trim_end()),
        "shown: {shown:?}\nsaid: {said:?}"
    );
    // An atom of the dialects (an escape, an entity, bold marks, a new line) is at most this long.
    assert!(
        raw_length + 16 > limit,
        "cut at {raw_length} of {limit}: {shown:?}"
    );
}
