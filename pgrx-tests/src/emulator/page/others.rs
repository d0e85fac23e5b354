//! A message of Slack, Google Chat or Mattermost: a bar of colour, a title, a text, fields and small print.

use maud::{Markup, html};

use super::marked::marked;
use crate::emulator::store::Received;

pub(super) fn message(received: &Received) -> Markup {
    let Some(kind) = received.kind else {
        return html! {};
    };
    let above = received.body["text"].as_str().unwrap_or_default();
    html! {
        @if !above.is_empty() { div.line { (marked(kind, above)) } }
        @for event in received.events() {
            div.card.bar style=(format!("border-left-color:#{:06x}", event.colour.unwrap_or(0xc8_c6c4))) {
                div.bolder { (marked(kind, &event.title)) }
                @if !event.text.is_empty() { div.line { (marked(kind, &event.text)) } }
                @if !event.fields.is_empty() {
                    table {
                        @for field in &event.fields {
                            tr { th { (marked(kind, &field.name)) } td { (marked(kind, &field.value)) } }
                        }
                    }
                }
                @if let Some(footer) = &event.footer { div.line.small.subtle { (marked(kind, footer)) } }
            }
        }
    }
}
