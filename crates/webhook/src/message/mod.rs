//! Writes cards as the body of a message, in the endpoint's format.

mod dialect;
mod json;
mod markdown;
mod markup;
mod pack;
mod text;

mod adaptive_card;
mod discord;
mod event_json;
mod google_chat;
mod mattermost;
mod message_card;
mod ntfy;
mod slack;

pub use event_json::{event_json, event_schema};
pub use pack::{MAX_EVENTS, Message};

use crate::appearance::Appearance;
use crate::card::Card;
use crate::kinds::EndpointKind;
use pack::Format;

/// Writes one message of as many of the first cards as fit, at most [`MAX_EVENTS`].
///
/// The first card always fits, because its texts are shortened until it does. The body is empty without cards, and for a receiver of
/// events ([`event_json()`]).
pub fn compose(kind: EndpointKind, cards: &[Card]) -> Message {
    compose_with(kind, cards, &Appearance::default())
}

/// Does the same as [`compose`], with the webhook's appearance, as far as the format supports it.
pub fn compose_with(kind: EndpointKind, cards: &[Card], appearance: &Appearance) -> Message {
    compose_into(kind, cards, appearance, Vec::new())
}

/// Does the same as [`compose_with`], and writes the body into `buffer`, whose content is discarded.
pub fn compose_into(kind: EndpointKind, cards: &[Card], appearance: &Appearance, buffer: Vec<u8>) -> Message {
    match format(kind) {
        Format::Cards(compose) if !cards.is_empty() => compose(cards, appearance, buffer),
        _ => Message {
            body: Vec::new(),
            taken: 0,
        },
    }
}

/// Returns the file that writes the messages of such an endpoint.
const fn format(kind: EndpointKind) -> Format {
    match kind {
        EndpointKind::Discord => discord::FORMAT,
        EndpointKind::TeamsWorkflow => adaptive_card::FORMAT,
        EndpointKind::TeamsConnector => message_card::FORMAT,
        EndpointKind::Slack => slack::FORMAT,
        EndpointKind::GoogleChat => google_chat::FORMAT,
        EndpointKind::Mattermost => mattermost::FORMAT,
        EndpointKind::Ntfy => ntfy::FORMAT,
        EndpointKind::Signed | EndpointKind::Nats => event_json::FORMAT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_events_gets_no_messages() {
        for kind in EndpointKind::ALL {
            let is_event = matches!(format(*kind), Format::Event);
            assert_eq!(is_event, kind.takes_events(), "{}", kind.format());
        }
    }
}
