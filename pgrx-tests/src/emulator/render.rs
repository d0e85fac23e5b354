//! A message in a terminal, as a person would see it.

use textwrap::core::display_width;

use super::event::Event;
use super::kind::Kind;
use super::markup::Span;
use super::shown::{plain, spans};
use super::store::Received;
use super::webhook::whose;

/// Columns, the bar at the left included.
const WIDTH: usize = 100;
const WIDEST_NAME: usize = 30;
const GREY: u32 = 0x80_8080;

/// A block of lines that ends with a newline; with ANSI colours if `colour`.
pub fn terminal(received: &Received, colour: bool) -> String {
    let pen = Pen { colour };
    let service = received.kind.map_or("Nowhere", Kind::title);
    let time = received.at.strftime("%H:%M:%S%.3f");
    let status = received
        .answer
        .status
        .map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let mut out = format!(
        "{}  {}\n",
        pen.bold(service),
        pen.dim(&format!("{}  {time}  {status}", whose(received)))
    );
    let Some(kind) = received.kind else { return out };
    for (index, event) in received.events().into_iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        for line in block(&event, kind, pen) {
            out.push_str(&format!(
                "{} {line}\n",
                pen.paint("┃", event.colour.unwrap_or(GREY))
            ));
        }
    }
    out
}

fn block(event: &Event, kind: Kind, pen: Pen) -> Vec<String> {
    let mut lines = wrapped(
        &words(&printable(&plain(kind, &event.title)), |word| pen.bold(word)),
        "",
    );
    lines.extend(wrapped(&marked(kind, &event.text, pen), ""));
    let fields: Vec<(String, String)> = event
        .fields
        .iter()
        .map(|field| {
            (
                printable(&plain(kind, &field.name)),
                marked(kind, &field.value, pen),
            )
        })
        .collect();
    let name_width = fields
        .iter()
        .map(|(name, _)| display_width(name))
        .max()
        .unwrap_or(0)
        .min(WIDEST_NAME);
    for (name, value) in &fields {
        let padding = " ".repeat(name_width.saturating_sub(display_width(name)));
        let text = format!("{}{padding}  {value}", words(name, |word| pen.dim(word)));
        lines.extend(wrapped(&text, &" ".repeat(name_width + 2)));
    }
    let footer = event.shown(kind).footer;
    let footer: Vec<&str> = footer
        .as_deref()
        .into_iter()
        .chain(event.timestamp.as_deref())
        .collect();
    lines.extend(wrapped(
        &words(&printable(&footer.join("  ")), |word| pen.dim(word)),
        "",
    ));
    lines.retain(|line| !line.trim().is_empty());
    lines
}

fn wrapped(text: &str, indent: &str) -> Vec<String> {
    let options = textwrap::Options::new(WIDTH - 2).subsequent_indent(indent);
    textwrap::wrap(text, options)
        .into_iter()
        .map(std::borrow::Cow::into_owned)
        .collect()
}

fn marked(kind: Kind, source: &str, pen: Pen) -> String {
    let shown = |Span { text, bold }: Span| {
        let text = printable(&text);
        if bold {
            words(&text, |word| pen.bold(word))
        } else {
            text
        }
    };
    spans(kind, source).into_iter().map(shown).collect()
}

/// Styles word by word, so that no style runs on over the end of a line.
fn words(text: &str, style: impl Fn(&str) -> String) -> String {
    text.split(' ').map(style).collect::<Vec<_>>().join(" ")
}

/// A message must not steer the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

#[derive(Clone, Copy, Debug)]
struct Pen {
    colour: bool,
}

impl Pen {
    fn styled(self, text: &str, style: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn bold(self, text: &str) -> String {
        self.styled(text, "1")
    }

    fn dim(self, text: &str) -> String {
        self.styled(text, "2")
    }

    fn paint(self, text: &str, rgb: u32) -> String {
        let [_, red, green, blue] = rgb.to_be_bytes();
        self.styled(text, &format!("38;2;{red};{green};{blue}"))
    }
}
