//! Secrets of receivers that check signatures, and headers: made, and checked when they are written.

use pgrx::prelude::*;
use webhook::headers::OwnHeaders;
use webhook::signature::{SecretError, SigningSecret};

use crate::report;

/// Returns a secret that nobody knows.
#[pg_extern(sql = false)]
fn make_secret() -> String {
    SigningSecret::generate().map_or_else(|error| refuse(error), |secret| secret.expose())
}

/// Raises an error for what is no secret, and for headers that no request could have; null stands for none.
#[pg_extern(sql = false)]
fn check_signing(secret: Option<&str>, headers: Option<&str>) {
    if let Some(Err(error)) = secret.map(str::parse::<SigningSecret>) {
        refuse(error);
    }
    if let Some(Err(error)) = headers.map(OwnHeaders::parse) {
        report::refuse("headers", &format!("headers: {error}"), error.hint());
    }
}

fn refuse(error: SecretError) -> ! {
    report::refuse("secret", &error.to_string(), error.hint())
}
