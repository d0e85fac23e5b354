//! Programs of the user's own, which check signatures by Standard Webhooks. They may have any URL.

use super::error::UrlForm;
use super::facts::Facts;
use crate::kinds::{EndpointKind, Setting};
use crate::mention::Silence;

const FORM: UrlForm = UrlForm {
    example: "https://app.example.com/events",
    whose: "a program's",
    copied: "it is what you call your program by.",
};

pub(super) const FACTS: Facts = Facts {
    form: &FORM,
    read: |url, _| Ok((EndpointKind::Signed, url)),
    knows_messages: true,
    mentions: Err(Silence {
        why: "an event that a program gets mentions nobody",
        hint: "Leave it out: a webhook of this type gets events, not messages.",
    }),
    settings: &[Setting::Headers, Setting::Secret],
    ..Facts::USUAL
};
