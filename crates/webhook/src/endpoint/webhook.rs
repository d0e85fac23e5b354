//! Programs of the user's own, which check signatures by Standard Webhooks. Any URL may be one's.

use super::Facts;
use crate::kinds::{EndpointKind, Setting};
use crate::mention::Silence;

pub(crate) const FACTS: Facts = Facts {
    example: "https://app.example.com/events",
    whose: "a program's",
    copied: "it is what you call your program by.",
    read: |url, _| Ok((EndpointKind::Signed, url)),
    knows_messages: true,
    mentions: Err(Silence {
        why: "an event that a program gets mentions nobody",
        hint: "What a webhook of this type gets is no message: leave it out.",
    }),
    settings: &[Setting::Headers, Setting::Secret],
    ..Facts::USUAL
};
