//! Google Chat's cards, and the HTML of a card, written from Google's documentation.

use serde_json::Value;

use super::{Shown, keys, text};

/// Validates a message; returns its cards.
pub(crate) fn cards(body: &[u8]) -> Vec<Value> {
    assert!(body.len() <= 32_000, "{} bytes", body.len());
    let message: Value = serde_json::from_slice(body).expect("JSON");
    keys(&message, &["cardsV2", "fallbackText", "text?", "thread?"]);
    text(&message["fallbackText"]);
    let cards = message["cardsV2"].as_array().expect("an array").clone();
    assert!((1..=10).contains(&cards.len()));
    let mut widgets = 0;
    for (index, card) in cards.iter().enumerate() {
        keys(card, &["cardId", "card"]);
        assert_eq!(card["cardId"], (index + 1).to_string());
        keys(&card["card"], &["sections"]);
        let sections = card["card"]["sections"].as_array().expect("an array");
        assert_eq!(sections.len(), 1);
        keys(&sections[0], &["widgets"]);
        for widget in sections[0]["widgets"].as_array().expect("an array") {
            widgets += 1;
            check_widget(widget);
        }
    }
    assert!(widgets <= 100, "{widgets} widgets");
    cards
}

fn check_widget(widget: &Value) {
    let (kind, widget) = widget
        .as_object()
        .expect("an object")
        .iter()
        .next()
        .expect("a widget");
    match kind.as_str() {
        "textParagraph" => {
            keys(widget, &["text"]);
            text(&widget["text"]);
        }
        "decoratedText" => {
            keys(widget, &["topLabel", "text", "wrapText"]);
            text(&widget["topLabel"]);
            text(&widget["text"]);
        }
        "image" => {
            keys(widget, &["imageUrl", "altText"]);
            assert!(text(&widget["imageUrl"]).starts_with("https://"));
        }
        "buttonList" => {
            let url = &widget["buttons"][0]["onClick"]["openLink"]["url"];
            assert!(text(url).starts_with("https://"));
            text(&widget["buttons"][0]["text"]);
        }
        other => panic!("{other}"),
    }
}

pub(crate) fn shown(card: &Value) -> Shown {
    let widgets = card["card"]["sections"][0]["widgets"]
        .as_array()
        .expect("widgets");
    let (small_print, widgets) = widgets.split_last().expect("small print");
    let (title, widgets) = widgets.split_first().expect("a title");
    let paragraph = |widget: &Value| widget["textParagraph"]["text"].as_str().map(html);
    let mut shown = Shown {
        title: paragraph(title).expect("a title").0,
        footer: paragraph(small_print).expect("small print").0,
        ..Shown::default()
    };
    for widget in widgets {
        if let Some((text, bold)) = paragraph(widget) {
            (shown.text, shown.bold) = (text, bold);
        }
        if let Some(field) = widget.get("decoratedText") {
            let of = |key: &str| html(field[key].as_str().expect("a text")).0;
            shown.fields.push((of("topLabel"), of("text")));
        }
    }
    shown
}

/// What a card shows of its small HTML, and the bold parts; panics at any other tag.
pub(crate) fn html(raw: &str) -> (String, Vec<String>) {
    let (mut shown, mut bold, mut bold_since) = (String::new(), Vec::new(), None);
    let mut rest = raw;
    while let Some(at) = rest.find(['<', '&', '>']) {
        shown.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find(['>', ';']).expect("an end") + 1;
        match &rest[..end] {
            "&amp;" => shown.push('&'),
            "&lt;" => shown.push('<'),
            "&gt;" => shown.push('>'),
            "<br>" => shown.push('\n'),
            "<b>" => bold_since = Some(shown.len()),
            "</b>" => bold.push(shown[bold_since.take().expect("a start")..].to_owned()),
            "<i>" | "</i>" | "</font>" => {}
            font if font.starts_with("<font color=\"#") && font.len() == "<font color=\"#000000\">".len() => {
            }
            other => panic!("{other} in {raw:?}"),
        }
        rest = &rest[end..];
    }
    shown.push_str(rest);
    (shown, bold)
}
