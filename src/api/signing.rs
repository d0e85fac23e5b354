//! Signing secrets and headers: their check when they are written, and new secrets.

use pgrx::prelude::*;
use webhook::endpoint::WebhookType;
use webhook::headers::OwnHeaders;
use webhook::kinds::Setting;
use webhook::nats::Credentials;
use webhook::signature::{SecretError, SigningSecret};

use crate::report;

/// Returns a new random secret.
#[pg_extern(sql = false)]
fn make_secret() -> String {
    SigningSecret::generate().map_or_else(|error| refuse(error), |secret| secret.expose())
}

/// Raises an error unless the secret is valid for the type of webhook, and the headers are valid; null stands for none. An unknown type is refused
/// elsewhere.
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
