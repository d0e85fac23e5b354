//! URLs that are given by mistake: escaped ones, links to pages, and those of services that have ended.

use url::Url;

use super::error::{Ended, EndpointError};
use super::{host, teams};
use crate::kinds::WebhookType;

/// Refuses a URL that was copied in escaped form, from a page's source, a shell or JSON.
pub(super) fn refuse_escaped(text: &str) -> Result<(), EndpointError> {
    let marks = [
        ("&amp;", "& is meant"),
        ("&#38;", "& is meant"),
        ("\\u0026", "& is meant"),
        ("\\&", "no backslash belongs"),
        ("\\?", "no backslash belongs"),
        ("\\=", "no backslash belongs"),
        ("%26sig%3D", "&sig= is meant"),
        ("\"", "no quotes belong"),
        ("'", "no quotes belong"),
        ("<", "no brackets belong"),
        (">", "no brackets belong"),
    ];
    match marks.into_iter().find(|(found, _)| text.contains(found)) {
        Some((found, meant)) => Err(EndpointError::Escaped { found, meant }),
        None => Ok(()),
    }
}

/// Refuses links to channels, invitations, and pages of the services.
pub(super) fn refuse_other_links(url: &Url) -> Result<(), EndpointError> {
    let Some(name) = url.domain() else { return Ok(()) };
    let first = url.path_segments().and_then(|mut segments| segments.next());
    let page = |of: &WebhookType| (of.facts().page)(name, first.unwrap_or_default(), url);
    match WebhookType::ALL.iter().find_map(page) {
        Some(page) => Err(EndpointError::NotAWebhook(page)),
        None => Ok(()),
    }
}

/// Refuses URLs of services that Microsoft has shut down.
pub(super) fn refuse_ended(url: &Url) -> Result<(), EndpointError> {
    let what = match url.domain() {
        Some(name) if teams::is_connector_host(name) => Ended::Connectors,
        Some(name) if host::is_within(name, &["logic.azure.com"]) => Ended::LogicApps,
        _ => return Ok(()),
    };
    Err(EndpointError::Ended {
        host: host::name(url),
        what,
    })
}
