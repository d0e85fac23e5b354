//! The types of webhooks, with their names, settings and formats. They are read from `docs/reference/webhook-types.json`, which a test of
//! `crates/webhook` writes from the table there.

use std::sync::LazyLock;

use serde::Deserialize;

/// A type of webhook.
#[derive(Debug, Deserialize)]
pub struct Vendor {
    /// The name that programs use, such as `google_chat`.
    pub webhook_type: String,
    /// The name that people read, such as `Google Chat`.
    pub label: String,
    /// How a mention is written, with backticks around code; `None` if messages of this type cannot mention anybody.
    pub mention: Option<String>,
    /// The settings of an integration that this type supports, of those that not every type supports.
    pub settings: Vec<String>,
    /// The formats in which its messages can be previewed.
    pub formats: Vec<Format>,
}

/// A format of messages, with the name that programs use and the label that people read.
#[derive(Debug, Deserialize)]
pub struct Format {
    pub format: String,
    pub label: String,
}

static ALL: LazyLock<Vec<Vendor>> = LazyLock::new(|| {
    let types = include_str!("../../../docs/reference/webhook-types.json");
    serde_json::from_str(types).unwrap_or_default()
});

/// Returns all types, in the order of menus.
pub fn all() -> &'static [Vendor] {
    &ALL
}

/// Returns the name and the label of each type, in the order of menus.
pub fn choices() -> impl Iterator<Item = (&'static str, &'static str)> {
    all()
        .iter()
        .map(|vendor| (vendor.webhook_type.as_str(), vendor.label.as_str()))
}

/// Returns the names of all types, such as `google_chat`.
pub fn names() -> Vec<&'static str> {
    choices().map(|(name, _)| name).collect()
}

/// Returns the label of a type, or the given text if there is no such type.
pub fn name(webhook_type: &str) -> &str {
    let named = choices().find(|(of, _)| *of == webhook_type);
    named.map_or(webhook_type, |(_, name)| name)
}

/// Returns whether a type supports a setting; false if there is no such type.
pub fn has(webhook_type: &str, setting: &str) -> bool {
    let vendor = all().iter().find(|vendor| vendor.webhook_type == webhook_type);
    vendor.is_some_and(|vendor| vendor.has(setting))
}

/// Returns the names of the types that support at least one of the settings, separated by spaces; `None` if every type supports all of them.
pub fn with(settings: &[&str]) -> Option<String> {
    let is_special = |setting: &&str| all().iter().any(|vendor| vendor.has(setting));
    if !settings.iter().any(is_special) {
        return None;
    }
    let with = all()
        .iter()
        .filter(|vendor| settings.iter().any(|setting| vendor.has(setting)));
    let with: Vec<&str> = with.map(|vendor| vendor.webhook_type.as_str()).collect();
    Some(with.join(" "))
}

/// Returns the names of all types as a list in words, such as `discord, teams or slack`, for the help of the command line.
pub fn listed() -> String {
    in_words(names(), "or")
}

/// Returns the labels of the types that support a setting as a list in words, such as `Discord and Mattermost`.
pub fn called_with(setting: &str) -> String {
    let with = all().iter().filter(|vendor| vendor.has(setting));
    in_words(with.map(|vendor| vendor.label.as_str()).collect(), "and")
}

/// Returns how mentions are written, each with the label of its type, such as `user:ID (Mattermost)`, separated by semicolons.
pub fn mentions() -> String {
    let mentions = all().iter().filter_map(|vendor| {
        let mention = vendor.mention.as_ref()?.replace('`', "");
        Some(format!("{mention} ({})", vendor.label))
    });
    mentions.collect::<Vec<_>>().join("; ")
}

/// Returns the names separated by commas, with a word, given as `and`, before the last one instead of the comma.
fn in_words(names: Vec<&str>, and: &str) -> String {
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} {and} {last}", others.join(", ")),
        _ => names.concat(),
    }
}

impl Vendor {
    fn has(&self, setting: &str) -> bool {
        self.settings.iter().any(|has| has == setting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        assert!(listed().starts_with("discord, teams, slack, "), "{}", listed());
        assert_eq!(name("google_chat"), "Google Chat");
        assert_eq!(name("pigeon"), "pigeon");
        assert!(has("webhook", "secret") && !has("discord", "secret"));
        assert_eq!(with(&["thread_name"]).as_deref(), Some("discord"));
        assert_eq!(with(&["name"]), None);
        assert_eq!(called_with("username"), "Discord and Mattermost");
        assert_eq!(called_with("avatar_url"), "Discord and Mattermost");
        assert_eq!(called_with("thread_name"), "Discord");
        assert_eq!(called_with("announce"), "Discord, Google Chat and Mattermost");
        assert!(mentions().starts_with(
            "role:ID or user:ID (Discord); user:ID NAME in a Workflows flow (Microsoft Teams); "
        ));
    }
}
