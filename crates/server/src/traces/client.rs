//! The HTTP client that posts spans.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::{StatusCode, redirect};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// The longest time that a request takes: the default of OTLP's exporters, 10 s.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An HTTP client that remembers the result of its last request, because the errors of OTLP's exporter have a status only as text, and no cause of
/// a failed request. Clones share the result.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    last: Arc<Mutex<Option<Said>>>,
}

/// The result of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The status of the response.
    Answer(StatusCode),
    /// There was no response, for this reason.
    Failure(String),
}

impl Client {
    /// Returns a client that trusts the system's certificate authorities, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR` where they are set.
    ///
    /// # Errors
    /// When no client can be built.
    pub fn new() -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            // Redirects are not followed: headers may hold a token, which is for this receiver only.
            .redirect(redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()
            .context("cannot make an HTTP client")?;
        Ok(Self {
            http,
            last: Arc::default(),
        })
    }

    /// Returns the result of the last request; `None`: there was no request.
    pub fn last(&self) -> Option<Said> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, said: Said) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.http.send_bytes(request).await;
        self.note(match &answer {
            Ok(answer) => Said::Answer(answer.status()),
            Err(error) => Said::Failure(innermost(error.as_ref())),
        });
        answer
    }
}

/// Returns the text of the innermost error: in reqwest's errors it tells the cause, while the outermost contains the URL.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
