//! Cards to the body of a message, in the format that the endpoint takes.

mod dialect;
mod markdown;
mod markup;
mod text;

pub(crate) mod adaptive_card;
pub(crate) mod discord;
pub(crate) mod event_json;
pub(crate) mod google_chat;
pub(crate) mod mattermost;
pub(crate) mod message_card;
pub(crate) mod ntfy;
pub(crate) mod slack;

pub use event_json::{event_json, event_schema};

use serde::Serialize;

use crate::appearance::Appearance;
use crate::card::Card;
use crate::endpoint::EndpointKind;

/// Events in one message: Discord's limit of embeds and the connectors' of sections.
pub const MAX_EVENTS: usize = 10;

/// How far a card is cut down: every limit of its parts is halved that many times.
type Shrink = u32;

/// With every limit halved that often, a card of any content fits into any format.
const MAX_SHRINK: Shrink = 6;

/// Fields in a card: Discord's limit.
const MAX_FIELDS: usize = 25;

/// The body of a request, JSON in UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub body: Vec<u8>,
    /// How many of the cards are in it: the first ones, and at least one.
    pub taken: usize,
}

/// How the bodies of an endpoint are written.
#[derive(Clone, Copy)]
pub(crate) enum Format {
    /// As messages of the first cards that fit; there is one.
    Cards(fn(&[Card], &Appearance, Vec<u8>) -> Message),
    /// It takes no messages, but events ([`event_json()`]).
    Event,
}

/// Writes one message of as many of the first cards as fit, at most [`MAX_EVENTS`].
///
/// The first card always fits, because its texts are shortened until it does. No cards give no body, and neither does a receiver that takes
/// events ([`event_json()`]).
pub fn compose(kind: EndpointKind, cards: &[Card]) -> Message {
    compose_with(kind, cards, &Appearance::default())
}

/// As [`compose`], and looks as the webhook's messages do, as far as the format can.
pub fn compose_with(kind: EndpointKind, cards: &[Card], appearance: &Appearance) -> Message {
    compose_into(kind, cards, appearance, Vec::new())
}

/// As [`compose_with`]; the body is written into `buffer`, whatever was in it.
pub fn compose_into(kind: EndpointKind, cards: &[Card], appearance: &Appearance, buffer: Vec<u8>) -> Message {
    match kind.messages() {
        Format::Cards(compose) if !cards.is_empty() => compose(cards, appearance, buffer),
        _ => Message {
            body: Vec::new(),
            taken: 0,
        },
    }
}

/// A format that is a list of cards: what stands before, in and after it.
trait Layout {
    /// What a message may weigh, in the format's unit.
    const CAPACITY: usize;

    /// Writes what stands before the first card, and returns what the mention weighs. What the format can't have is
    /// left out.
    fn open(appearance: &Appearance, out: &mut Vec<u8>) -> usize;

    /// Writes the last of `cards` and returns its weight.
    fn write(cards: &[Card], shrink: Shrink, out: &mut Vec<u8>) -> usize;

    /// Writes what stands after the last of `cards`, which are not empty.
    fn close(cards: &[Card], appearance: &Appearance, out: &mut Vec<u8>);
}

fn pack<L: Layout>(cards: &[Card], appearance: &Appearance, mut body: Vec<u8>) -> Message {
    body.clear();
    body.reserve(1024 * cards.len().min(MAX_EVENTS));
    let capacity = L::CAPACITY - L::open(appearance, &mut body);
    let start = body.len();
    let mut weight = L::write(&cards[..1], 0, &mut body);
    let mut shrink = 0;
    while weight > capacity && shrink < MAX_SHRINK {
        shrink += 1;
        body.truncate(start);
        weight = L::write(&cards[..1], shrink, &mut body);
    }
    let mut taken = 1;
    while taken < cards.len().min(MAX_EVENTS) {
        let end = body.len();
        body.push(b',');
        weight += L::write(&cards[..=taken], 0, &mut body);
        if weight > capacity {
            body.truncate(end);
            break;
        }
        taken += 1;
    }
    L::close(&cards[..taken], appearance, &mut body);
    Message { body, taken }
}

/// What a phone's notification says of the cards; no markup.
fn summary(cards: &[Card], limit: usize) -> String {
    let first = &cards[0];
    let mut summary = text::heading(first);
    if !first.text.is_empty() {
        summary.push_str(": ");
        summary.push_str(first.text.as_str());
    }
    text::with_others(&summary, cards.len() - 1, first.language, limit)
}

/// Writes a member of an object that has some already.
fn write_member(name: &str, value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    out.push(b',');
    write_json(name, out);
    out.push(b':');
    write_json(value, out);
}

/// What of a card's JSON counts: Teams quotes the whole once more, as a string, in which each quote and backslash takes a byte more.
fn quoted_length(json: &[u8]) -> usize {
    let escaped = json.iter().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    json.len() + escaped
}

/// Appends `value` as JSON.
fn write_json(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    // Our own structs have string keys and a vector takes every byte, so neither kind of error can happen.
    let _ = serde_json::to_writer(out, value);
}
