//! Who a webhook's messages ping. It comes from who registered the webhook, never from an event: text of rows pings nobody.

use thiserror::Error;

use crate::endpoint::EndpointKind;

/// Ours, where the service says nothing.
pub(crate) const MAX_ID: usize = 256;

/// What a message may hold to ping somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mention {
    /// A role by its id.
    DiscordRole(String),
    /// A user by their id.
    DiscordUser(String),
    /// A user by their object id or principal name in Microsoft Entra, and the name to show.
    TeamsUser { id: String, name: String },
    /// What Slack, Google Chat or Mattermost read as a mention, ready to stand in a text.
    Markup(String),
}

/// Whom messages of a type of webhooks can ping.
pub(crate) struct Mentions {
    /// What is written, with backticks around it.
    pub(crate) syntax: &'static str,
    /// What a wrong text is, as an error says it.
    pub(crate) whom: &'static str,
    /// What to write instead.
    pub(crate) hint: &'static str,
    /// Of what a person wrote, without spaces around it.
    pub(crate) read: fn(&str) -> Option<Mention>,
}

/// Why they can ping nobody.
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

impl Mention {
    /// Of what a person wrote: `role:ID` or `user:ID` for Discord, `user:ID NAME` for a Workflows flow.
    pub fn parse(kind: EndpointKind, text: &str) -> Result<Mention, MentionError> {
        if kind == EndpointKind::TeamsConnector {
            return Err(MentionError::Connector);
        }
        match &kind.webhook_type().facts().mentions {
            Ok(mentions) => (mentions.read)(text.trim()).ok_or_else(|| MentionError::Nobody {
                text: text.to_owned(),
                whom: mentions.whom,
                hint: mentions.hint,
            }),
            Err(Silence { why, hint }) => Err(MentionError::Silent { why, hint }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EndpointKind::{Discord, GoogleChat, Mattermost, Slack, TeamsConnector, TeamsWorkflow};

    #[test]
    fn roles_and_users() {
        let id = "123456789012345678";
        assert_eq!(
            Mention::parse(Discord, " role:123456789012345678 "),
            Ok(Mention::DiscordRole(id.into()))
        );
        assert_eq!(
            Mention::parse(Discord, "user:123456789012345678"),
            Ok(Mention::DiscordUser(id.into()))
        );
        assert_eq!(
            Mention::parse(TeamsWorkflow, "user:ada@contoso.com  Ada Lovelace"),
            Ok(Mention::TeamsUser {
                id: "ada@contoso.com".into(),
                name: "Ada Lovelace".into()
            })
        );
    }

    /// What is written becomes markup of the service, so nothing else may pass.
    #[test]
    fn markup_is_made_of_ids_and_names_alone() {
        for (kind, text, markup) in [
            (Slack, "user:U012AB3CD", "<@U012AB3CD>"),
            (Slack, "user:W9", "<@W9>"),
            (Slack, "group:S012", "<!subteam^S012>"),
            (Slack, "here", "<!here>"),
            (Slack, "channel", "<!channel>"),
            (GoogleChat, "user:1234567890", "<users/1234567890>"),
            (GoogleChat, "user:1", "<users/1>"),
            (GoogleChat, "all", "<users/all>"),
            (Mattermost, "user:ada.lovelace", "@ada.lovelace"),
            (Mattermost, "user:a-d_a9", "@a-d_a9"),
            (Mattermost, "here", "@here"),
            (Mattermost, "channel", "@channel"),
            (Mattermost, "all", "@all"),
        ] {
            assert_eq!(
                Mention::parse(kind, text),
                Ok(Mention::Markup(markup.to_owned())),
                "{kind:?} {text}"
            );
        }
        for kind in [Slack, GoogleChat, Mattermost] {
            let long = format!("user:{}", "1".repeat(MAX_ID + 1));
            for text in [
                "",
                "everyone",
                "user:",
                "group:",
                "user:all>",
                "user:U1> <!channel",
                "user:U 1",
                "user:U1\nx",
                "user:1:2",
                "group:1",
                "here:1",
                "all:x",
                &long,
            ] {
                let error = Mention::parse(kind, text);
                assert!(
                    matches!(error, Err(MentionError::Nobody { .. })),
                    "{kind:?} {text}: {error:?}"
                );
            }
        }
        for text in [
            "user:U",
            "user:S012",
            "group:U012",
            "user:u012",
            "user:X012",
            "all",
        ] {
            assert!(Mention::parse(Slack, text).is_err(), "{text}");
        }
        for text in ["user:12a", "here", "user:+1"] {
            assert!(Mention::parse(GoogleChat, text).is_err(), "{text}");
        }
        for text in ["user:Ada", "user:a b", "user:a@b"] {
            assert!(Mention::parse(Mattermost, text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_mentions_nobody() {
        for text in [
            "",
            "everyone",
            "@everyone",
            "role:",
            "role:123",
            "role:12345678901234567a",
            "role:123456789012345678901",
            "group:123456789012345678",
            "role:123456789012345678> @everyone",
            "role:1234567890123456",
            "<@&123456789012345678>",
        ] {
            assert!(
                matches!(Mention::parse(Discord, text), Err(MentionError::Nobody { .. })),
                "{text}"
            );
        }
        for text in [
            "",
            "user:ada@contoso.com",
            "user: Ada",
            "role:1 Ada",
            "user:a </at><at>all",
            "user:a Ada\u{7}",
            "user:a **Ada**",
            "user:a&b Ada",
        ] {
            assert!(
                matches!(
                    Mention::parse(TeamsWorkflow, text),
                    Err(MentionError::Nobody { .. })
                ),
                "{text}"
            );
        }
        assert_eq!(
            Mention::parse(TeamsConnector, "user:a Ada"),
            Err(MentionError::Connector)
        );
    }
}
