//! Whose webhook it is.

use serde::{Deserialize, Serialize};

use super::pace::{Limits, RateLimit};

/// Whose webhook it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Discord,
    /// A legacy Teams connector.
    Connector,
    /// A Teams Workflows trigger.
    Workflow,
    Slack,
    GoogleChat,
    Mattermost,
    /// A program that checks signatures.
    Signed,
}

impl Kind {
    pub const ALL: [Kind; 7] = [
        Kind::Discord,
        Kind::Connector,
        Kind::Workflow,
        Kind::Slack,
        Kind::GoogleChat,
        Kind::Mattermost,
        Kind::Signed,
    ];

    /// Those that people read: messages of several events, which are drawn.
    pub const CHATS: [Kind; 6] = [
        Kind::Discord,
        Kind::Connector,
        Kind::Workflow,
        Kind::Slack,
        Kind::GoogleChat,
        Kind::Mattermost,
    ];

    /// What is registered.
    pub fn webhook_type(self) -> &'static str {
        match self {
            Kind::Discord => "discord",
            Kind::Connector | Kind::Workflow => "teams",
            Kind::Slack => "slack",
            Kind::GoogleChat => "google_chat",
            Kind::Mattermost => "mattermost",
            Kind::Signed => "webhook",
        }
    }

    /// What people call it.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Discord => "Discord",
            Kind::Connector => "Teams connector",
            Kind::Workflow => "Teams workflow",
            Kind::Slack => "Slack",
            Kind::GoogleChat => "Google Chat",
            Kind::Mattermost => "Mattermost",
            Kind::Signed => "A program",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::Discord => "discord",
            Kind::Connector => "connector",
            Kind::Workflow => "workflow",
            Kind::Slack => "slack",
            Kind::GoogleChat => "google_chat",
            Kind::Mattermost => "mattermost",
            Kind::Signed => "signed",
        }
    }

    pub(crate) fn limits(self) -> Limits {
        let announced = match self {
            Kind::Discord => Some(RateLimit::DISCORD),
            Kind::Connector | Kind::Workflow => Some(RateLimit::TEAMS),
            Kind::Slack | Kind::GoogleChat => Some(RateLimit::ONE_A_SECOND),
            Kind::Mattermost | Kind::Signed => None,
        };
        Limits {
            announced,
            unannounced: None,
        }
    }
}
