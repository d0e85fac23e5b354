//! What a webhook's type is called, by people and by programs.

/// Types and their names for people, in the order of menus.
pub const ALL: [(&str, &str); 6] = [
    ("discord", "Discord"),
    ("teams", "Microsoft Teams"),
    ("slack", "Slack"),
    ("google_chat", "Google Chat"),
    ("mattermost", "Mattermost"),
    ("webhook", "A program, signed"),
];

/// The types.
pub const NAMES: [&str; 6] = {
    let mut names = [""; ALL.len()];
    let mut index = 0;
    while index < ALL.len() {
        names[index] = ALL[index].0;
        index += 1;
    }
    names
};

/// The name for people.
pub fn name(webhook_type: &str) -> &str {
    let named = ALL.into_iter().find(|(of, _)| *of == webhook_type);
    named.map_or(webhook_type, |(_, name)| name)
}
