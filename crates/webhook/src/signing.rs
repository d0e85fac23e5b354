//! What a webhook's requests have besides their body: signatures, additional headers, credentials.

use std::fmt;

use crate::client::Headers;
use crate::endpoint::Endpoint;
use crate::headers::OwnHeaders;
use crate::kinds::Setting;
use crate::nats::{Credentials, Message, Publication};
use crate::signature::{self, SigningSecret};
use crate::traceparent::{self, Traceparent};
use jiff::Timestamp;

/// The secrets of a webhook besides its URL, as they are stored.
#[derive(Default)]
pub struct StoredSigning {
    pub secret: Option<String>,
    /// The previous secret, and until when it is used.
    pub previous: Option<(String, Timestamp)>,
    /// The headers, as JSON.
    pub headers: Option<String>,
}

impl fmt::Debug for StoredSigning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredSigning(***)")
    }
}

/// The signing secrets, headers and credentials of a webhook.
#[derive(Clone, Debug, Default)]
pub struct Signing {
    /// None: its requests are not signed.
    secret: Option<SigningSecret>,
    /// The previous secret, and the end of its grace period.
    previous: Option<(SigningSecret, Timestamp)>,
    headers: OwnHeaders,
    credentials: Option<Credentials>,
}

impl Signing {
    /// Reads what the requests of an endpoint have besides their body (`None`: nothing), and adds the texts to be masked to the endpoint.
    ///
    /// # Errors
    /// What is wrong with the stored texts, which were checked when they were written.
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
        // A previous secret that cannot be read is ignored.
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

    /// Returns what is published to a stream besides the body.
    pub fn message(&self, publication: Publication, traceparent: Option<Traceparent>) -> Message {
        Message {
            publication,
            traceparent,
            credentials: self.credentials.clone(),
        }
    }

    /// Returns the headers of an attempt. Headers of the user's come last, so that they replace `traceparent`.
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
