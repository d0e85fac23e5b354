//! Webhook URLs: checked when they are written, redacted when they are shown.

use pgrx::prelude::*;
use webhook::endpoint::{
    Endpoint, EndpointError, UrlPolicy, WebhookType, parse_host_patterns, parse_mention, redact,
};

use crate::{report, settings};

/// Raises an error unless `webhook_url` is a URL of a webhook of this type, and the settings let it be called.
#[pg_extern(sql = false)]
fn check_webhook_url(webhook_type: &str, webhook_url: &str) {
    endpoint_or_refusal(webhook_type, webhook_url, Endpoint::parse_new);
}

/// Returns why a URL of a service that has ended can be kept but not called; None for every other URL.
#[pg_extern(sql = false)]
fn ended_service(webhook_type: &str, webhook_url: &str) -> Option<String> {
    let error = Endpoint::parse(webhook_type.parse().ok()?, webhook_url, &settings::url_policy()).err()?;
    matches!(error, EndpointError::Ended { .. })
        .then(|| format!("{error}. {}", error.hint().unwrap_or_default()))
}

/// Raises an error unless `mention` is valid for messages to the webhook.
#[pg_extern(sql = false)]
fn check_mention(webhook_type: &str, webhook_url: &str, mention: &str) {
    let endpoint = require_endpoint(webhook_type, webhook_url);
    if let Err(error) = parse_mention(endpoint.kind(), mention) {
        report::refuse("mention", &format!("mention: {error}"), error.hint());
    }
}

/// Raises an error unless there is such a type of webhook.
#[pg_extern(sql = false)]
fn check_webhook_type(webhook_type: &str) {
    require_type(webhook_type);
}

fn require_type(name: &str) -> WebhookType {
    name.parse().unwrap_or_else(|_| {
        report::refuse(
            "webhook_type",
            // Only the beginning is shown, since somebody may have passed a secret in its place.
            &format!(
                "unknown webhook type \"{}\"",
                name.chars().take(20).collect::<String>()
            ),
            &format!("The types are {}.", WebhookType::listed()),
        )
    })
}

/// Returns which of the given settings keep the URL from being called, and the value that each needs; of allowed_hosts, the entries that it lacks.
#[pg_extern(sql = false)]
#[allow(
    clippy::type_complexity,
    reason = "pgrx reads the columns' names from the type"
)]
fn settings_in_the_way(
    webhook_type: &str,
    webhook_url: &str,
    allowed_hosts: &str,
    allow_http: bool,
    allow_private_addresses: bool,
) -> TableIterator<'static, (name!(setting, &'static str), name!(needed, String))> {
    let policy = UrlPolicy {
        allowed_hosts: parse_host_patterns(allowed_hosts).unwrap_or_default(),
        allow_http,
        allow_private_addresses,
    };
    let webhook_type = webhook_type.parse::<WebhookType>().ok();
    let found = webhook_type.map_or_else(Vec::new, |webhook_type| lacks(webhook_type, webhook_url, policy));
    TableIterator::new(found)
}

/// Finds the settings one after the other: each is changed as it needs to be, and the URL is checked again.
fn lacks(webhook_type: WebhookType, webhook_url: &str, mut policy: UrlPolicy) -> Vec<(&'static str, String)> {
    let on = || "on".to_owned();
    let mut hosts: Vec<String> = Vec::new();
    let mut found = Vec::new();
    while let Err(error) = Endpoint::parse(webhook_type, webhook_url, &policy) {
        match error {
            EndpointError::HttpNotAllowed if !policy.allow_http => {
                policy.allow_http = true;
                found.push(("zentry_notify.allow_http", on()));
            }
            EndpointError::NotPublic { .. } if !policy.allow_private_addresses => {
                policy.allow_private_addresses = true;
                found.push(("zentry_notify.allow_private_addresses", on()));
            }
            EndpointError::HostNotAllowed { host: refused } if hosts.is_empty() => {
                policy
                    .allowed_hosts
                    .extend(parse_host_patterns(&refused).unwrap_or_default());
                hosts.push(refused);
            }
            // A host without a port allows the scheme's own port only. The URL may have several servers.
            EndpointError::PortNotAllowed { host: refused, port } => {
                let with_port = format!("{refused}:{port}");
                if hosts.contains(&with_port) {
                    break;
                }
                policy
                    .allowed_hosts
                    .extend(parse_host_patterns(&with_port).unwrap_or_default());
                hosts.retain(|host| *host != refused);
                hosts.push(with_port);
            }
            // The URL itself is invalid.
            _ => break,
        }
    }
    if !hosts.is_empty() {
        found.push(("zentry_notify.allowed_hosts", hosts.join(", ")));
    }
    found
}

/// Returns the URL without its secret.
#[pg_extern(sql = false)]
fn redact_url(webhook_url: &str) -> String {
    redact(webhook_url)
}

/// Returns the endpoint of a webhook. It raises an error if the URL is invalid or may not be called.
pub fn require_endpoint(webhook_type: &str, webhook_url: &str) -> Endpoint {
    endpoint_or_refusal(webhook_type, webhook_url, Endpoint::parse)
}

fn endpoint_or_refusal(
    webhook_type: &str,
    webhook_url: &str,
    parse: fn(WebhookType, &str, &UrlPolicy) -> Result<Endpoint, EndpointError>,
) -> Endpoint {
    let webhook_type = require_type(webhook_type);
    parse(webhook_type, webhook_url, &settings::url_policy()).unwrap_or_else(|error| {
        report::refuse(
            "webhook_url",
            &error.to_string(),
            &error.hint().unwrap_or_default(),
        )
    })
}
