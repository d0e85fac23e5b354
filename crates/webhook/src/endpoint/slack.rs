//! The shape of Slack's incoming webhooks.

use url::Url;

use super::{EndpointError, host};

/// Whether it is one of the hosts of incoming webhooks.
pub(super) fn is_host(name: &str) -> bool {
    host::is_within(name, &["hooks.slack.com", "hooks.slack-gov.com"])
}

/// `/services/{team}/{webhook}/{token}`, on whatever host: proxies of the user's keep the path.
pub(super) fn checked(url: Url) -> Result<Url, EndpointError> {
    let mut segments = url.path_segments().into_iter().flatten();
    match segments.next() {
        Some("services") => {}
        Some("triggers" | "workflows") => {
            return Err(EndpointError::NotSlack(
                "it starts a workflow of Slack, which takes other data",
            ));
        }
        _ => {
            return Err(EndpointError::NotSlack(
                "its path is not /services/{team}/{webhook}/{token}",
            ));
        }
    }
    let is_part = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let parts: Vec<&str> = segments.collect();
    if parts.len() == 3 && parts.iter().all(is_part) {
        Ok(url)
    } else {
        Err(EndpointError::NotSlack(
            "its path is not /services/{team}/{webhook}/{token}",
        ))
    }
}
