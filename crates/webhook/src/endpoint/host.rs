//! The hosts and ports that requests may be made to.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// One entry of the list of allowed hosts: `host` or `*.suffix` or an IP address, each with an optional `:port`.
/// Without a port it permits the scheme's default port only, with one that port only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    host: HostMatch,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostMatch {
    Exactly(Host<String>),
    /// One label or more in front of this domain.
    Below(String),
}

/// The error for a text that is not a host pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a host, \"*.domain\" or IP address, with or without \":port\"")]
pub struct HostPatternError(String);

impl HostPattern {
    /// Whether the pattern permits the URL's host and port.
    pub fn matches(&self, url: &Url) -> bool {
        // `Url::port` is none for the scheme's default port.
        let port_matches = match self.port {
            None => url.port().is_none(),
            some => url.port_or_known_default() == some,
        };
        port_matches && self.matches_host(url)
    }

    /// Whether the pattern permits a server of a stream. It has to name the port, since there is no default one.
    pub(super) fn matches_server(&self, host: &Host<String>, port: u16) -> bool {
        let host_matches = match (&self.host, host) {
            (HostMatch::Exactly(wanted), host) => wanted == host,
            (HostMatch::Below(suffix), Host::Domain(host)) => is_below(host, suffix),
            _ => false,
        };
        host_matches && self.port == Some(port)
    }

    /// Whether the pattern permits the URL's host, on this port or another one.
    pub(super) fn matches_host(&self, url: &Url) -> bool {
        match (&self.host, url.host()) {
            (HostMatch::Exactly(wanted), Some(host)) => *wanted == host,
            (HostMatch::Below(suffix), Some(Host::Domain(host))) => is_below(host, suffix),
            _ => false,
        }
    }
}

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || HostPatternError(text.to_owned());
        let text = text.trim();
        let (host, port) = match text.rsplit_once(':') {
            // The colons of an address in brackets are not the port's.
            Some((host, port)) if !port.contains(']') => {
                let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(error)?;
                (host, Some(port))
            }
            _ => (text, None),
        };
        let host = match host.strip_prefix("*.") {
            Some(suffix) => match Host::parse(suffix).map_err(|_| error())? {
                Host::Domain(suffix) if !suffix.contains('*') => HostMatch::Below(suffix),
                _ => return Err(error()),
            },
            None => match Host::parse(host).map_err(|_| error())? {
                Host::Domain(host) if host.contains('*') => return Err(error()),
                host => HostMatch::Exactly(host),
            },
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostMatch::Exactly(host) => write!(f, "{host}")?,
            HostMatch::Below(suffix) => write!(f, "*.{suffix}")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// Reads a comma-separated list of patterns; an empty list permits nothing.
///
/// # Errors
/// The first entry that is not a pattern.
pub fn parse_host_patterns(list: &str) -> Result<Vec<HostPattern>, HostPatternError> {
    list.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(str::parse)
        .collect()
}

/// Whether `host` is one of `domains` or below one.
pub(super) fn is_within(host: &str, domains: &[&str]) -> bool {
    domains
        .iter()
        .any(|domain| host == *domain || is_below(host, domain))
}

fn is_below(host: &str, suffix: &str) -> bool {
    host.strip_suffix(suffix)
        .and_then(|rest| rest.strip_suffix('.'))
        .is_some_and(|label| !label.is_empty())
}

/// The URL's host, for an error message.
pub(super) fn name(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}
