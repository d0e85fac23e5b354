//! URLs of proxies.

use reqwest::Proxy;

use crate::endpoint::SecretUrl;

/// Why a text is not the URL of a proxy. The messages contain nothing of it, since it may have a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    #[error("it is not a URL")]
    NotAUrl,
    #[error("it does not begin with http://, https://, socks5:// or socks5h://")]
    Scheme,
    #[error("it names no host")]
    NoHost,
}

/// Parses the URL of a proxy.
///
/// # Errors
/// When it is not one; see [`ProxyError`].
pub fn parse_proxy(text: &str) -> Result<SecretUrl, ProxyError> {
    let url = text.parse().map_err(|_| ProxyError::NotAUrl)?;
    // The parser accepts "host:3128" as a URL of the scheme "host".
    if !text.contains("://") {
        return Err(ProxyError::Scheme);
    }
    let url = SecretUrl::new(url);
    proxy_of(&url).map(|_| url)
}

/// Returns what the HTTP client takes for the proxy.
pub(crate) fn proxy_of(url: &SecretUrl) -> Result<Proxy, ProxyError> {
    let url = url.expose();
    if !matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") {
        return Err(ProxyError::Scheme);
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(ProxyError::NoHost);
    }
    Proxy::all(url.clone()).map_err(|_| ProxyError::NotAUrl)
}
