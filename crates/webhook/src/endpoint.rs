//! Which URL is what: validation, normalisation, redaction, and where requests may go at all.

mod address;
mod discord;
mod error;
mod google_chat;
mod host;
mod mattermost;
mod mistaken;
pub(crate) mod nats;
mod secret_url;
mod slack;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

pub use address::is_public;
pub(crate) use address::literal as literal_address;
pub use error::{Ended, EndpointError};
pub use host::{DEFAULT_ALLOWED_HOSTS, HostPattern, HostPatternError, parse_host_patterns};
pub(crate) use nats::{Server, is_encrypted, servers};
pub use secret_url::{SecretUrl, redact};

/// Discord's limit for a URL; far above the longest Workflows URL that has been seen.
const MAX_URL_LENGTH: usize = 2048;

/// The `webhook_type` that a user registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WebhookType {
    Discord,
    Teams,
    Slack,
    GoogleChat,
    Mattermost,
    /// A program of the user's own, which checks signatures.
    Webhook,
}

impl WebhookType {
    /// All of them, by the names that users write.
    pub const NAMES: [(&'static str, WebhookType); 6] = [
        ("discord", Self::Discord),
        ("teams", Self::Teams),
        ("slack", Self::Slack),
        ("google_chat", Self::GoogleChat),
        ("mattermost", Self::Mattermost),
        ("webhook", Self::Webhook),
    ];

    /// All names in words, each with what `more` says of it.
    pub fn listed(more: impl Fn(WebhookType) -> &'static str) -> String {
        let names = Self::NAMES.map(|(name, of)| format!("{name}{}", more(of)));
        match names.split_last() {
            Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
            _ => names.concat(),
        }
    }

    /// The name that users write.
    pub fn name(self) -> &'static str {
        Self::NAMES
            .into_iter()
            .find_map(|(name, of)| (of == self).then_some(name))
            .unwrap_or_default()
    }
}

/// The text names no known type of webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown webhook type: the types are {}", WebhookType::listed(|_| ""))]
pub struct UnknownWebhookType;

impl FromStr for WebhookType {
    type Err = UnknownWebhookType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::NAMES.into_iter().find(|(name, _)| *name == text);
        named.map(|(_, named)| named).ok_or(UnknownWebhookType)
    }
}

impl fmt::Display for WebhookType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What stands behind a webhook's URL; decides the format of the body and how an answer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndpointKind {
    /// Discord's execute-webhook call: embeds.
    Discord,
    /// A legacy Teams connector: MessageCard, 200 with a number for success.
    TeamsConnector,
    /// A Teams Workflows trigger: Adaptive Card in an envelope, 202 for success.
    TeamsWorkflow,
    /// An incoming webhook of Slack: attachments of blocks, `ok` for success.
    Slack,
    /// A webhook of a space of Google Chat: cards.
    GoogleChat,
    /// An incoming webhook of Mattermost, and of what speaks its dialect: attachments, `ok` for success.
    Mattermost,
    /// A receiver that checks signatures by Standard Webhooks: an event as JSON, any 2xx for success.
    Signed,
}

/// Whose servers answer: the published caps hold for the vendors' own hosts only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vendor {
    Discord,
    Microsoft,
    Slack,
    Google,
    Other,
}

impl Vendor {
    fn of(url: &Url) -> Self {
        let Some(Host::Domain(host)) = url.host() else {
            return Self::Other;
        };
        if host::is_within(host, &["discord.com", "discordapp.com"]) {
            Self::Discord
        } else if is_connector_host(host) || is_workflow_host(host) {
            Self::Microsoft
        } else if slack::is_host(host) {
            Self::Slack
        } else if host == google_chat::HOST {
            Self::Google
        } else {
            Self::Other
        }
    }
}

impl Vendor {
    /// What is registered of its hosts; None: whatever a user's own server speaks.
    fn webhook_type(self) -> Option<WebhookType> {
        match self {
            Self::Discord => Some(WebhookType::Discord),
            Self::Microsoft => Some(WebhookType::Teams),
            Self::Slack => Some(WebhookType::Slack),
            Self::Google => Some(WebhookType::GoogleChat),
            Self::Other => None,
        }
    }
}

/// Where webhooks may point to. The default is the strictest: the vendors' hosts, `https`, public addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlPolicy {
    pub allowed_hosts: Vec<HostPattern>,
    pub allow_http: bool,
    pub allow_private_addresses: bool,
}

impl Default for UrlPolicy {
    fn default() -> Self {
        Self {
            allowed_hosts: parse_host_patterns(DEFAULT_ALLOWED_HOSTS).unwrap_or_default(),
            allow_http: false,
            allow_private_addresses: false,
        }
    }
}

/// A webhook's URL that passed every check that needs no network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    kind: EndpointKind,
    vendor: Vendor,
    post_url: SecretUrl,
}

impl Endpoint {
    /// Checks `url` against `policy` and makes of it the URL to post to.
    ///
    /// A Discord URL becomes `/api/v10/webhooks/{id}/{token}?...&wait=true` (on `discord.com` for each of
    /// Discord's hosts), because other versions of the API answer with other units, and without `wait` a
    /// message that was not saved still looks sent. The other query parameters stay. A Teams URL keeps its path
    /// and its query byte for byte: its signature covers them.
    ///
    /// # Errors
    /// See [`EndpointError`]; no text of it holds more of the URL than scheme, host and port.
    pub fn parse(webhook_type: WebhookType, url: &str, policy: &UrlPolicy) -> Result<Self, EndpointError> {
        mistaken::refuse_escaped(url)?;
        let url = parse_allowed(url, policy)?;
        let vendor = Vendor::of(&url);
        if let Some(meant) = vendor.webhook_type().filter(|meant| *meant != webhook_type) {
            return Err(EndpointError::WrongType {
                webhook_type,
                meant,
                host: host::name(&url),
            });
        }
        let (kind, url) = match webhook_type {
            WebhookType::Discord => (EndpointKind::Discord, discord::normalise(url, vendor)?),
            WebhookType::Teams if url.path() == "/" => {
                return Err(EndpointError::NoPath {
                    host: host::name(&url),
                });
            }
            WebhookType::Teams if vendor == Vendor::Microsoft && !has_parameter(&url, "sig") => {
                return Err(EndpointError::NoSignature);
            }
            WebhookType::Teams => (teams_kind(&url), url),
            WebhookType::Slack => (EndpointKind::Slack, slack::checked(url)?),
            WebhookType::GoogleChat => (EndpointKind::GoogleChat, google_chat::checked(url)?),
            WebhookType::Mattermost => (EndpointKind::Mattermost, mattermost::checked(url)?),
            WebhookType::Webhook => (EndpointKind::Signed, url),
        };
        Ok(Self {
            kind,
            vendor,
            post_url: SecretUrl::new(url),
        })
    }

    /// As [`Endpoint::parse`], for a URL that somebody registers now: also what is taken of old ones, and does not do what it says, is refused.
    ///
    /// # Errors
    /// See [`EndpointError`].
    pub fn parse_new(
        webhook_type: WebhookType,
        url: &str,
        policy: &UrlPolicy,
    ) -> Result<Self, EndpointError> {
        let endpoint = Self::parse(webhook_type, url, policy)?;
        let posted = endpoint.post_url.expose();
        if endpoint.kind == EndpointKind::Discord && has_parameter(posted, "thread_name") {
            return Err(EndpointError::ThreadName);
        }
        Ok(endpoint)
    }

    /// The format that this endpoint takes and the way its answers are read.
    pub fn kind(&self) -> EndpointKind {
        self.kind
    }

    /// Whose caps hold.
    pub fn vendor(&self) -> Vendor {
        self.vendor
    }

    /// Whether messages go to a thread of Discord that the URL names.
    pub fn names_thread(&self) -> bool {
        let mut parameters = self.post_url.expose().query_pairs();
        self.kind == EndpointKind::Discord
            && parameters.any(|(name, value)| name == "thread_id" && !value.is_empty())
    }

    /// Whose requests count together where the vendor counts them: the space of Google Chat, for all webhooks of it.
    pub fn shared_limit(&self) -> Option<&str> {
        match self.kind {
            EndpointKind::GoogleChat => google_chat::space(self.post_url.expose()),
            _ => None,
        }
    }

    /// The same, with texts that are secrets, too: an answer may echo them.
    #[must_use]
    pub fn with_secrets(mut self, secrets: Vec<Box<str>>) -> Self {
        self.post_url = self.post_url.with_secrets(secrets);
        self
    }

    /// Where a message of that name is posted to, for receivers that are told it in the URL.
    pub fn request_url(&self, message_id: Option<&str>, threads: bool) -> SecretUrl {
        match self.kind {
            EndpointKind::GoogleChat => SecretUrl::new(google_chat::request_url(
                self.post_url.expose(),
                message_id,
                threads,
            )),
            _ => self.post_url.clone(),
        }
    }

    /// Whether it takes a message only once that comes again under the same name.
    pub fn knows_messages(&self) -> bool {
        matches!(self.kind, EndpointKind::GoogleChat | EndpointKind::Signed)
    }

    /// The URL to post to.
    pub fn post_url(&self) -> &SecretUrl {
        &self.post_url
    }
}

/// The checks that hold for every type.
fn parse_allowed(text: &str, policy: &UrlPolicy) -> Result<Url, EndpointError> {
    let length = text.chars().count();
    if length > MAX_URL_LENGTH {
        return Err(EndpointError::TooLong {
            length,
            limit: MAX_URL_LENGTH,
        });
    }
    let url = Url::parse(text).map_err(EndpointError::NotAUrl)?;
    match url.scheme() {
        "https" => {}
        "http" if policy.allow_http => {}
        "http" => return Err(EndpointError::HttpNotAllowed),
        // The scheme is not named: in `TOKEN:x` it would be the secret.
        _ => return Err(EndpointError::OtherScheme),
    }
    mistaken::refuse_other_links(&url)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(EndpointError::UserInfo);
    }
    if url.fragment().is_some() {
        return Err(EndpointError::Fragment);
    }
    mistaken::refuse_ended(&url)?;
    if !policy.allowed_hosts.iter().any(|pattern| pattern.matches(&url)) {
        return Err(refused_host(&url, policy));
    }
    match address::literal(&url) {
        Some(address) if !policy.allow_private_addresses && !is_public(address) => {
            Err(EndpointError::NotPublic { address })
        }
        _ => Ok(url),
    }
}

fn refused_host(url: &Url, policy: &UrlPolicy) -> EndpointError {
    let host = host::name(url);
    match url.port() {
        Some(port)
            if policy
                .allowed_hosts
                .iter()
                .any(|pattern| pattern.matches_host(url)) =>
        {
            EndpointError::PortNotAllowed { host, port }
        }
        _ => EndpointError::HostNotAllowed { host },
    }
}

fn is_connector_host(host: &str) -> bool {
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

/// Whether the query has a value of that name.
fn has_parameter(url: &Url, name: &str) -> bool {
    url.query_pairs()
        .any(|(key, value)| key == name && !value.is_empty())
}

/// Connector or workflow: by the vendor's hosts, else by the connectors' paths, else workflow, which is what
/// Microsoft still offers.
fn teams_kind(url: &Url) -> EndpointKind {
    let connector_path = ["/webhookb2/", "/webhook/"]
        .iter()
        .any(|prefix| url.path().starts_with(prefix));
    match url.domain() {
        Some(host) if is_connector_host(host) => EndpointKind::TeamsConnector,
        Some(host) if is_workflow_host(host) => EndpointKind::TeamsWorkflow,
        _ if connector_path => EndpointKind::TeamsConnector,
        _ => EndpointKind::TeamsWorkflow,
    }
}
