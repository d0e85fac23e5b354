//! The shape of Mattermost's incoming webhooks. The host is the user's own, and the path may have a prefix.

use url::Url;

use super::error::{EndpointError, UrlForm};
use super::facts::Facts;
use crate::kinds::{EndpointKind, Setting};
use crate::mention::{Mention, Mentions};

const FORM: UrlForm = UrlForm {
    example: "https://mattermost.example.com/hooks/<26 letters and digits>",
    whose: "Mattermost's incoming webhooks",
    copied: "copy it from Integrations, Incoming Webhooks.",
};

pub(super) const FACTS: Facts = Facts {
    form: &FORM,
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

/// Checks for `.../hooks/{key}`.
fn checked(url: Url) -> Result<Url, EndpointError> {
    let mut last = url.path_segments().into_iter().flatten().rev();
    let (key, before) = (last.next().unwrap_or_default(), last.next());
    let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if before == Some("hooks") && is_key {
        Ok(url)
    } else {
        Err(FORM.refuse("its path does not end in /hooks/<key>"))
    }
}

/// Reads a mention. User names have up to 64 characters (22 in former versions).
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
