//! The shape of Mattermost's incoming webhooks. The host is the user's own, and so may be a path before it.

use url::Url;

use super::{EndpointError, Facts};
use crate::kinds::{EndpointKind, Setting, WebhookType};
use crate::mention::{Mention, Mentions};

pub(crate) const FACTS: Facts = Facts {
    example: "https://mattermost.example.com/hooks/<26 letters and digits>",
    whose: "Mattermost's incoming webhooks",
    copied: "copy it from Integrations, Incoming Webhooks.",
    read: |url, _| Ok((EndpointKind::Mattermost, checked(url)?)),
    mentions: Ok(Mentions {
        syntax: "`user:NAME`, `here`, `channel` or `all`",
        whom: "nobody of Mattermost",
        hint: "user:NAME, such as user:ada.lovelace; or here, channel or all.",
        read: mention,
    }),
    settings: &[Setting::Username, Setting::AvatarUrl, Setting::Announce],
    ..Facts::USUAL
};

/// `.../hooks/{key}`
fn checked(url: Url) -> Result<Url, EndpointError> {
    let mut last = url.path_segments().into_iter().flatten().rev();
    let (key, before) = (last.next().unwrap_or_default(), last.next());
    let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if before == Some("hooks") && is_key {
        Ok(url)
    } else {
        Err(EndpointError::NotOfType {
            webhook_type: WebhookType::Mattermost,
            fault: "its path does not end in /hooks/<key>",
        })
    }
}

/// User names have 3 to 22 characters in former versions, up to 64 now.
fn mention(text: &str) -> Option<Mention> {
    let is_name = |name: &str| {
        (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte))
    };
    let markup = match text.split_once(':') {
        Some(("user", name)) if is_name(name) => format!("@{name}"),
        None if matches!(text, "here" | "channel" | "all") => format!("@{text}"),
        _ => return None,
    };
    Some(Mention::Markup(markup))
}
