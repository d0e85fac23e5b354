//! The guide, compiled into the program, so that the pages can link to it without access to other sites.

use maud::{Escaper, Markup, PreEscaped, html};
use pulldown_cmark::{Alignment, CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use std::fmt::Write;

use super::frame::{Frame, Section};
use super::visitor::Visitor;
use crate::web::Error;
use crate::web::path::Name;

/// The pages of the guide: name and Markdown text.
const PAGES: [(&str, &str); 27] = [
    ("README", include_str!("../../../../../docs/guide/README.md")),
    (
        "admin-pages",
        include_str!("../../../../../docs/guide/admin-pages.md"),
    ),
    ("adoption", include_str!("../../../../../docs/guide/adoption.md")),
    (
        "attach-a-table",
        include_str!("../../../../../docs/guide/attach-a-table.md"),
    ),
    (
        "change-capture",
        include_str!("../../../../../docs/guide/change-capture.md"),
    ),
    (
        "configuration-as-code",
        include_str!("../../../../../docs/guide/configuration-as-code.md"),
    ),
    ("digest", include_str!("../../../../../docs/guide/digest.md")),
    ("discord", include_str!("../../../../../docs/guide/discord.md")),
    ("django", include_str!("../../../../../docs/guide/django.md")),
    ("filters", include_str!("../../../../../docs/guide/filters.md")),
    (
        "from-django",
        include_str!("../../../../../docs/guide/from-django.md"),
    ),
    (
        "google-chat",
        include_str!("../../../../../docs/guide/google-chat.md"),
    ),
    (
        "languages",
        include_str!("../../../../../docs/guide/languages.md"),
    ),
    (
        "mattermost",
        include_str!("../../../../../docs/guide/mattermost.md"),
    ),
    (
        "monitoring",
        include_str!("../../../../../docs/guide/monitoring.md"),
    ),
    ("nats", include_str!("../../../../../docs/guide/nats.md")),
    (
        "new-destination",
        include_str!("../../../../../docs/guide/new-destination.md"),
    ),
    ("ntfy", include_str!("../../../../../docs/guide/ntfy.md")),
    (
        "own-event-type",
        include_str!("../../../../../docs/guide/own-event-type.md"),
    ),
    ("privacy", include_str!("../../../../../docs/guide/privacy.md")),
    (
        "quiet-hours",
        include_str!("../../../../../docs/guide/quiet-hours.md"),
    ),
    ("rest-api", include_str!("../../../../../docs/guide/rest-api.md")),
    (
        "scale-out",
        include_str!("../../../../../docs/guide/scale-out.md"),
    ),
    ("signed", include_str!("../../../../../docs/guide/signed.md")),
    ("slack", include_str!("../../../../../docs/guide/slack.md")),
    ("teams", include_str!("../../../../../docs/guide/teams.md")),
    (
        "troubleshooting",
        include_str!("../../../../../docs/guide/troubleshooting.md"),
    ),
];

/// The page with links to the others.
const INDEX: &str = "README";

/// Returns a link to a page of the guide.
pub fn link(name: &str, words: &str) -> Markup {
    html! { a href={ "/admin/guide/" (name) "/" } { (words) } "." }
}

pub async fn index(visitor: Visitor) -> Result<Markup, Error> {
    page(&visitor, INDEX)
}

pub async fn show(visitor: Visitor, Name(name): Name) -> Result<Markup, Error> {
    page(&visitor, &name)
}

fn page(visitor: &Visitor, name: &str) -> Result<Markup, Error> {
    let found = PAGES.iter().find(|(known, _)| *known == name);
    let (_, text) = found.ok_or_else(Error::not_found)?;
    let (title, content) = rendered(text);
    let frame = Frame::new(visitor, Section::Guide, &title);
    let frame = match name {
        INDEX => frame,
        _ => frame.under("/admin/guide/", "Guide"),
    };
    Ok(frame.render(html! { article.guide { (content) } }))
}

/// Returns the title, and the rest of the page as HTML. HTML in the Markdown is left out.
fn rendered(markdown: &str) -> (String, Markup) {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let events: Vec<Event<'_>> = Parser::new_ext(markdown, options).collect();
    let mut page = Page::default();
    for (place, event) in events.iter().enumerate() {
        page.take(event, &events[place..]);
    }
    (page.title, PreEscaped(page.out))
}

#[derive(Default)]
struct Page {
    title: String,
    out: String,
    /// Whether it is within the title, which is shown elsewhere.
    in_title: bool,
    /// Whether it is within an image, which is not shown.
    in_image: bool,
    in_table_head: bool,
    /// The alignments of the table's columns, and the current column.
    alignments: Vec<Alignment>,
    column: usize,
    /// For each open link, whether its target exists here.
    links: Vec<bool>,
}

impl Page {
    /// `rest` begins with the event.
    fn take(&mut self, event: &Event<'_>, rest: &[Event<'_>]) {
        match event {
            Event::Start(Tag::Image { .. }) => self.in_image = true,
            Event::End(TagEnd::Image) => self.in_image = false,
            _ if self.in_image => {}
            Event::Start(Tag::Heading { level, .. }) if *level as usize == 1 => self.in_title = true,
            Event::End(TagEnd::Heading(level)) if *level as usize == 1 => self.in_title = false,
            Event::Text(text) | Event::Code(text) if self.in_title => self.title.push_str(text),
            _ if self.in_title => {}
            Event::Start(tag) => self.start(tag, rest),
            Event::End(tag) => self.end(*tag),
            Event::Text(text) => self.text(text),
            Event::Code(text) => {
                self.raw("<code>");
                self.text(text);
                self.raw("</code>");
            }
            Event::SoftBreak | Event::HardBreak => self.raw("\n"),
            Event::Rule => self.raw("<hr>"),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>, rest: &[Event<'_>]) {
        match tag {
            Tag::Paragraph => self.raw("<p>"),
            Tag::Heading { level, .. } => {
                let id = slug(&words(rest));
                let _ = write!(self.out, "<{level} id=\"");
                self.text(&id);
                self.raw("\">");
            }
            Tag::BlockQuote(_) => self.raw("<blockquote>"),
            Tag::CodeBlock(kind) => {
                let label = match kind {
                    CodeBlockKind::Fenced(info) if info.starts_with("output") => "What it answers",
                    _ => "Example",
                };
                let _ = write!(
                    self.out,
                    "<pre tabindex=\"0\" role=\"group\" aria-label=\"{label}\"><code>"
                );
            }
            Tag::List(None) => self.raw("<ul>"),
            Tag::List(Some(_)) => self.raw("<ol>"),
            Tag::Item => self.raw("<li>"),
            Tag::Table(alignments) => {
                self.alignments.clone_from(alignments);
                self.raw("<div class=\"table\" role=\"group\" aria-label=\"Table\" tabindex=\"0\"><table>");
            }
            Tag::TableHead => {
                self.in_table_head = true;
                self.column = 0;
                self.raw("<thead><tr>");
            }
            Tag::TableRow => {
                self.column = 0;
                self.raw("<tr>");
            }
            Tag::TableCell => {
                let class = match self.alignments.get(self.column) {
                    Some(Alignment::Right) => " class=\"number\"",
                    _ => "",
                };
                self.column += 1;
                let cell = if self.in_table_head {
                    "th scope=\"col\""
                } else {
                    "td"
                };
                let _ = write!(self.out, "<{cell}{class}>");
            }
            Tag::Emphasis => self.raw("<em>"),
            Tag::Strong => self.raw("<strong>"),
            Tag::Strikethrough => self.raw("<del>"),
            Tag::Link { dest_url, .. } => {
                let address = address(dest_url);
                self.links.push(address.is_some());
                if let Some(address) = address {
                    self.raw("<a href=\"");
                    self.text(&address);
                    self.raw("\">");
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph => self.raw("</p>\n"),
            TagEnd::Heading(level) => {
                let _ = writeln!(self.out, "</{level}>");
            }
            TagEnd::BlockQuote(_) => self.raw("</blockquote>\n"),
            TagEnd::CodeBlock => self.raw("</code></pre>\n"),
            TagEnd::List(false) => self.raw("</ul>\n"),
            TagEnd::List(true) => self.raw("</ol>\n"),
            TagEnd::Item => self.raw("</li>\n"),
            TagEnd::Table => self.raw("</tbody></table></div>\n"),
            TagEnd::TableHead => {
                self.in_table_head = false;
                self.raw("</tr></thead><tbody>\n");
            }
            TagEnd::TableRow => self.raw("</tr>\n"),
            TagEnd::TableCell => self.raw(if self.in_table_head { "</th>" } else { "</td>" }),
            TagEnd::Emphasis => self.raw("</em>"),
            TagEnd::Strong => self.raw("</strong>"),
            TagEnd::Strikethrough => self.raw("</del>"),
            TagEnd::Link if self.links.pop() == Some(true) => self.raw("</a>"),
            _ => {}
        }
    }

    fn raw(&mut self, html: &str) {
        self.out.push_str(html);
    }

    fn text(&mut self, text: &str) {
        let _ = Escaper::new(&mut self.out).write_str(text);
    }
}

/// Returns the text of the heading that begins there.
fn words(rest: &[Event<'_>]) -> String {
    let within = rest
        .iter()
        .take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    let texts = within.filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(&**text),
        _ => None,
    });
    texts.collect()
}

/// Returns the anchor of a heading.
fn slug(heading: &str) -> String {
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
        .collect::<String>();
    kept.replace(' ', "-")
}

/// Returns the target of the guide's link here; `None`: the program does not have it.
fn address(link: &str) -> Option<String> {
    if link.starts_with("https://") || link.starts_with('#') {
        return Some(link.to_owned());
    }
    let (file, part) = link.split_once('#').unwrap_or((link, ""));
    let name = file.strip_suffix(".md")?;
    PAGES.iter().find(|(known, _)| *known == name)?;
    let page = if name == INDEX {
        String::new()
    } else {
        format!("{name}/")
    };
    let part = if part.is_empty() {
        String::new()
    } else {
        format!("#{part}")
    };
    Some(format!("/admin/guide/{page}{part}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_page_of_the_guide_is_there() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide");
        let mut names: Vec<String> = std::fs::read_dir(directory)
            .unwrap()
            .filter_map(|entry| {
                Some(
                    entry
                        .unwrap()
                        .file_name()
                        .to_str()?
                        .strip_suffix(".md")?
                        .to_owned(),
                )
            })
            .collect();
        names.sort();
        assert_eq!(PAGES.map(|(name, _)| name.to_owned()).as_slice(), names);
        for (name, text) in PAGES {
            let (title, Markup { 0: html, .. }) = rendered(text);
            assert!(!title.is_empty(), "{name}");
            assert!(!html.contains("<!--") && !html.contains("<picture"), "{name}");
            for tag in ["p", "pre", "ul", "table", "a", "li"] {
                let count = |text: String| html.matches(&text).count();
                let opened = count(format!("<{tag}>")) + count(format!("<{tag} "));
                assert_eq!(opened, count(format!("</{tag}>")), "{tag} in {name}");
            }
        }
    }

    #[test]
    fn links_lead_to_pages_of_the_guide_or_nowhere() {
        let (title, page) = rendered(
            "# A `title`\n\nText <b>x</b> & [one](languages.md#with-words-of-your-own), [two](../reference/events.md), [index](README.md).\n\n\
             ## With words: 1 & `two`\n\n<!-- hidden\n```sql\nSELECT\n```\n-->\n\n![picture](x.png)\n",
        );
        assert_eq!(title, "A title");
        assert_eq!(
            page.0,
            "<p>Text x &amp; <a href=\"/admin/guide/languages/#with-words-of-your-own\">one</a>, two, <a href=\"/admin/guide/\">index</a>.</p>\n\
             <h2 id=\"with-words-1--two\">With words: 1 &amp; <code>two</code></h2>\n<p></p>\n"
        );
    }
}
