//! Which URL is what: validation, normalisation, redaction, and where requests may go at all.

mod address;
mod error;
mod facts;
mod host;
mod mistaken;
mod secret_url;
#[cfg(test)]
mod tests;

pub(crate) mod discord;
pub(crate) mod google_chat;
pub(crate) mod mattermost;
pub(crate) mod nats;
pub(crate) mod ntfy;
pub(crate) mod slack;
pub(crate) mod teams;
pub(crate) mod webhook;

use std::sync::Arc;

use url::{Host, Url};

use crate::kinds::Setting;
pub use crate::kinds::{EndpointKind, UnknownWebhookType, WebhookType};
use crate::schedule::{Policy, Rate};

pub use address::is_public;
pub(crate) use address::literal as literal_address;
pub use error::{Ended, EndpointError, Page};
pub(crate) use facts::Facts;
pub use host::{DEFAULT_ALLOWED_HOSTS, HostPattern, HostPatternError, parse_host_patterns};
pub(crate) use nats::{Server, is_encrypted, servers};
pub use secret_url::{SecretUrl, redact};

/// Discord's limit for a URL; far above the longest Workflows URL that has been seen.
const MAX_URL_LENGTH: usize = 2048;

/// Whose servers answer: the published caps hold for the vendors' own hosts only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vendor {
    /// The vendor of such webhooks.
    Of(WebhookType),
    /// Whatever a user's own server speaks.
    Other,
}

impl Vendor {
    fn of(url: &Url) -> Self {
        let Some(Host::Domain(host)) = url.host() else {
            return Self::Other;
        };
        let of = WebhookType::ALL.iter().find(|of| (of.facts().is_vendors)(host));
        of.map_or(Self::Other, |of| Self::Of(*of))
    }

    /// How fast its servers take requests; None: nobody counts.
    pub fn rate(self, policy: &Policy) -> Option<Rate> {
        match self {
            Self::Of(of) => (of.facts().rate)(policy),
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
    topic: Option<Arc<str>>,
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
        let url = match webhook_type.facts().parse {
            Some(parse) => parse(url, policy)?,
            None => parse_allowed(url, policy)?,
        };
        let vendor = Vendor::of(&url);
        if let Vendor::Of(meant) = vendor
            && meant != webhook_type
        {
            return Err(EndpointError::WrongType {
                webhook_type,
                meant,
                host: host::name(&url),
            });
        }
        let topic = (webhook_type.facts().topic)(&url);
        let (kind, url) = (webhook_type.facts().read)(url, vendor)?;
        // Its answers repeat the topic; a short one is masked where it stands there, and not in every word that has it.
        let masked = topic.iter().map(|topic| match topic.len() {
            secret_url::MIN_SECRET_LENGTH.. => Box::from(&**topic),
            _ => format!("\"topic\":\"{topic}\"").into(),
        });
        let secrets = masked.collect();
        Ok(Self {
            kind,
            vendor,
            post_url: SecretUrl::new(url).with_secrets(secrets),
            topic,
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

    /// Whose requests count together where the vendor counts them, by a name.
    pub fn shared_limit(&self) -> Option<String> {
        (self.facts().shared_limit)(self.post_url.expose())
    }

    /// What of the URL the messages have, and not the URL that they are posted to.
    pub fn topic(&self) -> Option<&Arc<str>> {
        self.topic.as_ref()
    }

    /// The same, with texts that are secrets, too: an answer may echo them.
    #[must_use]
    pub fn with_secrets(mut self, secrets: Vec<Box<str>>) -> Self {
        self.post_url = self.post_url.with_secrets(secrets);
        self
    }

    /// Where a message of that name is posted to, for receivers that are told it in the URL.
    pub fn request_url(&self, message_id: Option<&str>, threads: bool) -> SecretUrl {
        match self.facts().request_url {
            Some(request_url) => SecretUrl::new(request_url(self.post_url.expose(), message_id, threads)),
            None => self.post_url.clone(),
        }
    }

    /// Whether it takes a message only once that comes again under the same name.
    pub fn knows_messages(&self) -> bool {
        self.facts().knows_messages
    }

    /// What subjects begin with, if what it gets is published to a stream.
    pub fn subject_prefix(&self) -> Option<&str> {
        let prefix = self.facts().prefix?;
        Some(prefix(self.post_url.expose()))
    }

    /// Whether such webhooks have a place for that.
    pub fn has(&self, setting: Setting) -> bool {
        self.kind.webhook_type().has(setting)
    }

    fn facts(&self) -> &'static Facts {
        self.kind.webhook_type().facts()
    }

    /// The URL to post to.
    pub fn post_url(&self) -> &SecretUrl {
        &self.post_url
    }
}

fn check_length(text: &str) -> Result<(), EndpointError> {
    let length = text.chars().count();
    if length > MAX_URL_LENGTH {
        return Err(EndpointError::TooLong {
            length,
            limit: MAX_URL_LENGTH,
        });
    }
    Ok(())
}

/// The checks that hold for every URL of the web.
fn parse_allowed(text: &str, policy: &UrlPolicy) -> Result<Url, EndpointError> {
    check_length(text)?;
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

/// Whether the query has a value of that name.
fn has_parameter(url: &Url, name: &str) -> bool {
    url.query_pairs()
        .any(|(key, value)| key == name && !value.is_empty())
}
