//! Mentions: whom a webhook's messages ping. They come from the webhook's settings only; text of events pings nobody.

use thiserror::Error;

/// The maximum length of an id, this project's, for services that document none.
pub(crate) const MAX_ID: usize = 256;

/// A mention in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mention {
    /// A role by its id.
    DiscordRole(String),
    /// A user by their id.
    DiscordUser(String),
    /// A user by their object id or principal name in Microsoft Entra, and the name to show.
    TeamsUser { id: String, name: String },
    /// A mention in the markup of Slack, Google Chat or Mattermost.
    Markup(String),
}

/// Whom messages to a type of webhook can ping.
pub(crate) struct Mentions {
    /// The forms of a mention, in backticks.
    pub(crate) syntax: &'static str,
    /// What a wrong text is, for the error message.
    pub(crate) whom: &'static str,
    /// What to write instead.
    pub(crate) hint: &'static str,
    /// Parses a text, which is trimmed.
    pub(crate) read: fn(&str) -> Option<Mention>,
}

/// Why messages to a type of webhook can ping nobody.
pub(crate) struct Silence {
    pub(crate) why: &'static str,
    pub(crate) hint: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MentionError {
    #[error("\"{text}\" is {whom}")]
    Nobody {
        text: String,
        whom: &'static str,
        hint: &'static str,
    },
    #[error("a connector of Teams can mention nobody")]
    Connector,
    #[error("{why}")]
    Silent { why: &'static str, hint: &'static str },
}

impl MentionError {
    /// What to write instead.
    pub fn hint(&self) -> &'static str {
        match self {
            MentionError::Nobody { hint, .. } | MentionError::Silent { hint, .. } => hint,
            MentionError::Connector => "Mentions need a Workflows flow, or Discord.",
        }
    }
}
