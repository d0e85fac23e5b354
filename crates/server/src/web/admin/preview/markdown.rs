//! The markup of messages as HTML: bold text, lines and items of lists. Escaped characters are shown as text.

mod tags;

use jiff::Timestamp;
use maud::{Markup, PreEscaped, Render};
use pulldown_cmark::{Event, Parser, Tag, TagEnd};

/// The dialect of a message's structure and markup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Discord,
    MessageCard,
    AdaptiveCard,
    Slack,
    GoogleChat,
    Mattermost,
    /// CommonMark, for services that have no drawing of their own.
    Other,
    /// An event as JSON, which has no markup.
    Event,
}

/// The text before an item of a list.
const BULLET: &str = "• ";

/// Returns the HTML of markup. A line break stays one for Discord, Mattermost and other services; in Teams, which reads CommonMark, it is a
/// space, and only an empty line begins a new line.
pub fn marked(dialect: Dialect, source: &str) -> Markup {
    match dialect {
        Dialect::Slack => return tags::slack(source),
        Dialect::GoogleChat => return tags::google_chat(source),
        Dialect::Event => return maud::html! { (source) },
        Dialect::Discord
        | Dialect::MessageCard
        | Dialect::AdaptiveCard
        | Dialect::Mattermost
        | Dialect::Other => {}
    }
    let break_line = matches!(dialect, Dialect::Discord | Dialect::Mattermost | Dialect::Other);
    let mut out = String::new();
    for event in Parser::new(source) {
        match event {
            Event::Start(Tag::Paragraph) if !out.is_empty() && !out.ends_with(BULLET) => out.push_str("<br>"),
            Event::Start(Tag::Item) => {
                if !out.is_empty() {
                    out.push_str("<br>");
                }
                out.push_str(BULLET);
            }
            Event::Start(Tag::Strong) => out.push_str("<strong>"),
            Event::End(TagEnd::Strong) => out.push_str("</strong>"),
            Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => {
                text.as_ref().render_to(&mut out)
            }
            Event::SoftBreak if !break_line => out.push(' '),
            Event::SoftBreak | Event::HardBreak => out.push_str("<br>"),
            _ => {}
        }
    }
    PreEscaped(out)
}

/// Returns the text with an Adaptive Card's `{{DATE(2024-01-15T10:30:00Z, SHORT)}}` and `{{TIME(...)}}` replaced by date and time in UTC. Teams
/// shows them in each reader's time zone.
pub fn with_times(source: &str) -> String {
    let mut out = String::new();
    let mut rest = source;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((shown, tail)) = after
            .split_once("}}")
            .and_then(|(call, tail)| Some((function(call)?, tail)))
        else {
            out.push_str("{{");
            rest = after;
            continue;
        };
        out.push_str(&shown);
        rest = tail;
    }
    out + rest
}

/// Returns the text for a call such as `TIME(2024-01-15T10:30:00Z)`; `None` if the function is unknown or its argument is no time.
fn function(call: &str) -> Option<String> {
    let (name, arguments) = call.strip_suffix(')')?.split_once('(')?;
    let time: Timestamp = arguments.split(',').next()?.trim().parse().ok()?;
    let format = match name {
        "DATE" => "%Y-%m-%d",
        "TIME" => "%H:%M",
        _ => return None,
    };
    Some(time.strftime(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bold_is_bold_and_what_is_escaped_is_text() {
        let html = marked(Dialect::Discord, "**chen** did \\*\\*this\\*\\* <b>\nnow");
        assert_eq!(
            html.into_string(),
            "<strong>chen</strong> did **this** &lt;b&gt;<br>now"
        );
        let html = marked(Dialect::AdaptiveCard, "one\ntwo\n\nthree &lt;b&gt;");
        assert_eq!(html.into_string(), "one two<br>three &lt;b&gt;");
        let html = marked(Dialect::Other, "one\n\n- **two**: 2\n- three\n\n- four\n\nfive");
        assert_eq!(
            html.into_string(),
            "one<br>• <strong>two</strong>: 2<br>• three<br>• four<br>five"
        );
    }

    #[test]
    fn times_are_shown() {
        let text =
            with_times("Zentry · {{DATE(2024-01-15T10:30:00Z, SHORT)}} {{TIME(2024-01-15T10:30:00Z)}} {{x}}");
        assert_eq!(text, "Zentry · 2024-01-15 10:30 {{x}}");
    }
}
