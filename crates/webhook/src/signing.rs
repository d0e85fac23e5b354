//! What a webhook's requests have besides their body: signatures, headers of the user's own, credentials.

use std::fmt;

use crate::client::Headers;
use crate::endpoint::Endpoint;
use crate::headers::OwnHeaders;
use crate::kinds::Setting;
use crate::nats::{Credentials, Message, Publication};
use crate::signature::{self, SigningSecret};
use crate::traceparent::{self, Traceparent};
use jiff::Timestamp;

/// What a receiver that checks signatures is told besides.
#[derive(Default)]
pub struct StoredSigning {
    pub secret: Option<String>,
    /// The secret of before, and until when it counts.
    pub previous: Option<(String, Timestamp)>,
    /// JSON.
    pub headers: Option<String>,
}

impl fmt::Debug for StoredSigning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredSigning(***)")
    }
}

/// Of a webhook whose receiver checks signatures, looks at headers, or asks for credentials.
#[derive(Clone, Debug, Default)]
pub struct Signing {
    /// None: its requests are not signed.
    secret: Option<SigningSecret>,
    /// That of before, until its time of grace is over.
    previous: Option<(SigningSecret, Timestamp)>,
    headers: OwnHeaders,
    credentials: Option<Credentials>,
}

impl Signing {
    /// Gives an endpoint that takes signatures, headers or credentials what its requests have besides, and the texts that must be masked; others are
    /// as they were.
    ///
    /// # Errors
    /// What is wrong with what is stored, which was checked when it was written.
    pub fn of(endpoint: Endpoint, stored: &StoredSigning) -> Result<(Endpoint, Option<Self>), String> {
        if endpoint.has(Setting::Credentials) {
            let credentials = stored
                .secret
                .as_deref()
                .map(str::parse::<Credentials>)
                .transpose();
            let credentials = credentials.map_err(|error| error.to_string())?;
            let secrets = credentials.as_ref().map_or_else(Vec::new, Credentials::secrets);
            let signing = Self {
                credentials,
                ..Self::default()
            };
            return Ok((endpoint.with_secrets(secrets), Some(signing)));
        }
        let is_signed = endpoint.has(Setting::Secret);
        if !is_signed && !endpoint.has(Setting::Headers) {
            return Ok((endpoint, None));
        }
        let signing = Self::read(stored, is_signed)?;
        Ok((endpoint.with_secrets(signing.headers.secrets()), Some(signing)))
    }

    fn read(stored: &StoredSigning, is_signed: bool) -> Result<Self, String> {
        let secret = || parsed(stored.secret.as_deref().ok_or("the webhook has no secret")?);
        // What is no secret signs nothing, and a new one mends that.
        let previous = stored.previous.as_ref();
        Ok(Self {
            secret: is_signed.then(secret).transpose()?,
            previous: previous.and_then(|(secret, until)| Some((parsed(secret).ok()?, *until))),
            headers: stored
                .headers
                .as_deref()
                .map(OwnHeaders::parse)
                .transpose()
                .map_err(|error| error.to_string())?
                .unwrap_or_default(),
            credentials: None,
        })
    }

    /// What is published under that name.
    pub fn message(&self, publication: Publication, traceparent: Option<Traceparent>) -> Message {
        Message {
            publication,
            traceparent,
            credentials: self.credentials.clone(),
        }
    }

    /// The headers of an attempt. What the user has given goes before a trace.
    pub fn headers(
        &self,
        message_id: Option<&str>,
        traceparent: Option<Traceparent>,
        now: Timestamp,
        body: &[u8],
    ) -> Headers {
        let mut headers = Headers::default();
        if let Some(traceparent) = traceparent {
            headers.push(traceparent::HEADER, traceparent.to_string());
        }
        if let (Some(secret), Some(message_id)) = (&self.secret, message_id) {
            let previous = self.previous.as_ref().filter(|(_, until)| now < *until);
            let secrets = [secret].into_iter().chain(previous.map(|(secret, _)| secret));
            for (name, value) in signature::headers(secrets, message_id, now, body) {
                headers.push(name, value);
            }
        }
        for (name, value) in self.headers.expose() {
            headers.push(name, value);
        }
        headers
    }
}

fn parsed(secret: &str) -> Result<SigningSecret, String> {
    secret
        .parse()
        .map_err(|error: signature::SecretError| error.to_string())
}
