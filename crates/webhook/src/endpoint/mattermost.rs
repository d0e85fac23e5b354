//! The shape of Mattermost's incoming webhooks. The host is the user's own, and so may be a path before it.

use url::Url;

use super::EndpointError;

/// `.../hooks/{key}`
pub(super) fn checked(url: Url) -> Result<Url, EndpointError> {
    let mut last = url.path_segments().into_iter().flatten().rev();
    let (key, before) = (last.next().unwrap_or_default(), last.next());
    let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if before == Some("hooks") && is_key {
        Ok(url)
    } else {
        Err(EndpointError::NotMattermost)
    }
}
