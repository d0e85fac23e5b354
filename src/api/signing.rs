//! Secrets of receivers that check signatures, and headers: made, and checked when they are written.

use pgrx::prelude::*;
use webhook::endpoint::WebhookType;
use webhook::headers::OwnHeaders;
use webhook::kinds::Setting;
use webhook::nats::Credentials;
use webhook::signature::{SecretError, SigningSecret};

use crate::report;

/// Returns a secret that nobody knows.
#[pg_extern(sql = false)]
fn make_secret() -> String {
    SigningSecret::generate().map_or_else(|error| refuse(error), |secret| secret.expose())
}

/// Raises an error for what is no secret of such a webhook, and for headers that no request could have; null stands for none. Another type than
/// those that there are is refused elsewhere.
#[pg_extern(sql = false)]
fn check_signing(webhook_type: Option<&str>, secret: Option<&str>, headers: Option<&str>) {
    let webhook_type = webhook_type.and_then(|name| name.parse::<WebhookType>().ok());
    if webhook_type.is_some_and(|of| of.has(Setting::Credentials)) {
        if let Some(Err(error)) = secret.map(str::parse::<Credentials>) {
            report::refuse("secret", &error.to_string(), error.hint());
        }
    } else if let Some(Err(error)) = secret.map(str::parse::<SigningSecret>) {
        refuse(error);
    }
    if let Some(Err(error)) = headers.map(OwnHeaders::parse) {
        report::refuse("headers", &format!("headers: {error}"), error.hint());
    }
}

fn refuse(error: SecretError) -> ! {
    report::refuse("secret", &error.to_string(), error.hint())
}
