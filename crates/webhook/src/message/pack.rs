//! Packs cards into messages.

use crate::appearance::Appearance;
use crate::card::Card;

/// The maximum number of events in one message: Discord's limit of embeds, and the connectors' of sections.
pub const MAX_EVENTS: usize = 10;

/// How often the limits of a card's parts are halved, to make it smaller.
pub(super) type Shrink = u32;

/// The maximum [`Shrink`]: with it, a card of any content fits into any format.
pub(super) const MAX_SHRINK: Shrink = 6;

/// The maximum number of fields in a card: Discord's limit.
pub(super) const MAX_FIELDS: usize = 25;

/// The body of a request, JSON in UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub body: Vec<u8>,
    /// The number of cards in it: the first ones, at least one.
    pub taken: usize,
}

/// How the bodies of an endpoint's requests are written.
#[derive(Clone, Copy)]
pub(crate) enum Format {
    /// As messages of the first cards that fit, of which there is at least one.
    Cards(fn(&[Card], &Appearance, Vec<u8>) -> Message),
    /// As events, one for each request ([`event_json()`](super::event_json())).
    Event,
}

/// A format whose messages are a list of cards, with something before and after it.
pub(super) trait Layout {
    /// The maximum weight of a message, in the format's unit.
    const CAPACITY: usize;

    /// Writes what comes before the first card, and returns the weight of the mention. What the format does not support is
    /// left out.
    fn open(appearance: &Appearance, out: &mut Vec<u8>) -> usize;

    /// Writes the last of `cards` and returns its weight.
    fn write(cards: &[Card], shrink: Shrink, out: &mut Vec<u8>) -> usize;

    /// Writes what comes after the last of `cards`, of which there is at least one.
    fn close(cards: &[Card], appearance: &Appearance, out: &mut Vec<u8>);
}

/// Writes one message of as many of the first cards as fit; the first one is made smaller until it does.
pub(super) fn compose<L: Layout>(cards: &[Card], appearance: &Appearance, mut body: Vec<u8>) -> Message {
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
