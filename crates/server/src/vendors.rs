//! The types of webhooks: what each is called, and what it has a place for. `docs/reference/webhook-types.json` is made of the library's table.

use std::sync::LazyLock;

use serde::Deserialize;

/// One of them.
#[derive(Debug, Deserialize)]
pub struct Vendor {
    /// For programs.
    pub webhook_type: String,
    /// For people.
    pub label: String,
    /// How a mention is written, with backticks around what is written so; none: it mentions nobody.
    pub mention: Option<String>,
    /// What of an integration it has a place for, of what not all have.
    pub settings: Vec<String>,
    /// What its messages can be previewed as.
    pub formats: Vec<Format>,
}

/// A format of messages.
#[derive(Debug, Deserialize)]
pub struct Format {
    pub format: String,
    pub label: String,
}

static ALL: LazyLock<Vec<Vendor>> = LazyLock::new(|| {
    let types = include_str!("../../../docs/reference/webhook-types.json");
    serde_json::from_str(types).unwrap_or_default()
});

/// All of them, in the order of menus.
pub fn all() -> &'static [Vendor] {
    &ALL
}

/// Names for programs and for people.
pub fn choices() -> impl Iterator<Item = (&'static str, &'static str)> {
    all()
        .iter()
        .map(|vendor| (vendor.webhook_type.as_str(), vendor.label.as_str()))
}

/// The types.
pub fn names() -> Vec<&'static str> {
    choices().map(|(name, _)| name).collect()
}

/// The name for people.
pub fn name(webhook_type: &str) -> &str {
    let named = choices().find(|(of, _)| *of == webhook_type);
    named.map_or(webhook_type, |(_, name)| name)
}

/// Whether such integrations have a place for that.
pub fn has(webhook_type: &str, setting: &str) -> bool {
    let vendor = all().iter().find(|vendor| vendor.webhook_type == webhook_type);
    vendor.is_some_and(|vendor| vendor.has(setting))
}

/// The types that have a place for one of them, in one text; none: all have.
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

/// The types in words, as the command line's help has them.
pub fn listed() -> String {
    in_words(names(), "or")
}

/// Those that have a place for it, as they are called in words.
pub fn called_with(setting: &str) -> String {
    let with = all().iter().filter(|vendor| vendor.has(setting));
    in_words(with.map(|vendor| vendor.label.as_str()).collect(), "and")
}

/// How mentions are written, each with its service.
pub fn mentions() -> String {
    let mentions = all().iter().filter_map(|vendor| {
        let mention = vendor.mention.as_ref()?.replace('`', "");
        Some(format!("{mention} ({})", vendor.label))
    });
    mentions.collect::<Vec<_>>().join("; ")
}

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
        assert!(called_with("username").starts_with("Discord and Mattermost"));
        assert!(mentions().starts_with(
            "role:ID or user:ID (Discord); user:ID NAME in a Workflows flow (Microsoft Teams); "
        ));
    }
}
