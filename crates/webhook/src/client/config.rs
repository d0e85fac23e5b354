//! What a client can be told.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Proxy, redirect, retry};
use rustls::RootCertStore;

use super::resolver::CheckingResolver;
use super::{USER_AGENT, tls};
use crate::endpoint::SecretUrl;
use crate::way::Way;

/// Far below the time after which Discord's and Microsoft's servers close an idle connection, so that a request
/// rarely meets a connection that is just being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// What a client's way out and its authorities are set by, as its errors call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetBy {
    pub proxy: &'static str,
    pub ca_file: &'static str,
}

impl Default for SetBy {
    fn default() -> Self {
        Self {
            proxy: "zentry_notify.proxy",
            ca_file: "zentry_notify.ca_file",
        }
    }
}

/// A client's settings; the defaults are those of the extension.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// For a request as a whole, from the name's resolution to the end of the answer.
    pub request_timeout: Duration,
    /// For resolving, connecting and the TLS handshake.
    pub connect_timeout: Duration,
    /// The address that connections leave from, one of this machine's; what is of the other family is not reached. None: as the system chooses.
    pub source_address: Option<IpAddr>,
    /// Certificates of authorities (PEM) that are trusted besides the system's. Those are where OpenSSL looks for
    /// them, `SSL_CERT_FILE` and `SSL_CERT_DIR` included.
    pub ca_pem: Option<Vec<u8>>,
    /// Permits loopback, private and other addresses that are not on the public Internet.
    pub allow_private_addresses: bool,
    /// The only ways out; none counts as the direct one. A proxy is `http`, `https`, `socks5` (names are resolved here) or
    /// `socks5h` (names are resolved by the proxy), with `user:password@` where the proxy wants it. The proxy itself may have a
    /// private address.
    pub ways: Vec<Way>,
    /// Connections that are kept for the next request, per host, over all ways.
    pub max_idle_per_host: usize,
    /// For errors.
    pub set_by: SetBy,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            source_address: None,
            ca_pem: None,
            allow_private_addresses: false,
            ways: vec![Way::Direct],
            max_idle_per_host: 128,
            set_by: SetBy::default(),
        }
    }
}

/// Why there is no client. The texts hold no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    #[error("the certificates of ca_file can't be read: {0}")]
    CaPem(String),
    #[error("the proxy can't be used: {0}")]
    Proxy(#[from] ProxyError),
    #[error("the HTTP client can't be made: {0}")]
    Build(String),
}

/// What every request is held to, over HTTP and to NATS.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub request_timeout: Duration,
    pub connect_timeout: Duration,
    pub allow_private_addresses: bool,
    /// Something may leave from the machine's own address.
    pub direct: bool,
    pub set_by: SetBy,
}

impl ClientConfig {
    pub(super) fn limits(&self) -> Limits {
        Limits {
            request_timeout: self.request_timeout,
            connect_timeout: self.connect_timeout,
            allow_private_addresses: self.allow_private_addresses,
            direct: self.ways.is_empty() || self.ways.contains(&Way::Direct),
            set_by: self.set_by,
        }
    }

    pub(super) fn build(
        &self,
        way: &Way,
        trusted: &Arc<RootCertStore>,
    ) -> Result<reqwest::Client, ClientError> {
        let proxy_host = way
            .proxy()
            .and_then(|proxy| proxy.expose().host_str().map(str::to_owned));
        let idle = (self.max_idle_per_host / self.ways.len().max(1)).max(1);
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .tls_backend_preconfigured(tls::config(trusted)?)
            .http1_only()
            .redirect(redirect::Policy::none())
            .referer(false)
            // Retries are the scheduler's. Where there may be none, no request is copied for one.
            .retry(retry::never().max_retries_per_request(0))
            .local_address(self.source_address)
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(idle)
            .dns_resolver(CheckingResolver::new(self.allow_private_addresses, proxy_host))
            .no_proxy();
        let builder = match way.proxy() {
            Some(proxy) => builder.proxy(proxy_of(proxy)?),
            None => builder,
        };
        builder
            .build()
            .map_err(|error| ClientError::Build(super::failure::innermost(&error.without_url())))
    }
}

/// Why a text is not the URL of a proxy. The texts hold nothing of it: it may have a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    #[error("it is not a URL")]
    NotAUrl,
    #[error("it does not begin with http://, https://, socks5:// or socks5h://")]
    Scheme,
    #[error("it names no host")]
    NoHost,
}

/// Reads the URL of a proxy.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse_proxy(text: &str) -> Result<SecretUrl, ProxyError> {
    let url = text.parse().map_err(|_| ProxyError::NotAUrl)?;
    // What is not one of these may still be a URL for the parser: "host:3128" has the scheme "host".
    if !text.contains("://") {
        return Err(ProxyError::Scheme);
    }
    let url = SecretUrl::new(url);
    proxy_of(&url).map(|_| url)
}

fn proxy_of(url: &SecretUrl) -> Result<Proxy, ProxyError> {
    let url = url.expose();
    if !matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") {
        return Err(ProxyError::Scheme);
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(ProxyError::NoHost);
    }
    Proxy::all(url.clone()).map_err(|_| ProxyError::NotAUrl)
}
