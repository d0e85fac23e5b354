//! CommonMark as Teams reads it, by a CommonMark parser.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Reads CommonMark; panics at any markup but bold. Returns the text and its bold parts.
pub(crate) fn read(raw: &str) -> (String, Vec<String>) {
    let (mut shown, mut bold, mut bold_since) = (String::new(), Vec::new(), None);
    let options = Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES;
    for event in Parser::new_ext(raw, options) {
        match event {
            Event::Text(text) => {
                assert!(!text.contains("**"), "bold marks that are shown in {raw:?}");
                shown.push_str(&text);
            }
            Event::SoftBreak | Event::End(TagEnd::Paragraph) => shown.push('\n'),
            Event::Start(Tag::Strong) => bold_since = Some(shown.len()),
            Event::End(TagEnd::Strong) => bold.push(shown[bold_since.take().expect("a start")..].to_owned()),
            Event::Start(Tag::Paragraph) => {}
            markup => panic!("{markup:?} in {raw:?}"),
        }
    }
    (shown, bold)
}
