//! Microsoft Teams: legacy connectors (MessageCard) and Workflows (Adaptive Card).

mod adaptive_card;
pub(crate) mod connector;
mod message_card;
mod shape;
pub(crate) mod workflow;
