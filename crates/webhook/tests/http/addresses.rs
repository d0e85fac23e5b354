//! Where a request must not go.

use super::server::{Server, ok};
use super::*;

fn strict_client() -> Client {
    Client::new(&ClientConfig {
        request_timeout: GUARD,
        ..ClientConfig::default()
    })
    .unwrap()
}

#[tokio::test]
async fn an_address_that_is_not_public_is_refused_before_a_connection() {
    let server = Server::answering(ok("")).await;
    let port = server.address.port();
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::7f00:1]",
    ] {
        let error = post(&strict_client(), &url(&format!("http://{host}:{port}{PATH}")))
            .await
            .unwrap_err();
        assert!(
            matches!(&error, TransportError::Forbidden(why) if why.contains("not a public")),
            "{error:?}"
        );
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_name_that_resolves_to_such_an_address_is_refused() {
    let server = Server::answering(ok("")).await;
    let url = url(&format!("http://localhost:{}{PATH}", server.address.port()));
    let error = post(&strict_client(), &url).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("not allowed: localhost resolves to "), "{text}");
    assert!(matches!(error, TransportError::Forbidden(_)), "{error:?}");
    assert_eq!(server.connections(), 0);
    assert_eq!(post(&local_client(), &url).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_named() {
    // Longer than a label can be, so that no name server is asked.
    let host = "x".repeat(70) + ".example";
    let error = post(&strict_client(), &url(&format!("http://{host}{PATH}")))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, TransportError::Resolve(why) if why.starts_with(&host)),
        "{error:?}"
    );
}
