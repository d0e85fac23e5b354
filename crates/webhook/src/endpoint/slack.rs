//! The shape of Slack's incoming webhooks.

use url::Url;

use super::error::{EndpointError, Page, UrlForm};
use super::facts::Facts;
use super::host;
use crate::kinds::EndpointKind;
use crate::mention::{self, Mention, Mentions};
use crate::rate::Rate;

const FORM: UrlForm = UrlForm {
    example: "https://hooks.slack.com/services/T.../B.../...",
    whose: "Slack's incoming webhooks",
    copied: "copy it from \"Incoming Webhooks\" of an app at api.slack.com/apps.",
};

pub(super) const FACTS: Facts = Facts {
    form: &FORM,
    allowed_hosts: "hooks.slack.com, hooks.slack-gov.com",
    is_vendors: is_host,
    read: |url, _| Ok((EndpointKind::Slack, checked(url)?)),
    page: |host, _, _| {
        let is_page = matches!(host, "app.slack.com" | "slack.com" | "api.slack.com");
        is_page.then_some(Page {
            what: "a page of Slack",
            hint: "At api.slack.com/apps, open the app, Incoming Webhooks, and copy the Webhook URL of the channel.",
        })
    },
    // Slack's limit is for each webhook.
    rate: Some(Rate::per_second(1)),
    mentions: Ok(Mentions {
        syntax: "`user:ID`, `group:ID`, `here` or `channel`",
        whom: "nobody of Slack",
        hint: "user:ID or group:ID, with the id that \"Copy member ID\" of a profile gives, such as user:U012AB3CD; or here, or channel.",
        read: mention,
    }),
    ..Facts::USUAL
};

/// Whether it is one of the hosts of incoming webhooks.
fn is_host(name: &str) -> bool {
    host::is_within(name, &["hooks.slack.com", "hooks.slack-gov.com"])
}

/// Checks for `/services/{team}/{webhook}/{token}`, on any host, because a proxy of the user's keeps the path.
fn checked(url: Url) -> Result<Url, EndpointError> {
    let mut segments = url.path_segments().into_iter().flatten();
    match segments.next() {
        Some("services") => {}
        Some("triggers" | "workflows") => {
            return Err(FORM.refuse("it starts a workflow of Slack, which takes other data"));
        }
        _ => {
            return Err(FORM.refuse("its path is not /services/{team}/{webhook}/{token}"));
        }
    }
    let is_part = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let parts: Vec<&str> = segments.collect();
    if parts.len() == 3 && parts.iter().all(is_part) {
        Ok(url)
    } else {
        Err(FORM.refuse("its path is not /services/{team}/{webhook}/{token}"))
    }
}

/// Slack's ids of members begin with U or W, those of groups with S.
fn mention(text: &str) -> Option<Mention> {
    let is_id = |id: &str, first: &[u8]| {
        let bytes = id.as_bytes();
        (2..=mention::MAX_ID).contains(&bytes.len())
            && first.contains(&bytes[0])
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    let markup = match text.split_once(':') {
        Some(("user", id)) if is_id(id, b"UW") => format!("<@{id}>"),
        Some(("group", id)) if is_id(id, b"S") => format!("<!subteam^{id}>"),
        None if matches!(text, "here" | "channel") => format!("<!{text}>"),
        _ => return None,
    };
    Some(Mention::Markup(markup))
}
