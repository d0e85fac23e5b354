//! The shape of Google Chat's webhooks.

use url::Url;

use super::error::{EndpointError, Page, UrlForm};
use super::facts::Facts;
use super::url_parts::has_parameter;
use crate::kinds::{EndpointKind, Setting};
use crate::mention::{self, Mention, Mentions};
use crate::rate::Rate;

const FORM: UrlForm = UrlForm {
    example: "https://chat.googleapis.com/v1/spaces/.../messages?key=...&token=...",
    whose: "Google Chat's",
    copied: "copy it from the space's menu, Apps & integrations, Webhooks; in a shell, put it in single quotes.",
};

pub(super) const FACTS: Facts = Facts {
    form: &FORM,
    allowed_hosts: HOST,
    is_vendors: |host| host == HOST,
    read: |url, _| Ok((EndpointKind::GoogleChat, checked(url)?)),
    page: |host, _, _| {
        matches!(host, "chat.google.com" | "mail.google.com").then_some(Page {
            what: "a page of Google Chat",
            hint: "In the space's menu, Apps & integrations, Webhooks, and Copy link in the webhook's menu.",
        })
    },
    // Google's limit is for each space.
    rate: Some(Rate::per_second(1)),
    shared_limit: |url| Some(format!("space {}", space(url)?)),
    request_url: Some(request_url),
    knows_messages: true,
    mentions: Ok(Mentions {
        syntax: "`user:ID` or `all`",
        whom: "nobody of Google Chat",
        hint: "user:ID, with the number of a user of Google Workspace; or all.",
        read: mention,
    }),
    settings: &[Setting::Announce, Setting::ThreadBy],
    ..Facts::USUAL
};

/// The host of Google Chat's API.
const HOST: &str = "chat.googleapis.com";

/// Checks for `/v1/spaces/{space}/messages?key=...&token=...`.
fn checked(url: Url) -> Result<Url, EndpointError> {
    if space(&url).is_none() {
        return Err(FORM.refuse("its path is not /v1/spaces/{space}/messages"));
    }
    if ["key", "token"]
        .into_iter()
        .any(|name| !has_parameter(&url, name))
    {
        return Err(
            FORM.refuse("its parameters key and token are not both there: what follows an & was cut off")
        );
    }
    Ok(url)
}

/// Adds `requestId`, with which Google Chat creates a message only once, and with `threads` the parameter without which it ignores the thread's key in
/// the body. A parameter that the URL has already is kept.
fn request_url(url: &Url, message_id: Option<&str>, threads: bool) -> Url {
    let mut url = url.clone();
    let given = |url: &Url, name: &str| has_parameter(url, name);
    if let Some(id) = message_id.filter(|_| !given(&url, "requestId")) {
        url.query_pairs_mut().append_pair("requestId", id);
    }
    if threads && !given(&url, "messageReplyOption") {
        url.query_pairs_mut()
            .append_pair("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD");
    }
    url
}

/// The space of the URL, whose webhooks share one limit.
fn space(url: &Url) -> Option<&str> {
    let mut segments = url.path_segments()?;
    let path = [segments.next()?, segments.next()?];
    let space = segments.next().filter(|space| !space.is_empty())?;
    let ends = segments.next() == Some("messages") && segments.next().is_none();
    (path == ["v1", "spaces"] && ends).then_some(space)
}

fn mention(text: &str) -> Option<Mention> {
    let is_number =
        |id: &str| (1..=mention::MAX_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
    let markup = match text.split_once(':') {
        Some(("user", id)) if is_number(id) => format!("<users/{id}>"),
        None if text == "all" => "<users/all>".to_owned(),
        _ => return None,
    };
    Some(Mention::Markup(markup))
}
