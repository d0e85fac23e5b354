//! What may have been the way's fault, and not the webhook's: nothing was sent, and another way may lead there.

use webhook::client::Headers;
use webhook::outcome::{Verdict, judge};
use webhook::way::Way;

use super::tls::{authority, params, server};
use super::*;

/// Posts by the one way to a host of which nobody knows, and judges what comes of it.
async fn verdict_by(way: Way) -> (Verdict, String) {
    let config = ClientConfig {
        ways: vec![way.clone()],
        ..local_config()
    };
    let client = Client::new(&config).unwrap();
    let target = url(&format!("https://webhooks.zentry.invalid{PATH}"));
    let (headers, body) = (Headers::default(), Bytes::from_static(b"{}"));
    let posting = client.post_by(way.id(), EndpointKind::Discord, &target, &headers, body);
    let result = posting.await;
    let judgement = judge(EndpointKind::Discord, &target, result.as_ref());
    (judgement.verdict, judgement.error.unwrap_or_default())
}

/// As on a server that only knows the names of its own network.
#[tokio::test]
async fn a_name_that_this_machine_cannot_resolve_may_be_known_elsewhere() {
    let (verdict, error) = verdict_by(Way::Direct).await;
    assert_eq!(verdict, Verdict::Unreached, "{error}");
    assert!(error.contains("could not be resolved"), "{error}");
}

#[tokio::test]
async fn a_proxy_whose_certificate_is_not_trusted_is_a_way_that_leads_nowhere() {
    let server = server(params("localhost"), Some(&authority("nobody's"))).await;
    let proxy = url(&format!("https://localhost:{}", server.address.port()));
    let (verdict, error) = verdict_by(Way::Proxy(proxy)).await;
    assert_eq!(verdict, Verdict::Unreached, "{error}");
    assert!(error.starts_with("TLS failed: "), "{error}");
    assert_eq!(server.connections(), 1);
}
