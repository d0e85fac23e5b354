//! Text with markup.

use maud::{Markup, html};

use crate::emulator::kind::Kind;
use crate::emulator::shown::spans;

/// Marked-up text; everything that is not markup is escaped.
pub(super) fn marked(kind: Kind, source: &str) -> Markup {
    html! {
        @for span in spans(kind, source) {
            @if span.bold { strong { (span.text) } } @else { (span.text) }
        }
    }
}
