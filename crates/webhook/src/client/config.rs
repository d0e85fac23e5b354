//! The configuration of a client.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{redirect, retry};
use rustls::RootCertStore;

use super::error::ClientError;
use super::limits::{Limits, SetBy};
use super::resolver::CheckingResolver;
use super::user_agent::USER_AGENT;
use super::{failure, tls};
use crate::proxy::proxy_of;
use crate::way::Way;

/// How long an idle connection is kept: far less than Discord's and Microsoft's servers keep it, so that a request
/// rarely uses a connection that is just being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A client's settings; the defaults are those of the extension.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The maximum time of a request as a whole, from the name's resolution to the end of the answer.
    pub request_timeout: Duration,
    /// The maximum time to resolve the name, to connect, and for the TLS handshake.
    pub connect_timeout: Duration,
    /// The local address of connections; hosts of the other address family cannot be reached then. `None`: the system chooses.
    pub source_address: Option<IpAddr>,
    /// Certificates of authorities (PEM) that are trusted besides the system's. Those are where OpenSSL looks for
    /// them, `SSL_CERT_FILE` and `SSL_CERT_DIR` included.
    pub ca_pem: Option<Vec<u8>>,
    /// Permits loopback, private and other addresses that are not on the public Internet.
    pub allow_private_addresses: bool,
    /// The ways out; an empty list stands for the direct one. A proxy is `http`, `https`, `socks5` (names are resolved here) or
    /// `socks5h` (names are resolved by the proxy), with `user:password@` where the proxy wants it. The proxy itself may have a
    /// private address.
    pub ways: Vec<Way>,
    /// The maximum number of idle connections for each host, over all ways.
    pub max_idle_per_host: usize,
    /// The names of settings in error messages.
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
            // The scheduler retries. Without retries here, the client does not copy requests.
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
            .map_err(|error| ClientError::Build(failure::innermost(&error.without_url())))
    }
}
