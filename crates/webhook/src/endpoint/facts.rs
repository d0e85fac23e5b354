//! What a type of webhook is like, besides its messages and its answers: each has a file that says so.

use std::sync::Arc;

use url::Url;

use super::{EndpointError, Page, UrlPolicy, Vendor};
use crate::kinds::{EndpointKind, Setting};
use crate::mention::{Mentions, Silence};
use crate::schedule::{Policy, Rate};

/// Of a URL, a message's name, and whether messages may belong to threads.
type RequestUrl = fn(&Url, Option<&str>, bool) -> Url;

/// Reads a text by a policy.
pub(crate) type Parse = fn(&str, &UrlPolicy) -> Result<Url, EndpointError>;

/// What is known of a type of webhook.
pub(crate) struct Facts {
    /// How a URL looks.
    pub(crate) example: &'static str,
    /// Whose webhooks they are, as an error says it.
    pub(crate) whose: &'static str,
    /// What else a person is told who gave another URL: where to copy it.
    pub(crate) copied: &'static str,
    /// Of the hosts that the vendor has, those that webhooks may be sent to if the administrator says nothing, as a comma-separated list.
    pub(crate) allowed_hosts: &'static str,
    /// Whether it is a host that the vendor has for such webhooks alone.
    pub(crate) is_vendors: fn(&str) -> bool,
    /// Reads and checks what is no URL of the web; None: it is one.
    pub(crate) parse: Option<Parse>,
    /// Checks the URL, and makes of it the one to post to.
    pub(crate) read: fn(Url, Vendor) -> Result<(EndpointKind, Url), EndpointError>,
    /// What of the URL the messages have, for services whose messages all go to one URL.
    pub(crate) topic: fn(&Url) -> Option<Arc<str>>,
    /// What else is a page of the service and no webhook's URL: of the host, the first part of the path, and the URL.
    pub(crate) page: fn(&str, &str, &Url) -> Option<Page>,
    /// What the vendor's own hosts take of a webhook, or of all that share a limit; None: nobody counts.
    pub(crate) rate: fn(&Policy) -> Option<Rate>,
    /// Whose requests count together where the vendor counts them, by a name that no other type has.
    pub(crate) shared_limit: fn(&Url) -> Option<String>,
    /// Where a message of that name is posted to, and whether messages may belong to threads, for receivers that are told it in the URL.
    pub(crate) request_url: Option<RequestUrl>,
    /// What subjects begin with, of what publishes to a stream.
    pub(crate) prefix: Option<fn(&Url) -> &str>,
    /// Whether it takes a message only once that comes again under the same name.
    pub(crate) knows_messages: bool,
    /// Whom a message can ping, or why nobody.
    pub(crate) mentions: Result<Mentions, Silence>,
    /// What its webhooks have a place for, besides what goes with messages and mentions.
    pub(crate) settings: &'static [Setting],
}

impl Facts {
    /// What most are like. What has no default has to be said by each.
    pub(crate) const USUAL: Self = Self {
        example: "",
        whose: "",
        copied: "",
        allowed_hosts: "",
        is_vendors: |_| false,
        parse: None,
        read: |_, _| Err(EndpointError::OtherScheme),
        topic: |_| None,
        page: |_, _, _| None,
        rate: |_| None,
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
