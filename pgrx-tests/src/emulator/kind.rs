//! Whose webhook it is: a name for each service.

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($kind:ident $name:literal $title:literal $webhook_type:literal;)+) => {
        /// Whose webhook it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $($kind,)+
        }

        impl Kind {
            pub const ALL: [Kind; [$(Kind::$kind),+].len()] = [$(Kind::$kind),+];

            /// What listings and the page's styles call it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Kind::$kind => $name,)+
                }
            }

            /// What people call it.
            pub fn title(self) -> &'static str {
                match self {
                    $(Kind::$kind => $title,)+
                }
            }

            /// What is registered.
            pub fn webhook_type(self) -> &'static str {
                match self {
                    $(Kind::$kind => $webhook_type,)+
                }
            }
        }
    };
}

kinds! {
    Discord    "discord"     "Discord"         "discord";
    Connector  "connector"   "Teams connector" "teams";
    Workflow   "workflow"    "Teams workflow"  "teams";
    Slack      "slack"       "Slack"           "slack";
    GoogleChat "google_chat" "Google Chat"     "google_chat";
    Mattermost "mattermost"  "Mattermost"      "mattermost";
    Ntfy       "ntfy"        "ntfy"            "ntfy";
    Signed     "signed"      "A program"       "webhook";
}

impl Kind {
    /// Those that people read: messages of several events, which are drawn.
    pub const CHATS: [Kind; chats()] = {
        let (mut found, mut count, mut at) = ([Kind::Discord; chats()], 0, 0);
        while at < Kind::ALL.len() {
            if Kind::ALL[at].is_chat() {
                found[count] = Kind::ALL[at];
                count += 1;
            }
            at += 1;
        }
        found
    };

    /// Whether people read it: messages, which are drawn.
    const fn is_chat(self) -> bool {
        !matches!(self, Kind::Signed)
    }
}

const fn chats() -> usize {
    let (mut count, mut at) = (0, 0);
    while at < Kind::ALL.len() {
        count += Kind::ALL[at].is_chat() as usize;
        at += 1;
    }
    count
}
