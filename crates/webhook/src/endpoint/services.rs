//! The services: which file has the properties of a type of webhook, and what is read from them.

use url::{Host, Url};

use super::facts::Facts;
use super::vendor::Vendor;
use super::{discord, google_chat, mattermost, nats, ntfy, slack, teams, webhook};
use crate::kinds::{EndpointKind, Setting, WebhookType};
use crate::mention::{Mention, MentionError, Silence};
use crate::rate::Rate;

impl WebhookType {
    pub(super) const fn facts(self) -> &'static Facts {
        match self {
            Self::Discord => &discord::FACTS,
            Self::Teams => &teams::FACTS,
            Self::Slack => &slack::FACTS,
            Self::GoogleChat => &google_chat::FACTS,
            Self::Mattermost => &mattermost::FACTS,
            Self::Ntfy => &ntfy::FACTS,
            Self::Webhook => &webhook::FACTS,
            Self::Nats => &nats::FACTS,
        }
    }

    /// The form of its URLs.
    pub fn example(self) -> &'static str {
        self.facts().form.example
    }

    /// The forms of a mention, in backticks; `None`: its messages can ping nobody.
    pub fn mentions(self) -> Option<&'static str> {
        self.facts()
            .mentions
            .as_ref()
            .ok()
            .map(|mentions| mentions.syntax)
    }

    /// Whether its webhooks have this setting.
    pub fn has(self, setting: Setting) -> bool {
        self.settings().any(|has| has == setting)
    }

    /// The settings that its webhooks have, of those that not all types have.
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

/// Returns whose servers the host is one of.
pub(super) fn vendor(url: &Url) -> Vendor {
    let Some(Host::Domain(host)) = url.host() else {
        return Vendor::Other;
    };
    let of = WebhookType::ALL.iter().find(|of| (of.facts().is_vendors)(host));
    of.map_or(Vendor::Other, |of| Vendor::Of(*of))
}

impl Vendor {
    /// The rate at which its servers accept requests; `None`: no limit is known, or a setting has it.
    pub(crate) fn rate(self) -> Option<Rate> {
        match self {
            Self::Of(of) => of.facts().rate,
            Self::Other => None,
        }
    }
}

/// Parses a mention, such as `role:ID` or `user:ID` for Discord, `user:ID NAME` for a Workflows flow.
///
/// # Errors
/// When the text is not a mention of that service, or the service has none.
pub fn parse_mention(kind: EndpointKind, text: &str) -> Result<Mention, MentionError> {
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
