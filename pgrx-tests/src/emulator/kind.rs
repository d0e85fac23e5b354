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
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Discord => "discord",
            Kind::Connector => "connector",
            Kind::Workflow => "workflow",
        }
    }

    pub(crate) fn limits(self) -> Limits {
        let announced = match self {
            Kind::Discord => RateLimit::DISCORD,
            Kind::Connector | Kind::Workflow => RateLimit::TEAMS,
        };
        Limits {
            announced: Some(announced),
            unannounced: None,
        }
    }
}
