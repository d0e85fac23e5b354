//! The types of webhooks (`webhook::kinds`), for SQL.

use pgrx::prelude::*;
use webhook::endpoint::WebhookType;

/// Whether webhooks of a type have one of the settings that not all types have; None: the type is unknown.
#[pg_extern(sql = false)]
fn type_has(webhook_type: &str, setting: &str) -> Option<bool> {
    let of: WebhookType = webhook_type.parse().ok()?;
    Some(of.settings().any(|has| has.name() == setting))
}

/// Returns all types, with their labels, example URLs, the syntax of mentions, settings and formats.
#[pg_extern(sql = false)]
#[allow(
    clippy::type_complexity,
    reason = "pgrx reads the columns' names from the type"
)]
fn zentry_webhook_types() -> TableIterator<
    'static,
    (
        name!(webhook_type, &'static str),
        name!(label, &'static str),
        name!(url, &'static str),
        name!(mention, Option<String>),
        name!(settings, Vec<&'static str>),
        name!(formats, Vec<&'static str>),
    ),
> {
    TableIterator::new(WebhookType::ALL.iter().map(|of| {
        (
            of.name(),
            of.label(),
            of.example(),
            of.mentions().map(|syntax| syntax.replace('`', "")),
            of.settings().map(|setting| setting.name()).collect(),
            of.kinds().iter().map(|kind| kind.format()).collect(),
        )
    }))
}
