//! The properties of a type of webhook, besides its messages and its answers. Each type has a file with its own.

use std::sync::Arc;

use url::Url;

use super::error::{EndpointError, Page, UrlForm};
use super::url_policy::UrlPolicy;
use super::vendor::Vendor;
use crate::kinds::{EndpointKind, Setting};
use crate::mention::{Mentions, Silence};
use crate::rate::Rate;

/// Makes the URL of a request from the URL to post to, the message's id, and whether messages may belong to threads.
type RequestUrl = fn(&Url, Option<&str>, bool) -> Url;

/// Parses a URL and checks it against the policy.
pub(super) type Parse = fn(&str, &UrlPolicy) -> Result<Url, EndpointError>;

/// The properties of a type of webhook.
pub(super) struct Facts {
    /// How its URLs look.
    pub(super) form: &'static UrlForm,
    /// The vendor's hosts that are allowed by default (`zentry_notify.allowed_hosts`), as a comma-separated list.
    pub(super) allowed_hosts: &'static str,
    /// Whether a host is the vendor's, and for webhooks of this type only.
    pub(super) is_vendors: fn(&str) -> bool,
    /// Parses and checks URLs that are not `https` or `http`; `None`: its URLs are.
    pub(super) parse: Option<Parse>,
    /// Checks the form of the URL, and returns its kind and the URL to post to.
    pub(super) read: fn(Url, Vendor) -> Result<(EndpointKind, Url), EndpointError>,
    /// The part of the URL that messages contain, for services whose messages are all posted to the same URL.
    pub(super) topic: fn(&Url) -> Option<Arc<str>>,
    /// Recognises pages of the service that are not webhooks, by the host, the first segment of the path, and the URL.
    pub(super) page: fn(&str, &str, &Url) -> Option<Page>,
    /// The rate that the vendor's own hosts accept for a webhook, or for all that share a limit; `None`: no limit is known, or a setting has it.
    pub(super) rate: Option<Rate>,
    /// The name of the limit that webhooks share, if the vendor counts their requests together. No other type has the same name.
    pub(super) shared_limit: fn(&Url) -> Option<String>,
    /// Makes the URL of a request, for receivers that take a message's id or its thread from the URL.
    pub(super) request_url: Option<RequestUrl>,
    /// The prefix of subjects, for streams.
    pub(super) prefix: Option<fn(&Url) -> &str>,
    /// Whether a message that is sent again with the same id is accepted only once.
    pub(super) knows_messages: bool,
    /// Whom a message can ping, or why it can ping nobody.
    pub(super) mentions: Result<Mentions, Silence>,
    /// The settings that its webhooks have, besides those that follow from messages and mentions.
    pub(super) settings: &'static [Setting],
}

impl Facts {
    /// The usual properties. Each type has to set `form` and `read` itself.
    pub(super) const USUAL: Self = Self {
        form: &UrlForm {
            example: "",
            whose: "",
            copied: "",
        },
        allowed_hosts: "",
        is_vendors: |_| false,
        parse: None,
        read: |_, _| Err(EndpointError::OtherScheme),
        topic: |_| None,
        page: |_, _, _| None,
        rate: None,
        shared_limit: |_| None,
        request_url: None,
        prefix: None,
        knows_messages: false,
        mentions: Err(Silence {
            why: "a message of this type mentions nobody",
            hint: "Leave it out.",
        }),
        settings: &[],
    };
}
