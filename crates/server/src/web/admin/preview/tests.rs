use serde_json::json;

use super::*;

/// Asserts that a message is drawn with these pieces, in this order.
#[track_caller]
fn shows(message: Value, pieces: &[&str]) {
    let html = Message::of(message).draw().into_string();
    let mut rest = html.as_str();
    for piece in pieces {
        let Some((_, after)) = rest.split_once(piece) else {
            panic!("{piece} is not in its place in {html}");
        };
        rest = after;
    }
}

#[test]
fn a_message_of_discord() {
    let message = json!({"content": "<@1>", "embeds": [{
        "color": 0x57_f2_87, "title": "Title", "description": "**Text**", "timestamp": "2026-01-02T03:04:05Z",
        "footer": {"text": "Small **print**"},
        "fields": [{"name": "One", "value": "1", "inline": true}, {"name": "Two", "value": "2"}],
    }]});
    shows(
        message.clone(),
        &[
            "message discord",
            "<p class=\"ping\">&lt;@1&gt;</p>",
            "fill=\"#57f287\"",
            "<p class=\"heading\">Title</p>",
            "<p><strong>Text</strong></p>",
            "<dt>One</dt><dd>1</dd>",
            "wide",
            "<dt>Two</dt><dd>2</dd>",
            "Small **print** • 2026-01-02 03:04</p>",
        ],
    );
    assert_eq!(Message::of(message.clone()).json(), &message);
}

#[test]
fn a_message_card_of_teams() {
    let fact = json!({"name": "One", "value": "1"});
    shows(
        json!({"themeColor": "#57F287", "sections": [
            {"activityTitle": "Title", "activitySubtitle": "Below", "text": "Text", "facts": [fact]},
        ]}),
        &[
            "message teams",
            "fill=\"#57F287\"",
            "<p class=\"heading\">Title</p>",
            "<p class=\"small\">Below</p>",
            "<p>Text</p>",
            "<dt>One</dt><dd>1</dd>",
        ],
    );
}

#[test]
fn an_adaptive_card_of_teams() {
    shows(
        json!({"attachments": [{"content": {"body": [
            {"type": "TextBlock", "text": "Above"},
            {"type": "Container", "style": "good", "items": [
                {"type": "TextBlock", "weight": "Bolder", "text": "Title"},
                {"type": "TextBlock", "text": "Text"},
                {"type": "FactSet", "facts": [{"title": "One", "value": "1"}]},
                {"type": "TextBlock", "isSubtle": true, "text": "On {{DATE(2024-01-15T10:30:00Z, SHORT)}}"},
            ]},
        ]}}]}),
        &[
            "message teams",
            "<p>Above</p>",
            "card good",
            "<p class=\"heading\">Title</p>",
            "<p>Text</p>",
            "<dt>One</dt><dd>1</dd>",
            "<p class=\"small\">On 2024-01-15</p>",
        ],
    );
}

#[test]
fn a_message_of_slack() {
    shows(
        json!({"text": "<!here>", "attachments": [{"color": "#57F287", "blocks": [
            {"type": "section", "text": {"text": "*Title*\nText"}, "fields": [{"text": "One\n1"}]},
            {"type": "context", "elements": [{"text": "Small &amp; print"}]},
        ]}]}),
        &[
            "message slack",
            "<p class=\"ping\">@here</p>",
            "fill=\"#57F287\"",
            "<p class=\"heading\"><strong>Title</strong></p>",
            "<p>Text</p>",
            "<dt>One</dt><dd>1</dd>",
            "<p class=\"small\">Small &amp; print</p>",
        ],
    );
}

#[test]
fn a_card_of_google_chat() {
    shows(
        json!({"text": "<users/all>", "cardsV2": [{"card": {"sections": [{"widgets": [
            {"textParagraph": {"text": "<b>Title</b>"}},
            {"textParagraph": {"text": "Text"}},
            {"decoratedText": {"topLabel": "One", "text": "1"}},
            {"textParagraph": {"text": "Small &amp; print"}},
        ]}]}}]}),
        &[
            "message google_chat",
            "<p class=\"ping\">@all</p>",
            "<p class=\"heading\"><strong>Title</strong></p>",
            "<p>Text</p>",
            "<dt>One</dt><dd>1</dd>",
            "<p class=\"small\">Small &amp; print</p>",
        ],
    );
}

#[test]
fn a_post_of_mattermost() {
    shows(
        json!({"text": "@channel", "attachments": [{
            "fallback": "x", "color": "#57F287", "title": "Title", "text": "Text", "footer": "Small print",
            "fields": [{"title": "One", "value": "1", "short": true}, {"title": "Two", "value": "2", "short": false}],
        }]}),
        &[
            "message mattermost",
            "<p class=\"ping\">@channel</p>",
            "fill=\"#57F287\"",
            "<p class=\"heading\">Title</p>",
            "<p>Text</p>",
            "<dt>One</dt><dd>1</dd>",
            "wide",
            "<dt>Two</dt><dd>2</dd>",
            "<p class=\"small\">Small print</p>",
        ],
    );
}

#[test]
fn what_has_no_cards_is_a_title_and_a_text() {
    for name in ["message", "text"] {
        shows(
            json!({"title": "Title", name: "Text"}),
            &["message other", "<p class=\"heading\">Title</p>", "<p>Text</p>"],
        );
    }
    shows(json!({"data": {"a": 1}}), &["The event", "&quot;a&quot;: 1"]);
}

#[test]
fn nothing_but_a_colour_is_put_where_a_colour_is_meant() {
    for colour in ["#57F287\"", "57F287", "red"] {
        let message = json!({"attachments": [{"color": colour, "blocks": []}]});
        let html = Message::of(message).draw().into_string();
        assert!(!html.contains("fill"), "{html}");
    }
}
