//! A Discord message: content and embeds.

use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::Value;

use crate::emulator::kind::Kind;
use crate::emulator::store::Received;

/// Discord's bar where an embed has no colour.
const NO_COLOUR: u64 = 0x1e_1f22;

pub(super) fn message(received: &Received) -> Markup {
    let body = &received.body;
    html! {
        @if let Some(content) = body["content"].as_str() { div.content { (marked(content)) } }
        @for embed in list(&body["embeds"]) { (self::embed(embed)) }
    }
}

fn embed(embed: &Value) -> Markup {
    let colour = embed["color"].as_u64().unwrap_or(NO_COLOUR) & 0xff_ffff;
    html! {
        div.embed style={ "border-left-color:#" (format!("{colour:06x}")) } {
            @if let Some(title) = embed["title"].as_str() { div.title { (marked(title)) } }
            @if let Some(text) = embed["description"].as_str() { div.text { (marked(text)) } }
            @let fields = list(&embed["fields"]);
            @if !fields.is_empty() {
                div.fields {
                    @for row in fields.chunk_by(|one, next| inline(one) && inline(next)).flat_map(|run| run.chunks(3)) {
                        div.row {
                            @for field in row {
                                div {
                                    div.name { (marked(text(&field["name"]))) }
                                    div.value { (marked(text(&field["value"]))) }
                                }
                            }
                        }
                    }
                }
            }
            (footer(embed))
        }
    }
}

/// Up to three such fields share a row.
fn inline(field: &Value) -> bool {
    field["inline"] == true
}

fn footer(embed: &Value) -> Markup {
    let time = embed["timestamp"]
        .as_str()
        .and_then(|time| time.parse::<Timestamp>().ok());
    let time = time.map(|time| time.strftime("%d/%m/%Y %H:%M").to_string());
    let parts: Vec<&str> = embed["footer"]["text"]
        .as_str()
        .into_iter()
        .chain(time.as_deref())
        .collect();
    html! { @if !parts.is_empty() { div.footer { (parts.join("  •  ")) } } }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn marked(source: &str) -> Markup {
    super::marked::marked(Kind::Discord, source)
}
