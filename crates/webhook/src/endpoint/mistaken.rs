//! What people paste instead of a webhook's URL, and URLs of what there is no more.

use url::Url;

use super::error::{Ended, GOOGLE_CHAT_PAGE, SLACK_PAGE};
use super::{EndpointError, host};

/// Refuses what a page's source, a shell or JSON makes of a URL.
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
    let what = match (name, first.unwrap_or_default()) {
        ("discord.gg", _) => "an invitation to a Discord server",
        _ if host::is_within(name, &["discord.com", "discordapp.com"]) => match first.unwrap_or_default() {
            "channels" => "a link to a Discord channel",
            "invite" => "an invitation to a Discord server",
            "oauth2" => "an invitation of a Discord bot",
            _ if url.path().starts_with("/api/oauth2/") => "an invitation of a Discord bot",
            _ => return Ok(()),
        },
        _ if host::is_within(
            name,
            &[
                "teams.microsoft.com",
                "teams.live.com",
                "teams.cloud.microsoft",
                "teams.microsoft.us",
            ],
        ) =>
        {
            "a link into Microsoft Teams"
        }
        ("app.slack.com" | "slack.com" | "api.slack.com", _) => SLACK_PAGE,
        ("chat.google.com" | "mail.google.com", _) => GOOGLE_CHAT_PAGE,
        ("make.powerautomate.com" | "flow.microsoft.com" | "make.powerapps.com", _) => "the page of a flow",
        ("outlook.office.com" | "outlook.office365.com", "mail" | "owa") => "a page of Outlook",
        _ => return Ok(()),
    };
    Err(EndpointError::NotAWebhook(what))
}

/// Refuses URLs of services that Microsoft has shut down.
pub(super) fn refuse_ended(url: &Url) -> Result<(), EndpointError> {
    let what = match url.domain() {
        Some(name) if super::is_connector_host(name) => Ended::Connectors,
        Some(name) if host::is_within(name, &["logic.azure.com"]) => Ended::LogicApps,
        _ => return Ok(()),
    };
    Err(EndpointError::Ended {
        host: host::name(url),
        what,
    })
}
