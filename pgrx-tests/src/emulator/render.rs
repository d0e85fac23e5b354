//! A message in a terminal, as a person would see it.

use super::event::Event;
use super::markup::{Span, spans};
use super::registry::Kind;
use super::store::Received;
use super::webhook::whose;

/// Columns, the bar at the left included.
const WIDTH: usize = 100;
const GREY: u32 = 0x80_8080;

/// A block of lines that ends with a newline; with ANSI colours if `colour`.
pub fn terminal(received: &Received, colour: bool) -> String {
    let pen = Pen { colour };
    let service = match received.kind {
        Some(Kind::Discord) => "Discord",
        Some(Kind::Connector) => "Teams connector",
        Some(Kind::Workflow) => "Teams workflow",
        None => "Nowhere",
    };
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
    for event in received.events() {
        for line in block(&event, received.kind, pen) {
            out.push_str(&format!(
                "{} {line}\n",
                pen.paint("┃", event.colour.unwrap_or(GREY))
            ));
        }
    }
    out
}

fn block(event: &Event, kind: Option<Kind>, pen: Pen) -> Vec<String> {
    let teams = kind != Some(Kind::Discord);
    let title = event.title.replace("**", "");
    let mut lines = wrapped(&marked(&format!("**{title}**"), teams, pen), "");
    lines.extend(wrapped(&marked(&event.text, teams, pen), ""));
    let name_width = event
        .fields
        .iter()
        .map(|field| width(&field.name))
        .max()
        .unwrap_or(0)
        .min(30);
    for field in &event.fields {
        let name = marked(&field.name, teams, Pen { colour: false });
        let padding = " ".repeat(name_width.saturating_sub(width(&field.name)));
        let text = format!(
            "{}{padding}  {}",
            pen.dim(&name),
            marked(&field.value, teams, pen)
        );
        lines.extend(wrapped(&text, &" ".repeat(name_width + 2)));
    }
    let footer: Vec<&str> = event
        .footer
        .as_deref()
        .into_iter()
        .chain(event.timestamp.as_deref())
        .collect();
    if !footer.is_empty() {
        lines.extend(wrapped(
            &pen.dim(&marked(&footer.join("  "), false, Pen { colour: false })),
            "",
        ));
    }
    lines.retain(|line| !line.trim().is_empty());
    lines
}

fn width(markup: &str) -> usize {
    textwrap::core::display_width(&marked(markup, false, Pen { colour: false }))
}

fn wrapped(text: &str, indent: &str) -> Vec<String> {
    let options = textwrap::Options::new(WIDTH - 2).subsequent_indent(indent);
    textwrap::wrap(text, options)
        .into_iter()
        .map(std::borrow::Cow::into_owned)
        .collect()
}

/// The text of some markup. A break of lines in Teams is an empty line; a lone one is a space.
fn marked(source: &str, teams: bool, pen: Pen) -> String {
    let source = if teams {
        unwrapped(source)
    } else {
        source.to_owned()
    };
    let shown = |Span { text, bold }: Span| {
        let text = printable(&text);
        if bold {
            // Word by word, so that no style runs on over the end of a line.
            text.split(' ')
                .map(|word| pen.bold(word))
                .collect::<Vec<_>>()
                .join(" ")
        } else {
            text
        }
    };
    spans(&source).into_iter().map(shown).collect()
}

/// Teams' line breaks as a terminal's (and a browser's) own.
pub(crate) fn unwrapped(source: &str) -> String {
    source
        .split("\n\n")
        .map(|line| line.replace('\n', " "))
        .collect::<Vec<_>>()
        .join("\n")
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
