//! The shape of Microsoft Teams' webhooks: flows of Workflows, and the former connectors.

use url::Url;

use super::error::{EndpointError, Page, UrlForm};
use super::facts::Facts;
use super::host;
use super::url_parts::has_parameter;
use super::vendor::Vendor;
use crate::kinds::EndpointKind;
use crate::mention::{Mention, Mentions};

const FORM: UrlForm = UrlForm {
    example: "https://....environment.api.powerplatform.com/powerautomate/automations/direct/workflows/.../triggers/manual/paths/invoke?...&sig=...",
    whose: "Microsoft Teams'",
    copied: "Copy the whole URL from where the service shows it.",
};

/// Microsoft's hosts are in its documentation of Power Automate, "IP address configuration" (MicrosoftDocs/power-automate-docs,
/// articles/ip-address-configuration.md): `*.api.gov...`, `*.api.high...`, `*.api.appsplatform.us`, `*.api.powerplatform.partner...`, `*.logic.azure.us`
/// and `*.logic.azure.cn`. The first four have `environment` as their next label, as the public cloud does (`HostNameSuffixes` in Microsoft's Agents SDKs).
pub(super) const FACTS: Facts = Facts {
    form: &FORM,
    allowed_hosts: "*.environment.api.powerplatform.com, *.powerautomate.com, \
                    *.environment.api.gov.powerplatform.microsoft.us, *.environment.api.high.powerplatform.microsoft.us, \
                    *.environment.api.appsplatform.us, *.environment.api.powerplatform.partner.microsoftonline.cn, \
                    *.logic.azure.us, *.logic.azure.cn",
    is_vendors: |host| is_connector_host(host) || is_workflow_host(host),
    read,
    page,
    mentions: Ok(Mentions {
        syntax: "`user:ID NAME` in a Workflows flow",
        whom: "no user of Teams",
        hint: "user:ID NAME, with the user's principal name or object id, such as user:ada@contoso.com Ada Lovelace.",
        read: mention,
    }),
    ..Facts::USUAL
};

/// Limits of this project's: a user's principal name has at most 113 characters, an object id 36.
const MAX_ID: usize = 256;
const MAX_NAME: usize = 128;

/// Returns the URL unchanged, since its signature covers path and query.
fn read(url: Url, vendor: Vendor) -> Result<(EndpointKind, Url), EndpointError> {
    if url.path() == "/" {
        return Err(EndpointError::NoPath {
            host: host::name(&url),
        });
    }
    if vendor != Vendor::Other && !has_parameter(&url, "sig") {
        return Err(EndpointError::NoSignature);
    }
    Ok((kind(&url), url))
}

fn page(host: &str, first: &str, _: &Url) -> Option<Page> {
    let pages = [
        "teams.microsoft.com",
        "teams.live.com",
        "teams.cloud.microsoft",
        "teams.microsoft.us",
    ];
    match (host, first) {
        _ if host::is_within(host, &pages) => Some(Page::usual("a link into Microsoft Teams")),
        ("make.powerautomate.com" | "flow.microsoft.com" | "make.powerapps.com", _) => {
            Some(Page::usual("the page of a flow"))
        }
        ("outlook.office.com" | "outlook.office365.com", "mail" | "owa") => {
            Some(Page::usual("a page of Outlook"))
        }
        _ => None,
    }
}

/// Reads `user:ID NAME`. Characters with a meaning in the markup of a mention are refused.
fn mention(text: &str) -> Option<Mention> {
    let (id, name) = text.strip_prefix("user:")?.split_once(char::is_whitespace)?;
    let name = name.trim();
    let fits = (1..=MAX_ID).contains(&id.chars().count()) && (1..=MAX_NAME).contains(&name.chars().count());
    let plain = !text.contains(|c: char| c.is_control() || "<>&*_[]`\\{}".contains(c));
    (fits && plain).then(|| Mention::TeamsUser {
        id: id.to_owned(),
        name: name.to_owned(),
    })
}

pub(super) fn is_connector_host(host: &str) -> bool {
    host::is_within(
        host,
        &[
            "outlook.office.com",
            "outlook.office365.com",
            "webhook.office.com",
        ],
    )
}

fn is_workflow_host(host: &str) -> bool {
    host::is_within(
        host,
        &[
            "logic.azure.com",
            "logic.azure.us",
            "logic.azure.cn",
            "powerautomate.com",
            "api.powerplatform.com",
            "api.gov.powerplatform.microsoft.us",
            "api.high.powerplatform.microsoft.us",
            "api.appsplatform.us",
            "api.powerplatform.partner.microsoftonline.cn",
        ],
    )
}

/// Tells connectors from workflows: by the hosts of flows, then by the connectors' paths; otherwise it is a workflow, which is what Microsoft still
/// offers. (The connectors' own hosts have ended, and are refused before.)
fn kind(url: &Url) -> EndpointKind {
    let connector_path = ["/webhookb2/", "/webhook/"]
        .iter()
        .any(|prefix| url.path().starts_with(prefix));
    match url.domain() {
        Some(host) if is_workflow_host(host) => EndpointKind::TeamsWorkflow,
        _ if connector_path => EndpointKind::TeamsConnector,
        _ => EndpointKind::TeamsWorkflow,
    }
}
