//! Microsoft Teams: legacy connectors (MessageCard) and Workflows (Adaptive Card).

mod adaptive_card;
pub(crate) mod connector;
mod message_card;
pub(crate) mod workflow;

/// The bytes that Teams counts: the card becomes a string of its own message, with each quote and backslash escaped once more.
fn quoted_length(body: &[u8]) -> usize {
    body.len() + body.iter().filter(|byte| matches!(byte, b'"' | b'\\')).count()
}
