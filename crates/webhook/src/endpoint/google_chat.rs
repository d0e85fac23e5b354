//! The shape of Google Chat's webhooks.

use url::Url;

use super::{EndpointError, has_parameter};

/// Of Google Chat's API.
pub(super) const HOST: &str = "chat.googleapis.com";

/// `/v1/spaces/{space}/messages?key=...&token=...`
pub(super) fn checked(url: Url) -> Result<Url, EndpointError> {
    if space(&url).is_none() {
        return Err(EndpointError::NotGoogleChat(
            "its path is not /v1/spaces/{space}/messages",
        ));
    }
    if ["key", "token"]
        .into_iter()
        .any(|name| !has_parameter(&url, name))
    {
        return Err(EndpointError::NotGoogleChat(
            "its parameters key and token are not both there: what follows an & was cut off",
        ));
    }
    Ok(url)
}

/// Where a message of that name is posted to: one that was taken already is not made once more. Only with `threads`, the key of a thread in the
/// body is heeded.
pub(super) fn request_url(url: &Url, message_id: Option<&str>, threads: bool) -> Url {
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

/// The space whose messages these are: all of its webhooks share one limit.
pub(super) fn space(url: &Url) -> Option<&str> {
    let mut segments = url.path_segments()?;
    let path = [segments.next()?, segments.next()?];
    let space = segments.next().filter(|space| !space.is_empty())?;
    let ends = segments.next() == Some("messages") && segments.next().is_none();
    (path == ["v1", "spaces"] && ends).then_some(space)
}
