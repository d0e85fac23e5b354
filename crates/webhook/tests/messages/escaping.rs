//! How the markup of each receiver is escaped.

use serde_json::{Value, json};
use webhook::endpoint::EndpointKind::{Discord, TeamsConnector, TeamsWorkflow};

use crate::{body, event};

/// What is sent for a text in each format.
fn sent(text: &str) -> [String; 3] {
    let event = event("test", &json!({ "message": text }));
    let sent = |value: &Value| value.as_str().unwrap().to_owned();
    [
        sent(&body(Discord, &event)["embeds"][0]["description"]),
        sent(&body(TeamsConnector, &event)["sections"][0]["text"]),
        sent(&body(TeamsWorkflow, &event)["attachments"][0]["content"]["body"][0]["items"][1]["text"]),
    ]
}

#[test]
fn markup_of_each_receiver_is_escaped() {
    let inline = "\\ * _ ` [ ] ~";
    let escaped = "\\\\ \\* \\_ \\` \\[ \\] \\~";
    assert_eq!(sent(inline), [escaped, escaped, "\\ \\* \\_ ` [ ] ~"]);
    assert_eq!(sent("a | b > c"), ["a \\| b \\> c", "a | b > c", "a | b > c"]);
    assert_eq!(
        sent("x\n# y\n- z\n1. a"),
        [
            "x\n\\# y\n\\- z\n1\\. a",
            "x\n\n\\# y\n\n\\- z\n\n1\\. a",
            "x\n\n\u{200B}# y\n\n\u{200B}- z\n\n\u{200B}1. a"
        ]
    );
    assert_eq!(
        sent("a\n  12) b"),
        [
            "a\n  12) b",
            "a\n\n\u{A0}\u{A0}12\\) b",
            "a\n\n\u{A0}\u{A0}\u{200B}12) b"
        ]
    );
    assert_eq!(
        sent("<at>Bob</at>"),
        [
            "\\<at\\>Bob\\</at\\>",
            "&lt;at>Bob&lt;/at>",
            "<\u{200B}at>Bob<\u{200B}/at>"
        ]
    );
    assert_eq!(
        sent("AT&T &lt; 1"),
        ["AT&T &lt; 1", "AT&T &amp;lt; 1", "AT&T &\u{200B}lt; 1"]
    );
    assert_eq!(sent("{{DATE(x)}}")[2], "{\u{200B}{DATE(x)}}");
    assert_eq!(sent("@everyone :smile: 10:30")[0], "@everyone \\:smile: 10:30");
}

#[test]
fn links_on_discord_are_links_only_if_they_read_as_written() {
    let discord = |text: &str| sent(text)[0].clone();
    assert_eq!(
        discord("see https://example.com/a_b, ok"),
        "see https://example.com/a_b, ok"
    );
    assert_eq!(discord("https://example.com/a*b"), "https\\://example.com/a\\*b");
    assert_eq!(discord("steam://run_it"), "steam\\://run\\_it");
    assert_eq!(
        discord("[a](https://example.com)"),
        "\\[a\\](https://example.com)"
    );
}
