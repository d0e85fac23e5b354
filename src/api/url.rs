//! Webhook URLs: checked when they are written, redacted when they are shown.

use pgrx::prelude::*;
use webhook::endpoint::{Endpoint, EndpointError, UrlPolicy, WebhookType, parse_host_patterns, redact};
use webhook::mention::Mention;

use crate::{report, settings};

/// Raises an error unless `webhook_url` is the URL of such a webhook and may be called.
#[pg_extern(sql = false)]
fn check_webhook_url(webhook_type: &str, webhook_url: &str) {
    endpoint_or_refusal(webhook_type, webhook_url, Endpoint::parse_new);
}

/// Why a URL of a service that there is no more can be kept but not called; none for any other.
#[pg_extern(sql = false)]
fn ended_service(webhook_type: &str, webhook_url: &str) -> Option<String> {
    let error = Endpoint::parse(webhook_type.parse().ok()?, webhook_url, &settings::url_policy()).err()?;
    matches!(error, EndpointError::Ended { .. })
        .then(|| format!("{error}. {}", error.hint().unwrap_or_default()))
}

/// Raises an error unless messages to the webhook can ping so.
#[pg_extern(sql = false)]
fn check_mention(webhook_type: &str, webhook_url: &str, mention: &str) {
    let endpoint = require_endpoint(webhook_type, webhook_url);
    if let Err(error) = Mention::parse(endpoint.kind(), mention) {
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
            // What somebody took for the type may be a secret.
            &format!(
                "unknown webhook type \"{}\"",
                name.chars().take(20).collect::<String>()
            ),
            &format!("The types are {}.", WebhookType::listed(|_| "")),
        )
    })
}

/// Returns what would have to be added to zentry_notify.allowed_hosts for the URL to be called; None: nothing.
#[pg_extern(sql = false)]
fn host_to_allow(webhook_type: &str, webhook_url: &str) -> Option<String> {
    let webhook_type = webhook_type.parse::<WebhookType>().ok()?;
    let mut policy = settings::url_policy();
    let with_port = |error| match error {
        EndpointError::PortNotAllowed { host, port } => Some(format!("{host}:{port}")),
        _ => None,
    };
    match Endpoint::parse(webhook_type, webhook_url, &policy).err()? {
        EndpointError::HostNotAllowed { host } => {
            // The host alone does not allow another port than that of https.
            policy.allowed_hosts.extend(parse_host_patterns(&host).ok()?);
            let refused = Endpoint::parse(webhook_type, webhook_url, &policy).err();
            refused.and_then(with_port).or(Some(host))
        }
        other => with_port(other),
    }
}

/// Returns the URL without its secret.
#[pg_extern(sql = false)]
fn redact_url(webhook_url: &str) -> String {
    redact(webhook_url)
}

/// Returns where the webhook's messages go, or raises the error that says why they can go nowhere.
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
