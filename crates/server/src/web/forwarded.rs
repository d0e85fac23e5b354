//! The client's address behind trusted proxies.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::Response;

use super::App;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Middleware: replaces the address of a trusted proxy by that of its client.
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

/// Returns the last address in `X-Forwarded-For` that is not a trusted proxy's, if a trusted proxy has sent the header. Each proxy appends its
/// client's address, so entries before that can be forged.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let is_trusted = |address: IpAddr| {
        let address = address.to_canonical();
        trusted.iter().any(|proxy| proxy.to_canonical() == address)
    };
    // What is no ASCII stays, as an entry that is no address: it may stand in front of what the proxy has appended.
    let values: Vec<Cow<'_, str>> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    let mut client = peer;
    for address in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        if !is_trusted(client) {
            break;
        }
        match address.trim().parse() {
            Ok(address) => client = address,
            // Entries before one that is not an address cannot be trusted.
            Err(_) => break,
        }
    }
    client
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::http::HeaderValue;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    fn found(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(value).unwrap());
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
        // Nobody passes for the proxy by a header that is no ASCII, and so spends the tries of who is at its address.
        assert_eq!(found("127.0.0.1", &["\u{e9}, 192.0.2.7"]), "192.0.2.7");
        assert_eq!(found("127.0.0.1", &["\u{e9}", "192.0.2.7"]), "192.0.2.7");
        assert_eq!(found("127.0.0.1", &["192.0.2.7, \u{e9}, 10.0.0.1"]), "10.0.0.1");
        assert_eq!(found("127.0.0.1", &["unknown"]), "127.0.0.1");
        assert_eq!(found("127.0.0.1", &[]), "127.0.0.1");
    }

    #[tokio::test]
    async fn what_is_behind_sees_the_client() {
        let app = App::unconnected(|options| options.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]);
        let routes = Router::new()
            .route(
                "/",
                get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string()),
            )
            .layer(from_fn_with_state(app, find_client));
        for (peer, seen) in [
            ("127.0.0.1:5000", "192.0.2.7:0"),
            ("198.51.100.1:5000", "198.51.100.1:5000"),
        ] {
            let mut request = Request::get("/").body(Body::empty()).unwrap();
            let header = HeaderValue::from_static("192.0.2.7");
            request.headers_mut().insert(FORWARDED_FOR, header);
            let peer: SocketAddr = peer.parse().unwrap();
            request.extensions_mut().insert(ConnectInfo(peer));
            let response = routes.clone().oneshot(request).await.unwrap();
            let body = to_bytes(response.into_body(), 100).await.unwrap();
            assert_eq!(body, seen);
        }
    }
}
