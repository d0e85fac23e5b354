//! Resolution of names to addresses that may be connected to.

use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::endpoint::{Server, is_public};
use crate::outcome::TransportError;

/// The name resolves only to addresses that are not permitted.
#[derive(Debug, thiserror::Error)]
#[error("{host} resolves to {address}, which is not a public address")]
pub(super) struct AddressRefused {
    host: String,
    address: IpAddr,
}

/// The name does not resolve.
#[derive(Debug, thiserror::Error)]
#[error("{host}: {reason}")]
pub(super) struct NotResolved {
    host: String,
    reason: String,
}

/// Returns the permitted addresses of a server. The connection has to be made to one of these, and not to the name.
pub(super) async fn allowed(
    server: &Server,
    allow_private_addresses: bool,
) -> Result<Vec<SocketAddr>, TransportError> {
    let found = match server.address() {
        Some(address) => vec![SocketAddr::new(address, server.port)],
        None => {
            let host = server.host.to_string();
            let found = lookup(&host).await;
            found.map_err(|error| TransportError::Resolve(error.to_string()))?
        }
    };
    let may = |address: &SocketAddr| allow_private_addresses || is_public(address.ip());
    match found.iter().find(|address| !may(address)) {
        Some(refused) if !found.iter().any(may) => {
            let (host, address) = (server.host.to_string(), refused.ip());
            Err(TransportError::Forbidden(
                AddressRefused { host, address }.to_string(),
            ))
        }
        _ => {
            let with_port = |address: SocketAddr| SocketAddr::new(address.ip(), server.port);
            Ok(found.into_iter().filter(may).map(with_port).collect())
        }
    }
}

/// The system's resolver (`getaddrinfo` on a thread of its own), without the addresses that are not public.
///
/// reqwest connects to the addresses that this returns, so there is no second resolution in which a name could have another
/// address. Nothing is cached, because an idle connection is reused without its name.
pub(super) struct CheckingResolver {
    allow_private_addresses: bool,
    /// The proxy's host, which may have a private address: an administrator has chosen it.
    trusted_host: Option<String>,
}

impl CheckingResolver {
    pub(super) fn new(allow_private_addresses: bool, trusted_host: Option<String>) -> Self {
        Self {
            allow_private_addresses,
            trusted_host,
        }
    }
}

impl Resolve for CheckingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let any_address = self.allow_private_addresses || self.trusted_host.as_deref() == Some(&host);
        Box::pin(async move {
            let addresses = lookup(&host).await?;
            let allowed = |address: &SocketAddr| any_address || is_public(address.ip());
            match addresses.iter().find(|address| !allowed(address)) {
                Some(refused) if !addresses.iter().any(allowed) => Err(AddressRefused {
                    host,
                    address: refused.ip(),
                }
                .into()),
                _ => Ok(Box::new(
                    addresses
                        .into_iter()
                        .filter(move |address| any_address || is_public(address.ip())),
                ) as Addrs),
            }
        })
    }
}

async fn lookup(host: &str) -> Result<Vec<SocketAddr>, NotResolved> {
    let not_resolved = |reason: String| NotResolved {
        host: host.to_owned(),
        reason,
    };
    // Port 0 stands for the URL's.
    let addresses: Vec<_> = tokio::net::lookup_host((host, 0))
        .await
        .map_err(|error| not_resolved(error.to_string()))?
        .collect();
    if addresses.is_empty() {
        Err(not_resolved("no address".into()))
    } else {
        Ok(addresses)
    }
}
