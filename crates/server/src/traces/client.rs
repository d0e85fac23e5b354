//! How spans are posted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::{StatusCode, redirect};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// OTLP's own default.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A client that knows what has become of the last request: the exporter's errors leave it out.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    last: Arc<Mutex<Option<Said>>>,
}

/// What has become of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Answer(StatusCode),
    /// There was no answer.
    Failure(String),
}

impl Client {
    /// By TLS it trusts the system's authorities, `SSL_CERT_FILE` and `SSL_CERT_DIR` included.
    pub fn new() -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            // Headers may hold a token.
            .redirect(redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()
            .context("cannot make an HTTP client")?;
        Ok(Self {
            http,
            last: Arc::default(),
        })
    }

    /// What has become of the last request; None: none was made.
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

/// Of reqwest's errors, the innermost says what is wrong, and the outermost has the URL.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
