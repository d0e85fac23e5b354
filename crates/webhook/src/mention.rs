//! Who a webhook's messages ping. It comes from who registered the webhook, never from an event: text of rows pings nobody.

use std::ops::RangeInclusive;

use thiserror::Error;

use crate::endpoint::EndpointKind;

/// Digits of Discord's ids ("snowflakes").
const SNOWFLAKE: RangeInclusive<usize> = 17..=20;
/// Ours: a user's principal name has at most 113 characters, an object id 36.
const MAX_ID: usize = 256;
const MAX_NAME: usize = 128;

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

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MentionError {
    #[error("\"{0}\" is no role or user of Discord")]
    NotDiscord(String),
    #[error("\"{0}\" is no user of Teams")]
    NotTeams(String),
    #[error("\"{0}\" is nobody of Slack")]
    NotSlack(String),
    #[error("\"{0}\" is nobody of Google Chat")]
    NotGoogleChat(String),
    #[error("\"{0}\" is nobody of Mattermost")]
    NotMattermost(String),
    #[error("a connector of Teams can mention nobody")]
    Connector,
    #[error("an event that a program gets mentions nobody")]
    Signed,
}

impl MentionError {
    /// What to write instead.
    pub fn hint(&self) -> &'static str {
        match self {
            MentionError::NotDiscord(_) => {
                "role:ID or user:ID, with the id that \"Copy ID\" of Discord's developer mode gives."
            }
            MentionError::NotTeams(_) => {
                "user:ID NAME, with the user's principal name or object id, such as user:ada@contoso.com Ada Lovelace."
            }
            MentionError::NotSlack(_) => {
                "user:ID or group:ID, with the id that \"Copy member ID\" of a profile gives, such as user:U012AB3CD; or here, or channel."
            }
            MentionError::NotGoogleChat(_) => {
                "user:ID, with the number of a user of Google Workspace; or all."
            }
            MentionError::NotMattermost(_) => {
                "user:NAME, such as user:ada.lovelace; or here, channel or all."
            }
            MentionError::Signed => "What a webhook of this type gets is no message: leave it out.",
            MentionError::Connector => "Mentions need a Workflows flow, or Discord.",
        }
    }
}

impl Mention {
    /// Of what a person wrote: `role:ID` or `user:ID` for Discord, `user:ID NAME` for a Workflows flow.
    pub fn parse(kind: EndpointKind, text: &str) -> Result<Mention, MentionError> {
        match kind {
            EndpointKind::Discord => {
                discord(text.trim()).ok_or_else(|| MentionError::NotDiscord(text.to_owned()))
            }
            EndpointKind::TeamsWorkflow => {
                teams(text.trim()).ok_or_else(|| MentionError::NotTeams(text.to_owned()))
            }
            EndpointKind::TeamsConnector => Err(MentionError::Connector),
            EndpointKind::Signed => Err(MentionError::Signed),
            EndpointKind::Slack => markup(slack(text.trim()), || MentionError::NotSlack(text.to_owned())),
            EndpointKind::GoogleChat => markup(google_chat(text.trim()), || {
                MentionError::NotGoogleChat(text.to_owned())
            }),
            EndpointKind::Mattermost => markup(mattermost(text.trim()), || {
                MentionError::NotMattermost(text.to_owned())
            }),
        }
    }
}

fn markup(markup: Option<String>, error: impl FnOnce() -> MentionError) -> Result<Mention, MentionError> {
    markup.map(Mention::Markup).ok_or_else(error)
}

/// Slack's ids of members begin with U or W, those of groups with S.
fn slack(text: &str) -> Option<String> {
    let is_id = |id: &str, first: &[u8]| {
        let bytes = id.as_bytes();
        (2..=MAX_ID).contains(&bytes.len())
            && first.contains(&bytes[0])
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    match text.split_once(':') {
        Some(("user", id)) if is_id(id, b"UW") => Some(format!("<@{id}>")),
        Some(("group", id)) if is_id(id, b"S") => Some(format!("<!subteam^{id}>")),
        None if matches!(text, "here" | "channel") => Some(format!("<!{text}>")),
        _ => None,
    }
}

fn google_chat(text: &str) -> Option<String> {
    match text.split_once(':') {
        Some(("user", id)) if is_number(id) => Some(format!("<users/{id}>")),
        None if text == "all" => Some("<users/all>".to_owned()),
        _ => None,
    }
}

fn is_number(id: &str) -> bool {
    (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// Mattermost's user names: 3 to 22 characters in former versions, up to 64 now.
fn mattermost(text: &str) -> Option<String> {
    let is_name = |name: &str| {
        (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte))
    };
    match text.split_once(':') {
        Some(("user", name)) if is_name(name) => Some(format!("@{name}")),
        None if matches!(text, "here" | "channel" | "all") => Some(format!("@{text}")),
        _ => None,
    }
}

fn discord(text: &str) -> Option<Mention> {
    let (what, id) = text.split_once(':')?;
    if !SNOWFLAKE.contains(&id.len()) || !id.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    match what {
        "role" => Some(Mention::DiscordRole(id.to_owned())),
        "user" => Some(Mention::DiscordUser(id.to_owned())),
        _ => None,
    }
}

/// What has a meaning in the markup of a mention can't be in its name.
fn teams(text: &str) -> Option<Mention> {
    let (id, name) = text.strip_prefix("user:")?.split_once(char::is_whitespace)?;
    let name = name.trim();
    let fits = (1..=MAX_ID).contains(&id.chars().count()) && (1..=MAX_NAME).contains(&name.chars().count());
    let plain = !text.contains(|c: char| c.is_control() || "<>&*_[]`\\{}".contains(c));
    (fits && plain).then(|| Mention::TeamsUser {
        id: id.to_owned(),
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use EndpointKind::{Discord, TeamsConnector, TeamsWorkflow};

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
            "<@&123456789012345678>",
        ] {
            assert!(
                matches!(Mention::parse(Discord, text), Err(MentionError::NotDiscord(_))),
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
                    Err(MentionError::NotTeams(_))
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
