//! The types of webhooks: a line for each. What one is like stands in its files, and everything else asks here.

use std::fmt;
use std::str::FromStr;

use crate::endpoint::Facts;
use crate::message::Format;
use crate::outcome::Judge;

/// Makes both enumerations of the lines. A line has the type's variant, its name, which is that of its file in `endpoint/`, and what people call it; then
/// for each kind of endpoint that such webhooks lead to the variant, the name and what people call it, where in `message/` its messages are written, and
/// where in `outcome/` its answers are judged.
macro_rules! kinds {
    ($(
        $of:ident $name:ident $label:literal
        [$($kind:ident $format:ident $title:literal $($message:ident)::+, $($outcome:ident)::+);+];
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

            /// What people call it.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$of => $label,)+ }
            }

            /// The kinds of endpoints that its webhooks lead to; the first one is what a new webhook gets.
            pub const fn kinds(self) -> &'static [EndpointKind] {
                match self { $(Self::$of => &[$(EndpointKind::$kind),+],)+ }
            }

            pub(crate) const fn facts(self) -> &'static Facts {
                match self { $(Self::$of => &crate::endpoint::$name::FACTS,)+ }
            }
        }

        /// What stands behind a webhook's URL; decides the format of the body and how an answer is read.
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

            /// What people call it.
            pub const fn label(self) -> &'static str {
                match self { $($(Self::$kind => $title,)+)+ }
            }

            /// What leads to it.
            pub const fn webhook_type(self) -> WebhookType {
                match self { $($(Self::$kind => WebhookType::$of,)+)+ }
            }

            pub(crate) const fn messages(self) -> Format {
                match self { $($(Self::$kind => crate::message::$($message)::+,)+)+ }
            }

            pub(crate) const fn judge(self) -> Judge {
                match self { $($(Self::$kind => crate::outcome::$($outcome)::+,)+)+ }
            }
        }
    };
}

kinds! {
    Discord    discord     "Discord"           [Discord discord "Discord" discord::FORMAT, discord::JUDGE];
    Teams      teams       "Microsoft Teams"   [TeamsWorkflow teams_workflow "Teams, by Workflows" adaptive_card::FORMAT, teams::WORKFLOW;
                                                TeamsConnector teams_connector "Teams, by a connector" message_card::FORMAT, teams::CONNECTOR];
    Slack      slack       "Slack"             [Slack slack "Slack" slack::FORMAT, slack::JUDGE];
    GoogleChat google_chat "Google Chat"       [GoogleChat google_chat "Google Chat" google_chat::FORMAT, google_chat::JUDGE];
    Mattermost mattermost  "Mattermost"        [Mattermost mattermost "Mattermost" mattermost::FORMAT, mattermost::JUDGE];
    Ntfy       ntfy        "ntfy"              [Ntfy ntfy "ntfy" ntfy::FORMAT, ntfy::JUDGE];
    Webhook    webhook     "A program, signed" [Signed webhook "A program, signed" event_json::FORMAT, signed::JUDGE];
    Nats       nats        "NATS"              [Nats nats "NATS" event_json::FORMAT, nats::JUDGE];
}

/// What of a webhook only some types have a place for. The names are those of the columns and parameters.
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
    /// What its requests are signed by; one is made where none is given.
    Secret,
    /// Whom the server takes us for. Where it is given is `secret` as well.
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

    /// As it is written in SQL.
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
    /// All names in words.
    pub fn listed() -> String {
        in_words(Self::ALL.iter().map(|of| of.name().to_owned()))
    }

    /// How a URL of it looks.
    pub fn example(self) -> &'static str {
        self.facts().example
    }

    /// Whom its messages can ping, as it is written; None: nobody. What is written as it stands is between backticks.
    pub fn mentions(self) -> Option<&'static str> {
        self.facts()
            .mentions
            .as_ref()
            .ok()
            .map(|mentions| mentions.syntax)
    }

    /// Whether its webhooks have a place for that.
    pub fn has(self, setting: Setting) -> bool {
        self.settings().any(|has| has == setting)
    }

    /// What its webhooks have a place for, of what not all have.
    pub fn settings(self) -> impl Iterator<Item = Setting> {
        let of_messages = [Setting::Digest, Setting::MaxEventsPerMessage];
        let of_messages = of_messages
            .into_iter()
            .filter(move |_| !self.kinds()[0].takes_events());
        let mention = self.mentions().map(|_| Setting::Mention);
        let facts = self.facts().settings.iter().copied();
        mention.into_iter().chain(facts).chain(of_messages)
    }
}

impl EndpointKind {
    /// All formats in words, as a preview names them: a type is the format that its new webhooks get.
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

    /// Of the name of a format, or of a type.
    pub fn of_format(name: &str) -> Option<Self> {
        let named = Self::ALL.iter().copied().find(|kind| kind.format() == name);
        named.or_else(|| Some(name.parse::<WebhookType>().ok()?.kinds()[0]))
    }

    /// Whether it gets events one by one, as they are, and no messages.
    pub fn takes_events(self) -> bool {
        matches!(self.messages(), Format::Event)
    }
}

fn in_words(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => names.concat(),
    }
}

/// The text names no known type of webhook.
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
        assert!(
            listed.starts_with("discord, teams, slack, google_chat, mattermost, ntfy"),
            "{listed}"
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

    #[test]
    fn types_have_a_place_for_what_their_services_know() {
        use Setting::{
            Announce, AppliedTags, AvatarUrl, Credentials, Digest, Headers, MaxEventsPerMessage, Mention,
            Secret, ThreadBy, ThreadName, Username,
        };
        for (of, has) in [
            (
                WebhookType::Discord,
                [Mention, Username, AvatarUrl, Announce, ThreadName, AppliedTags].as_slice(),
            ),
            (WebhookType::Teams, &[Mention]),
            (WebhookType::Slack, &[Mention]),
            (WebhookType::GoogleChat, &[Mention, Announce, ThreadBy]),
            (WebhookType::Mattermost, &[Mention, Username, AvatarUrl, Announce]),
            (WebhookType::Ntfy, &[Headers]),
            (WebhookType::Webhook, &[Headers, Secret]),
            (WebhookType::Nats, &[Credentials]),
        ] {
            let mut expected = has.to_vec();
            if !matches!(of, WebhookType::Webhook | WebhookType::Nats) {
                expected.extend([Digest, MaxEventsPerMessage]);
            }
            assert_eq!(of.settings().collect::<Vec<_>>(), expected, "{of}");
        }
    }

    #[test]
    fn what_a_type_has_is_named_once() {
        for of in WebhookType::ALL {
            let settings: Vec<Setting> = of.settings().collect();
            let once = |setting: &Setting| settings.iter().filter(|other| *other == setting).count() == 1;
            assert!(settings.iter().all(once), "{of}: {settings:?}");
        }
        let everywhere = |setting: &&Setting| WebhookType::ALL.iter().all(|of| of.has(**setting));
        assert_eq!(Setting::ALL.iter().find(everywhere), None);
        let nowhere = |setting: &&Setting| !WebhookType::ALL.iter().any(|of| of.has(**setting));
        assert_eq!(Setting::ALL.iter().find(nowhere), None);
    }
}
