//! The types of webhooks, one line for each. All other code uses this list.

use std::fmt;
use std::str::FromStr;

/// Makes both enumerations from the lines. A line has the type's variant, its name, which is also that of its file in `endpoint/`, and its label; then
/// for each kind of endpoint of such webhooks the variant, the name of the format, and the label.
macro_rules! kinds {
    ($(
        $of:ident $name:ident $label:literal
        [$($kind:ident $format:ident $title:literal);+];
    )+) => {
        /// The `webhook_type` that a user registers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum WebhookType {
            $(#[doc = $label] $of,)+
        }

        impl WebhookType {
            /// All of them, in the order of menus.
            pub const ALL: &'static [Self] = &[$(Self::$of),+];

            /// The name that users write.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$of => stringify!($name),)+ }
            }

            /// What people call the type.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$of => $label,)+ }
            }

            /// The kinds of endpoints of its webhooks; the first one is that of new webhooks.
            pub const fn kinds(self) -> &'static [EndpointKind] {
                match self { $(Self::$of => &[$(EndpointKind::$kind),+],)+ }
            }
        }

        /// The kind of a webhook's endpoint, which determines the format of messages and how answers are interpreted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EndpointKind {
            $($(#[doc = $title] $kind,)+)+
        }

        impl EndpointKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$($(Self::$kind),+),+];

            /// The name of its format.
            pub const fn format(self) -> &'static str {
                match self { $($(Self::$kind => stringify!($format),)+)+ }
            }

            /// What people call the kind.
            pub const fn label(self) -> &'static str {
                match self { $($(Self::$kind => $title,)+)+ }
            }

            /// The type of webhooks with this kind of endpoint.
            pub const fn webhook_type(self) -> WebhookType {
                match self { $($(Self::$kind => WebhookType::$of,)+)+ }
            }
        }
    };
}

kinds! {
    Discord    discord     "Discord"           [Discord discord "Discord"];
    Teams      teams       "Microsoft Teams"   [TeamsWorkflow teams_workflow "Teams, by Workflows";
                                                TeamsConnector teams_connector "Teams, by a connector"];
    Slack      slack       "Slack"             [Slack slack "Slack"];
    GoogleChat google_chat "Google Chat"       [GoogleChat google_chat "Google Chat"];
    Mattermost mattermost  "Mattermost"        [Mattermost mattermost "Mattermost"];
    Ntfy       ntfy        "ntfy"              [Ntfy ntfy "ntfy"];
    Webhook    webhook     "A program, signed" [Signed webhook "A program, signed"];
    Nats       nats        "NATS"              [Nats nats "NATS"];
}

/// The settings that only some types of webhooks have. Their names are those of the columns and parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    Mention,
    Username,
    AvatarUrl,
    Announce,
    ThreadName,
    AppliedTags,
    ThreadBy,
    Digest,
    MaxEventsPerMessage,
    Headers,
    /// The secret that requests are signed by; one is generated if none is given.
    Secret,
    /// Credentials for the server. The parameter is `secret` as well.
    Credentials,
}

impl Setting {
    pub const ALL: &'static [Self] = &[
        Self::Mention,
        Self::Username,
        Self::AvatarUrl,
        Self::Announce,
        Self::ThreadName,
        Self::AppliedTags,
        Self::ThreadBy,
        Self::Digest,
        Self::MaxEventsPerMessage,
        Self::Headers,
        Self::Secret,
        Self::Credentials,
    ];

    /// The name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mention => "mention",
            Self::Username => "username",
            Self::AvatarUrl => "avatar_url",
            Self::Announce => "announce",
            Self::ThreadName => "thread_name",
            Self::AppliedTags => "applied_tags",
            Self::ThreadBy => "thread_by",
            Self::Digest => "digest",
            Self::MaxEventsPerMessage => "max_events_per_message",
            Self::Headers => "headers",
            Self::Secret => "secret",
            Self::Credentials => "credentials",
        }
    }
}

impl WebhookType {
    /// Lists all names, for a message.
    pub fn listed() -> String {
        in_words(Self::ALL.iter().map(|of| of.name().to_owned()))
    }
}

impl EndpointKind {
    /// Lists all formats that a preview accepts, for a message. (A type stands for the format of its new webhooks.)
    pub fn listed() -> String {
        in_words(WebhookType::ALL.iter().flat_map(|of| {
            let (first, others) = (of.kinds()[0], &of.kinds()[1..]);
            let first = match of.name() == of.label().to_lowercase().replace(' ', "_") {
                true => of.name().to_owned(),
                false => format!("{} ({})", of.name(), first.label()),
            };
            let others = others
                .iter()
                .map(|kind| format!("{} ({})", kind.format(), kind.label()));
            std::iter::once(first).chain(others)
        }))
    }

    /// Returns the kind for the name of a format, or of a type.
    pub fn of_format(name: &str) -> Option<Self> {
        let named = Self::ALL.iter().copied().find(|kind| kind.format() == name);
        named.or_else(|| Some(name.parse::<WebhookType>().ok()?.kinds()[0]))
    }

    /// Whether it gets events, one by one, and not messages.
    pub fn takes_events(self) -> bool {
        matches!(self, Self::Signed | Self::Nats)
    }
}

/// Lists several names: `a, b and c`.
fn in_words(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    names.split_last().map_or_else(String::new, |(last, others)| {
        format!("{} and {last}", others.join(", "))
    })
}

/// The error for a text that is not a type of webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown webhook type: the types are {}", WebhookType::listed())]
pub struct UnknownWebhookType;

impl FromStr for WebhookType {
    type Err = UnknownWebhookType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.iter().copied().find(|of| of.name() == text);
        named.ok_or(UnknownWebhookType)
    }
}

impl fmt::Display for WebhookType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_listed() {
        for of in WebhookType::ALL {
            assert_eq!(of.name().parse(), Ok(*of));
            assert_eq!(EndpointKind::of_format(of.name()), Some(of.kinds()[0]));
        }
        for kind in EndpointKind::ALL {
            assert_eq!(EndpointKind::of_format(kind.format()), Some(*kind));
            assert!(kind.webhook_type().kinds().contains(kind));
        }
        assert_eq!(EndpointKind::of_format("pigeon"), None);
        let listed = WebhookType::listed();
        assert_eq!(
            listed,
            "discord, teams, slack, google_chat, mattermost, ntfy, webhook and nats"
        );
        let error = "pigeon"
            .parse::<WebhookType>()
            .err()
            .map(|error| error.to_string());
        assert_eq!(
            error,
            Some(format!("unknown webhook type: the types are {listed}"))
        );
        let formats = EndpointKind::listed();
        let teams = "discord, teams (Teams, by Workflows), teams_connector (Teams, by a connector), slack, google_chat, mattermost";
        assert!(formats.starts_with(teams), "{formats}");
        assert!(formats.contains("webhook (A program, signed)"), "{formats}");
    }

    /// What `zentry_webhook_types` tells is what its functions take.
    #[test]
    fn settings_are_called_as_parameters_are() {
        let names: Vec<&str> = Setting::ALL.iter().map(|setting| setting.name()).collect();
        let as_in_sql = [
            "mention",
            "username",
            "avatar_url",
            "announce",
            "thread_name",
            "applied_tags",
            "thread_by",
            "digest",
            "max_events_per_message",
            "headers",
            "secret",
            "credentials",
        ];
        assert_eq!(names, as_in_sql);
    }
}
