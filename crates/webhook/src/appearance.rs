//! How a webhook's messages appear: their sender's name and picture, the place in the channel, and the mention.

use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::Deserialize;
use thiserror::Error;
use url::Url;

use crate::mention::Mention;
use crate::thread::ThreadBy;

/// The length of a name in Discord, in characters.
const USERNAME: RangeInclusive<usize> = 1..=80;
/// Discord's limit for URLs.
const MAX_URL: usize = 2048;
const THREAD_NAME: RangeInclusive<usize> = 1..=100;
/// The maximum number of tags of a post in a forum.
const MAX_TAGS: usize = 5;
/// The number of digits of Discord's ids ("snowflakes").
const SNOWFLAKE: RangeInclusive<usize> = 17..=20;

/// The appearance of a webhook's messages. What a service does not support is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Appearance {
    #[serde(skip)]
    pub mention: Option<Mention>,
    /// Discord, Mattermost: the sender's name. Without it, the name that the webhook has there.
    pub username: Option<String>,
    /// Discord, Mattermost: the sender's picture.
    pub avatar_url: Option<String>,
    /// Discord, Google Chat, Mattermost: a line of text above the events, which is what a phone's notification shows.
    pub announce: bool,
    /// Discord's forums: each message is a post of this name.
    pub thread_name: Option<String>,
    /// Discord's forums: ids of the post's tags.
    pub applied_tags: Vec<String>,
    /// Google Chat: events that have this in common are in one thread.
    pub thread_by: Option<ThreadBy>,
    /// Google Chat: the thread of this message.
    #[serde(skip)]
    pub thread: Option<String>,
    /// ntfy: the topic, which the URL has.
    #[serde(skip)]
    pub topic: Option<Arc<str>>,
}

impl Appearance {
    /// Reads the appearance from a webhook's row as JSON, without the mention; it is the default if the row cannot be read.
    pub fn stored(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    /// Sets the installation's name and picture if the webhook has none of its own.
    #[must_use]
    pub fn or(mut self, username: Option<&str>, avatar_url: Option<&str>) -> Self {
        let own = |own: Option<String>, other: Option<&str>| own.or_else(|| other.map(ToOwned::to_owned));
        self.username = own(self.username, username);
        self.avatar_url = own(self.avatar_url, avatar_url);
        self
    }
}

/// Why a part of an appearance cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AppearanceError {
    #[error("Discord does not accept \"{0}\" as a name")]
    Username(String),
    #[error("the URL of a picture must be https and have at most {MAX_URL} characters")]
    Picture,
    #[error("the name of a thread must have 1 to 100 characters")]
    ThreadName,
    #[error("a post has up to {MAX_TAGS} tags, which are given by their ids")]
    Tags,
}

impl AppearanceError {
    /// The HINT: what to write instead.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Username(_) => {
                "It must have 1 to 80 characters and not contain \"discord\" or \"clyde\", such as 'Zentry'."
            }
            Self::Picture => {
                "Name a picture that Discord can read, such as 'https://app.example.com/zentry.png'."
            }
            Self::ThreadName => "For example 'Releases'.",
            Self::Tags => "Copy the id of a tag in Discord's developer mode, such as {123456789012345678}.",
        }
    }
}

/// Checks the name of a sender.
///
/// # Errors
/// If Discord would refuse messages from it.
pub fn check_username(name: &str) -> Result<(), AppearanceError> {
    let lower = name.to_lowercase();
    let fits = USERNAME.contains(&name.trim().chars().count())
        && !name.chars().any(char::is_control)
        && !["discord", "clyde"].iter().any(|word| lower.contains(word))
        && !["everyone", "here"].contains(&lower.trim());
    fits.then_some(())
        .ok_or_else(|| AppearanceError::Username(name.chars().take(*USERNAME.end()).collect()))
}

/// Checks the URL of a picture.
///
/// # Errors
/// If it is not an https URL, or is too long for Discord.
pub fn check_avatar_url(url: &str) -> Result<(), AppearanceError> {
    let is_https = Url::parse(url).is_ok_and(|url| url.scheme() == "https" && url.has_host());
    (is_https && url.chars().count() <= MAX_URL)
        .then_some(())
        .ok_or(AppearanceError::Picture)
}

/// Checks the name of a thread.
///
/// # Errors
/// If a thread cannot have it.
pub fn check_thread_name(name: &str) -> Result<(), AppearanceError> {
    THREAD_NAME
        .contains(&name.trim().chars().count())
        .then_some(())
        .ok_or(AppearanceError::ThreadName)
}

/// Checks ids of tags.
///
/// # Errors
/// If one is not an id, or there are too many.
pub fn check_applied_tags<'a>(tags: impl IntoIterator<Item = &'a str>) -> Result<(), AppearanceError> {
    let (mut count, mut are_ids) = (0, true);
    for tag in tags {
        count += 1;
        are_ids &= SNOWFLAKE.contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_digit());
    }
    (are_ids && count <= MAX_TAGS)
        .then_some(())
        .ok_or(AppearanceError::Tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_goes_before_what_the_installation_says() {
        let stored = r#"{"username": "Ops", "avatar_url": null, "announce": true, "thread_name": null, "applied_tags": ["1"], "thread_by": "task"}"#;
        let appearance = Appearance::stored(stored).or(Some("Zentry"), Some("https://a.example/b"));
        assert_eq!(
            appearance,
            Appearance {
                mention: None,
                username: Some("Ops".into()),
                avatar_url: Some("https://a.example/b".into()),
                announce: true,
                thread_name: None,
                applied_tags: vec!["1".into()],
                thread_by: Some(ThreadBy::Task),
                thread: None,
                topic: None,
            }
        );
    }

    #[test]
    fn names_that_discord_refuses_are_refused() {
        for name in ["Zentry", "Ops 🦀", &"x".repeat(80)] {
            assert_eq!(check_username(name), Ok(()), "{name}");
        }
        for name in [
            "",
            "  ",
            "My Discord bot",
            "CLYDE",
            "everyone",
            "a\nb",
            &"x".repeat(81),
        ] {
            assert!(check_username(name).is_err(), "{name}");
        }
    }

    #[test]
    fn pictures_are_on_the_web_and_tags_are_ids() {
        assert_eq!(check_avatar_url("https://example.com/a.png"), Ok(()));
        for url in [
            "http://example.com/a.png",
            "data:image/png;base64,AA",
            "a.png",
            "",
        ] {
            assert!(check_avatar_url(url).is_err(), "{url}");
        }
        assert_eq!(check_applied_tags(["123456789012345678"; 5]), Ok(()));
        assert!(check_applied_tags(["123456789012345678"; 6]).is_err());
        assert!(check_applied_tags(["urgent"]).is_err());
        assert!(check_thread_name(" ").is_err());
        assert_eq!(check_thread_name("Releases"), Ok(()));
    }
}
