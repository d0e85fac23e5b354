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
            Event::SoftBreak | Event::HardBreak | Event::End(TagEnd::Paragraph) => shown.push('\n'),
            Event::Start(Tag::Strong) => bold_since = Some(shown.len()),
            Event::End(TagEnd::Strong) => bold.push(shown[bold_since.take().expect("a start")..].to_owned()),
            Event::Start(Tag::Paragraph) => {}
            markup => panic!("{markup:?} in {raw:?}"),
        }
    }
    (shown, bold)
}

/// The part of it that an Adaptive Card has on the desktop: no code.
pub(crate) fn read_subset(raw: &str) -> (String, Vec<String>) {
    assert!(!raw.contains("~~"), "struck out in {raw:?}");
    // Stands for the mark of code, as punctuation that means nothing; that of a single tilde is not in the subset either.
    let plain = raw.replace('`', "\u{2016}").replace('~', "\u{2053}");
    let original = |shown: String| shown.replace('\u{2016}', "`").replace('\u{2053}', "~");
    let (shown, bold) = read(&plain);
    (original(shown), bold.into_iter().map(original).collect())
}
