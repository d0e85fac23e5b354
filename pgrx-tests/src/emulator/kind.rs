//! Whose webhook it is: the table of the services, a line for each. What one is like stands in its file.

use std::time::Duration;

use fastrand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::event::{Event, Outline};
use super::markup::Span;
use super::pace::{Limits, RateLimit};
use super::registry::{Address, Hook};
use super::reply::{Call, Judged, Reply};
use super::teams::{connector, workflow};
use super::{discord, google_chat, mattermost, ntfy, signed, slack};

macro_rules! services {
    ($($kind:ident $service:path;)+) => {
        /// Whose webhook it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $($kind,)+
        }

        impl Kind {
            pub const ALL: [Kind; [$(Kind::$kind),+].len()] = [$(Kind::$kind),+];

            pub(crate) const fn service(self) -> &'static Service {
                match self {
                    $(Kind::$kind => &$service,)+
                }
            }
        }
    };
}

services! {
    Discord    discord::SERVICE;
    Connector  connector::SERVICE;
    Workflow   workflow::SERVICE;
    Slack      slack::SERVICE;
    GoogleChat google_chat::SERVICE;
    Mattermost mattermost::SERVICE;
    Ntfy       ntfy::SERVICE;
    Signed     signed::SERVICE;
}

/// What a service is like.
pub(crate) struct Service {
    /// What listings and the page's styles call it.
    pub(crate) name: &'static str,
    /// What people call it.
    pub(crate) title: &'static str,
    /// What is registered.
    pub(crate) webhook_type: &'static str,
    /// Whether people read it: messages, which are drawn.
    pub(crate) is_chat: bool,
    pub(crate) announced: Option<RateLimit>,
    /// Where a new webhook is found.
    pub(crate) address: fn(&mut Rng) -> Address,
    /// Of one that is found by its path alone.
    pub(crate) by_path: Option<ByPath>,
    /// Its answer to who is too fast.
    pub(crate) rate_limited: fn(Duration) -> Reply,
    /// Its body with a status.
    pub(crate) plain: fn(u16) -> Reply,
    /// Its answer to a good message, without its content.
    pub(crate) success: fn() -> Reply,
    pub(crate) events: fn(&Value) -> Vec<Event>,
    /// How many events there are.
    pub(crate) count: fn(&Outline<'_>) -> usize,
    /// Its markup, as a reader sees it.
    pub(crate) spans: fn(&str) -> Vec<Span>,
    /// Whether its readers see what a footer has for markup.
    pub(crate) plain_footer: bool,
}

/// Which paths are its, and what it does with a request.
pub(crate) struct ByPath {
    pub(crate) owns: fn(&str) -> bool,
    /// The path of the webhook, where the body says which of all that post to the same one it is.
    pub(crate) key: Option<fn(&Value) -> Option<String>>,
    /// What of the path is no secret.
    pub(crate) shown: fn(&str) -> String,
    pub(crate) judge: fn(Call<'_>, Option<&Hook>) -> Judged,
}

impl ByPath {
    /// All of it is secret but for its first part.
    pub(crate) fn first_part(path: &str) -> String {
        format!("/{}/…", path.split('/').nth(1).unwrap_or_default())
    }
}

impl Kind {
    /// Those that people read: messages of several events, which are drawn.
    pub const CHATS: [Kind; chats()] = {
        let (mut found, mut count, mut at) = ([Kind::Discord; chats()], 0, 0);
        while at < Kind::ALL.len() {
            if Kind::ALL[at].service().is_chat {
                found[count] = Kind::ALL[at];
                count += 1;
            }
            at += 1;
        }
        found
    };

    /// What is registered.
    pub fn webhook_type(self) -> &'static str {
        self.service().webhook_type
    }

    /// What people call it.
    pub fn title(self) -> &'static str {
        self.service().title
    }

    pub fn name(self) -> &'static str {
        self.service().name
    }

    pub(crate) fn limits(self) -> Limits {
        Limits {
            announced: self.service().announced,
            unannounced: None,
        }
    }
}

const fn chats() -> usize {
    let (mut count, mut at) = (0, 0);
    while at < Kind::ALL.len() {
        count += Kind::ALL[at].service().is_chat as usize;
        at += 1;
    }
    count
}
