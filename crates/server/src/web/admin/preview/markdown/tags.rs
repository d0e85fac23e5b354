//! Markup with angle brackets, as HTML: that of Slack, and the few HTML tags of Google Chat's cards.

use maud::{Markup, PreEscaped, Render};

/// The character that messages have between characters that would be markup together.
const ZERO_WIDTH_SPACE: char = '\u{200B}';

/// HTML that is being written, and whether its text is bold.
#[derive(Default)]
struct Html {
    out: String,
    bold: bool,
}

impl Html {
    fn text(&mut self, text: &str) {
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                self.out.push_str("<br>");
            }
            line.render_to(&mut self.out);
        }
    }

    fn bold(&mut self, bold: bool) {
        if bold != self.bold {
            self.out.push_str(if bold { "<strong>" } else { "</strong>" });
            self.bold = bold;
        }
    }

    fn finish(mut self) -> Markup {
        self.bold(false);
        PreEscaped(self.out)
    }
}

/// Returns the HTML of Slack's markup: `*bold*`, `<address|label>` and `<!date^...|label>`, of which the label is shown, mentions and entities.
pub fn slack(source: &str) -> Markup {
    let mut html = Html::default();
    write_slack(source, &mut html);
    html.finish()
}

fn write_slack(source: &str, html: &mut Html) {
    let mut rest = source;
    let mut before = None;
    while let Some(first) = rest.chars().next() {
        let after = rest[first.len_utf8()..].chars().next();
        let mut length = first.len_utf8();
        if first == '*' && (html.bold || opens(before, after)) {
            html.bold(!html.bold);
        } else if let Some(inner) = bracket(rest) {
            length = inner.len() + 2;
            match inner.split_once('|') {
                Some((_, label)) => write_label(label, html),
                None => html.text(&pinged(inner)),
            }
        } else if let Some((shown, used)) = entity(rest) {
            html.text(shown);
            length = used;
        } else {
            html.text(&rest[..length]);
        }
        before = Some(first);
        rest = &rest[length..];
    }
}

/// Writes a label, in which only entities are markup.
fn write_label(label: &str, html: &mut Html) {
    let mut rest = label;
    while let Some(first) = rest.chars().next() {
        let (shown, length) = entity(rest).unwrap_or((&rest[..first.len_utf8()], first.len_utf8()));
        html.text(shown);
        rest = &rest[length..];
    }
}

/// Returns whether an asterisk between these characters begins bold text; `None`: the text begins or ends there.
fn opens(before: Option<char>, after: Option<char>) -> bool {
    let is_space = |c: char| c.is_whitespace() || c == ZERO_WIDTH_SPACE;
    before.is_none_or(|c| !c.is_alphanumeric()) && after.is_some_and(|c| !is_space(c))
}

/// Returns what is in the angle brackets that the text begins with; `None` if it does not begin with them, or if they are not closed.
fn bracket(rest: &str) -> Option<&str> {
    let inner = rest.strip_prefix('<')?;
    inner.get(..inner.find('>')?)
}

/// Returns the mention in `<@U1>`, `<!here>` or `<users/all>` as text: `@U1`, `@here` or `@all`.
fn pinged(inner: &str) -> String {
    let name = inner
        .trim_start_matches(['@', '!'])
        .trim_start_matches("subteam^")
        .trim_start_matches("users/");
    format!("@{name}")
}

/// Returns the character of the entity that the text begins with, and the entity's length in bytes.
fn entity(rest: &str) -> Option<(&'static str, usize)> {
    let known = [
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
    ];
    let found = known.into_iter().find(|(name, _)| rest.starts_with(name));
    found.map(|(name, shown)| (shown, name.len()))
}

/// Returns the HTML of Google Chat's markup: `<b>`, `<br>`, mentions, entities, and the characters that a backslash escapes above the cards.
/// Other tags are left out.
pub fn google_chat(source: &str) -> Markup {
    let mut html = Html::default();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        if let Some(inner) = bracket(rest) {
            length = inner.len() + 2;
            match inner {
                "b" => html.bold(true),
                "/b" => html.bold(false),
                "br" => html.text("\n"),
                who if who.starts_with("users/") => html.text(&pinged(who)),
                _ => {}
            }
        } else if let Some((shown, used)) = entity(rest) {
            html.text(shown);
            length = used;
        } else if let Some(escaped) = rest.strip_prefix('\\').and_then(|rest| rest.chars().next())
            && "*_~`\\".contains(escaped)
        {
            html.text(escaped.encode_utf8(&mut [0; 4]));
            length += escaped.len_utf8();
        } else {
            html.text(&rest[..length]);
        }
        rest = &rest[length..];
    }
    html.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slacks_markup_is_shown() {
        for (source, shown) in [
            (
                "*ada*\u{200B} wrote *\u{200B}this",
                "<strong>ada</strong>\u{200B} wrote *\u{200B}this",
            ),
            ("a &amp; &lt;!channel&gt;\nb", "a &amp; &lt;!channel&gt;<br>b"),
            (
                "*<https://a.example/?x=1&amp;y=2|Task *\u{200B}>*",
                "<strong>Task *\u{200B}</strong>",
            ),
            (
                "Zentry · <!date^0^{date_short_pretty}|1970-01-01>",
                "Zentry · 1970-01-01",
            ),
            (
                "<@U012AB3CD> <!here> <!subteam^S1> new",
                "@U012AB3CD @here @S1 new",
            ),
            ("2 * 3 * 4 < 5", "2 * 3 * 4 &lt; 5"),
        ] {
            let html = slack(source).into_string();
            let bare = |text: &str| text.replace("</strong><strong>", "");
            assert_eq!(bare(&html), bare(shown), "{source}");
        }
    }

    #[test]
    fn google_chats_markup_is_shown() {
        for (source, shown) in [
            (
                "<b><font color=\"#aabbcc\">A &lt;b&gt;</font></b>",
                "<strong>A &lt;b&gt;</strong>",
            ),
            ("a<br>b &amp; c", "a<br>b &amp; c"),
            ("<users/all> \\*a\\* <script>x", "@all *a* x"),
            ("<i>Zentry", "Zentry"),
        ] {
            assert_eq!(google_chat(source).into_string(), shown, "{source}");
        }
    }
}
