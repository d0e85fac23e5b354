//! Whose request it is that a proxy passes on.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::Response;

use super::App;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Around every request: the handlers see the address of the client, and not that of a trusted proxy.
pub async fn find_client(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let client = client(peer.ip(), request.headers(), &app.options().trusted_proxies);
    if client != peer.ip() {
        request
            .extensions_mut()
            .insert(ConnectInfo(SocketAddr::new(client, 0)));
    }
    next.run(request).await
}

/// Returns the last address in `X-Forwarded-For` that no trusted proxy has, if a trusted proxy has sent it: each proxy adds at the end who has
/// asked it, and what is before that may be anybody's invention.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let is_trusted = |address: IpAddr| {
        let address = address.to_canonical();
        trusted.iter().any(|proxy| proxy.to_canonical() == address)
    };
    let values: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let mut client = peer;
    for address in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        if !is_trusted(client) {
            break;
        }
        match address.trim().parse() {
            Ok(address) => client = address,
            // Of what stands before a text that is no address, nothing is known.
            Err(_) => break,
        }
    }
    client
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn found(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        let trusted = ["127.0.0.1", "10.0.0.1"].map(|address| address.parse().unwrap());
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_trusted_proxy_says_who_asked_it() {
        assert_eq!(found("127.0.0.1", &["192.0.2.7"]), "192.0.2.7");
        assert_eq!(found("::ffff:127.0.0.1", &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(found("127.0.0.1", &["192.0.2.7, 10.0.0.1"]), "192.0.2.7");
        assert_eq!(found("127.0.0.1", &["192.0.2.7", "10.0.0.1"]), "192.0.2.7");
    }

    #[test]
    fn what_a_client_makes_up_is_not_believed() {
        assert_eq!(found("127.0.0.1", &["198.51.100.1, 192.0.2.7"]), "192.0.2.7");
        assert_eq!(found("192.0.2.7", &["198.51.100.1"]), "192.0.2.7");
        assert_eq!(
            found("127.0.0.1", &["198.51.100.1, unknown, 10.0.0.1"]),
            "10.0.0.1"
        );
        assert_eq!(found("127.0.0.1", &["unknown"]), "127.0.0.1");
        assert_eq!(found("127.0.0.1", &[]), "127.0.0.1");
    }
}
