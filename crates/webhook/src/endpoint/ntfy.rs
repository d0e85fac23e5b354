//! The shape of ntfy's topics. A message as JSON is posted to the root of the server, and has the topic in its body.
//!
//! Sources: binwiederhier/ntfy, server/server.go (`topicRegex`, `transformBodyJSON`), server/config.go (limits, `DefaultDisallowedTopics`) and
//! docs/publish.md ("Publish as JSON", "Limitations").

use url::Url;

use super::error::{EndpointError, Page, UrlForm};
use super::facts::Facts;
use crate::kinds::{EndpointKind, Setting};
use crate::mention::Silence;
use crate::rate::Rate;

const FORM: UrlForm = UrlForm {
    example: "https://ntfy.sh/<topic>",
    whose: "ntfy's topics",
    copied: "a topic has up to 64 letters, digits, hyphens and underscores, and whoever knows its name can read it.",
};

pub(super) const FACTS: Facts = Facts {
    form: &FORM,
    allowed_hosts: HOST,
    is_vendors: |host| host == HOST,
    read: |url, _| Ok((EndpointKind::Ntfy, root(url)?)),
    page,
    topic: |url| topic(url).map(Into::into),
    // ntfy.sh takes 60 requests at once, and one more every 5 seconds, from an address.
    rate: Some(RATE),
    shared_limit: |url| Some(format!("host {}", url.host_str()?)),
    mentions: Err(Silence {
        why: "a message of ntfy mentions nobody",
        hint: "Leave it out: all subscribers of the topic are notified.",
    }),
    settings: &[Setting::Headers],
    ..Facts::USUAL
};

const HOST: &str = "ntfy.sh";

const RATE: Rate = Rate {
    count: 60,
    period: std::time::Duration::from_secs(300),
};

const MAX_TOPIC: usize = 64;

/// Names that a server uses for itself.
const NO_TOPICS: [&str; 10] = [
    "docs", "static", "file", "app", "metrics", "account", "settings", "signup", "login", "v1",
];

fn topic(url: &Url) -> Option<&str> {
    let topic = url.path().strip_prefix('/')?;
    let is_topic = (1..=MAX_TOPIC).contains(&topic.len())
        && topic
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    is_topic.then_some(topic)
}

/// Returns the root of the topic's server, to which messages are posted. The query is kept: it may have `priority` or `email`.
fn root(mut url: Url) -> Result<Url, EndpointError> {
    let fault = match topic(&url) {
        Some(topic) if NO_TOPICS.contains(&topic) => "that is a page of the server",
        Some(_) => {
            url.set_path("/");
            return Ok(url);
        }
        None => "its path is not /<topic>",
    };
    Err(FORM.refuse(fault))
}

fn page(host: &str, first: &str, _: &Url) -> Option<Page> {
    let is_page = host == "docs.ntfy.sh" || (host == HOST && NO_TOPICS.contains(&first));
    is_page.then_some(Page {
        what: "a page of ntfy",
        hint: "A topic's URL is https://ntfy.sh/ and its name.",
    })
}
