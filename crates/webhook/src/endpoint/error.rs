//! Why a URL is refused.

use std::net::IpAddr;

use crate::kinds::WebhookType;

/// Why a URL is refused as that of a webhook. The messages contain nothing of the URL but its host and port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("the webhook URL has {length} characters, more than {limit}")]
    TooLong { length: usize, limit: usize },
    #[error("the webhook URL is not a URL: {}", in_words(.0))]
    NotAUrl(url::ParseError),
    #[error("the webhook URL must start with https://")]
    OtherScheme,
    #[error("the webhook URL must start with https://, not http://")]
    HttpNotAllowed,
    #[error("the webhook URL must not hold a user name or a password")]
    UserInfo,
    #[error("the webhook URL must not have a fragment (the part after #)")]
    Fragment,
    #[error("webhooks may not be sent to the host \"{host}\"")]
    HostNotAllowed { host: String },
    #[error("webhooks may not be sent to port {port} of \"{host}\"")]
    PortNotAllowed { host: String, port: u16 },
    #[error("webhooks may not be sent to {address}, which is not a public address")]
    NotPublic { address: IpAddr },
    #[error("a URL of \"{host}\" is not that of a webhook of type {webhook_type}")]
    WrongType {
        webhook_type: WebhookType,
        /// The type that webhooks of this host have.
        meant: WebhookType,
        host: String,
    },
    #[error("the webhook URL of \"{host}\" has no path")]
    NoPath { host: String },
    #[error("the webhook URL is not one of {}: {fault}", form.whose)]
    NotOfType {
        form: &'static UrlForm,
        fault: &'static str,
    },
    #[error("the webhook URL must not hold a user name, a password or a token")]
    NatsUser,
    #[error("the webhook URL was copied in an escaped form: it has {found} where {meant}")]
    Escaped {
        found: &'static str,
        meant: &'static str,
    },
    #[error("this is {}, not the URL of a webhook", .0.what)]
    NotAWebhook(Page),
    #[error("webhooks of \"{host}\" have ended: {what}")]
    Ended { host: String, what: Ended },
    #[error("the webhook URL has no signature: its parameter sig is missing")]
    NoSignature,
    #[error("thread_name is not taken from a webhook's URL")]
    ThreadName,
}

/// How the URLs of a type of webhook look, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlForm {
    /// The form, for a HINT.
    pub example: &'static str,
    /// Whose webhooks they are, as an error message says it.
    pub whose: &'static str,
    /// Where to copy the URL, for the HINT after another URL was given.
    pub copied: &'static str,
}

impl UrlForm {
    /// Returns the error for a URL that is not of this form.
    pub(super) const fn refuse(&'static self, fault: &'static str) -> EndpointError {
        EndpointError::NotOfType { form: self, fault }
    }
}

/// A page whose URL was given instead of a webhook's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub what: &'static str,
    /// Where the URL is found.
    pub hint: &'static str,
}

impl Page {
    /// Returns the page with the hint for services that have no hint of their own.
    pub(super) const fn usual(what: &'static str) -> Self {
        Self {
            what,
            hint: "In Discord: the channel's settings, Integrations, Webhooks, Copy Webhook URL. In Teams: the channel's menu, Workflows, \
                   \"Send webhook alerts to a channel\", and the URL that is shown at its end.",
        }
    }
}

/// A service that Microsoft has shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    #[error("Microsoft shut the connectors of Teams between 18 and 22 May 2026")]
    Connectors,
    #[error("Microsoft gave all flows new URLs, and those on logic.azure.com ended on 30 November 2025")]
    LogicApps,
}

/// Describes the parser's error without its terms, such as bases and code points.
fn in_words(error: &url::ParseError) -> &'static str {
    use url::ParseError::{
        EmptyHost, IdnaError, InvalidDomainCharacter, InvalidIpv4Address, InvalidIpv6Address, InvalidPort,
        RelativeUrlWithoutBase,
    };
    match error {
        RelativeUrlWithoutBase => "it does not begin with https://",
        EmptyHost => "it has no host",
        InvalidPort => "its port is not a number up to 65535",
        InvalidIpv4Address | InvalidIpv6Address => "its host is not an IP address",
        IdnaError | InvalidDomainCharacter => "its host has characters that no host has",
        _ => "it cannot be read",
    }
}

impl EndpointError {
    /// The HINT: what the user or the administrator can do.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::TooLong { .. } | Self::NotAUrl(_) | Self::OtherScheme | Self::NoPath { .. } => {
                "Copy the whole URL from where the service shows it.".into()
            }
            Self::HttpNotAllowed => {
                "A superuser can permit http by zentry_notify.allow_http, for tests only.".into()
            }
            Self::UserInfo | Self::Fragment => {
                "Remove it: the secret of a webhook is its path or query.".into()
            }
            Self::HostNotAllowed { host } => {
                format!("A superuser can add \"{host}\" to zentry_notify.allowed_hosts.")
            }
            Self::PortNotAllowed { host, port } => {
                format!("A superuser can add \"{host}:{port}\" to zentry_notify.allowed_hosts.")
            }
            Self::NotPublic { .. } => {
                "A superuser can permit this by zentry_notify.allow_private_addresses.".into()
            }
            Self::WrongType { meant, .. } => format!("Use the webhook type \"{meant}\" for it."),
            Self::NotOfType { form, .. } => format!("It looks like {}; {}", form.example, form.copied),
            Self::NatsUser => "Give them as secret: user:password, a token, or the content of a .creds file.".into(),
            Self::Escaped { .. } => {
                "Copy the URL as the browser's address line or the copy button gives it, not from a page's source, a shell's history or JSON; \
                 in a shell, put it in single quotes."
                    .into()
            }
            Self::NotAWebhook(page) => page.hint.into(),
            Self::Ended { what: Ended::Connectors, .. } => {
                "In Teams, open the channel's menu, Workflows, add \"Send webhook alerts to a channel\", and register the URL that it shows."
                    .into()
            }
            Self::Ended { what: Ended::LogicApps, .. } => {
                "Open the flow at make.powerautomate.com, its trigger \"When a Teams webhook request is received\", and copy the HTTP URL that \
                 is there now: its host ends in .api.powerplatform.com."
                    .into()
            }
            Self::NoSignature => {
                "Copy the whole URL, which has over 200 characters and &sig=... in it; in a shell, put it in single quotes: what follows an & \
                 is cut off there."
                    .into()
            }
            Self::ThreadName => {
                "Leave it out of the URL and set thread_name of the webhook; ?thread_id=... posts into a thread that there is.".into()
            }
        };
        Some(hint)
    }
}
