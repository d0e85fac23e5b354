//! The table of the services: what the webhooks of each kind are like stands in its file.

use super::kind::Kind;
use super::service::Service;
use super::teams::{connector, workflow};
use super::{discord, google_chat, mattermost, ntfy, signed, slack};

/// The service whose webhooks are of this kind.
pub(crate) const fn service(kind: Kind) -> &'static Service {
    match kind {
        Kind::Discord => &discord::SERVICE,
        Kind::Connector => &connector::SERVICE,
        Kind::Workflow => &workflow::SERVICE,
        Kind::Slack => &slack::SERVICE,
        Kind::GoogleChat => &google_chat::SERVICE,
        Kind::Mattermost => &mattermost::SERVICE,
        Kind::Ntfy => &ntfy::SERVICE,
        Kind::Signed => &signed::SERVICE,
    }
}
