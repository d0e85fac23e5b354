//! URLs of webhooks: validation, normalisation, redaction, and the hosts and addresses that requests may be made to.

mod address;
mod default_hosts;
mod error;
mod facts;
mod host;
mod mistaken;
mod secret_url;
mod services;
#[cfg(test)]
mod tests;
mod url_parts;
mod url_policy;
mod vendor;

mod discord;
mod google_chat;
mod mattermost;
mod nats;
mod ntfy;
mod slack;
mod teams;
mod webhook;

use std::sync::Arc;

use url::Url;

use crate::kinds::Setting;
pub use crate::kinds::{EndpointKind, UnknownWebhookType, WebhookType};

pub use address::is_public;
pub(crate) use address::literal as literal_address;
pub use default_hosts::DEFAULT_ALLOWED_HOSTS;
pub use error::{Ended, EndpointError, Page, UrlForm};
pub use host::{HostPattern, HostPatternError, parse_host_patterns};
pub(crate) use nats::{Server, is_encrypted, servers};
pub use secret_url::{SecretUrl, redact};
pub use services::parse_mention;
pub use url_policy::UrlPolicy;
pub use vendor::Vendor;

use facts::Facts;
use url_parts::{check_length, has_parameter};

/// A webhook's URL that has passed every check that needs no network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    kind: EndpointKind,
    vendor: Vendor,
    post_url: SecretUrl,
    topic: Option<Arc<str>>,
}

impl Endpoint {
    /// Checks `url` against `policy` and turns it into the URL to post to.
    ///
    /// A Discord URL becomes `/api/v10/webhooks/{id}/{token}?...&wait=true` (on `discord.com` for each of
    /// Discord's hosts), because other versions of the API answer with other units, and without `wait` a
    /// message that was not saved still looks sent. The other query parameters stay. A Teams URL keeps its path
    /// and its query byte for byte: its signature covers them.
    ///
    /// # Errors
    /// See [`EndpointError`]; its texts contain no more of the URL than scheme, host and port.
    pub fn parse(webhook_type: WebhookType, url: &str, policy: &UrlPolicy) -> Result<Self, EndpointError> {
        mistaken::refuse_escaped(url)?;
        let url = match webhook_type.facts().parse {
            Some(parse) => parse(url, policy)?,
            None => parse_allowed(url, policy)?,
        };
        let vendor = services::vendor(&url);
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
        // Answers repeat the topic. A short one is masked only as the member `topic` of an answer, and not wherever the same letters are in a word.
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

    /// Does the same as [`Endpoint::parse`] for a URL that is newly registered: a parameter that has no effect, which is accepted in existing URLs, is
    /// refused.
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

    /// The format of its messages, and how its answers are interpreted.
    pub fn kind(&self) -> EndpointKind {
        self.kind
    }

    /// Whose rate limits hold.
    pub fn vendor(&self) -> Vendor {
        self.vendor
    }

    /// Whether messages go to a thread of Discord that the URL names.
    pub fn names_thread(&self) -> bool {
        let mut parameters = self.post_url.expose().query_pairs();
        self.kind == EndpointKind::Discord
            && parameters.any(|(name, value)| name == "thread_id" && !value.is_empty())
    }

    /// The name of the limit that it shares with other endpoints, if the vendor counts their requests together.
    pub fn shared_limit(&self) -> Option<String> {
        (self.facts().shared_limit)(self.post_url.expose())
    }

    /// The part of the registered URL that is in the messages instead of the URL that they are posted to: ntfy's topic.
    pub fn topic(&self) -> Option<&Arc<str>> {
        self.topic.as_ref()
    }

    /// Adds texts that are secrets too, such as values of headers, and are masked where an answer echoes them.
    #[must_use]
    pub fn with_secrets(mut self, secrets: Vec<Box<str>>) -> Self {
        self.post_url = self.post_url.with_secrets(secrets);
        self
    }

    /// The URL to post a message with this id to: some receivers take the id, and whether messages belong to threads, from the URL.
    pub fn request_url(&self, message_id: Option<&str>, threads: bool) -> SecretUrl {
        match self.facts().request_url {
            Some(request_url) => SecretUrl::new(request_url(self.post_url.expose(), message_id, threads)),
            None => self.post_url.clone(),
        }
    }

    /// Whether a message that is sent again with the same id is accepted only once.
    pub fn knows_messages(&self) -> bool {
        self.facts().knows_messages
    }

    /// The prefix of the subjects that its events are published under, if it is a stream.
    pub fn subject_prefix(&self) -> Option<&str> {
        let prefix = self.facts().prefix?;
        Some(prefix(self.post_url.expose()))
    }

    /// Whether webhooks of its type have this setting.
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

/// Does the checks that are common to all URLs but those of streams.
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
