//! What is asked of the parts of any URL.

use url::Url;

use super::error::EndpointError;

/// The maximum length of a URL in characters: Discord's limit, and far above the longest URL of a Workflows flow that has been seen.
const MAX_URL_LENGTH: usize = 2048;

/// Refuses a text that is longer than any URL of a webhook.
pub(super) fn check_length(text: &str) -> Result<(), EndpointError> {
    let length = text.chars().count();
    if length > MAX_URL_LENGTH {
        return Err(EndpointError::TooLong {
            length,
            limit: MAX_URL_LENGTH,
        });
    }
    Ok(())
}

/// Whether the query has a parameter of this name whose value is not empty.
pub(super) fn has_parameter(url: &Url, name: &str) -> bool {
    url.query_pairs()
        .any(|(key, value)| key == name && !value.is_empty())
}
