//! The HTTP client and its thread against small servers on this machine.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod addresses;
mod answers;
mod proxy;
mod server;
mod thread;
mod tls;
mod ways;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use webhook::client::{Client, ClientConfig};
use webhook::endpoint::{EndpointKind, SecretUrl};
use webhook::outcome::{Answer, TransportError};

const PATH: &str = "/api/v10/webhooks/123456789012345678/MARKEDSECRET?sig=MARKEDSECRET";

/// Long enough for a slow machine; a test that waits for it has failed.
const GUARD: Duration = Duration::from_secs(60);

/// For servers on this machine.
fn local_config() -> ClientConfig {
    ClientConfig {
        allow_private_addresses: true,
        request_timeout: GUARD,
        ..ClientConfig::default()
    }
}

fn local_client() -> Client {
    Client::new(&local_config()).unwrap()
}

fn url(text: &str) -> SecretUrl {
    SecretUrl::new(text.parse().unwrap())
}

fn local_url(address: SocketAddr) -> SecretUrl {
    url(&format!("http://{address}{PATH}"))
}

/// Posts; no error may show the URL's secret.
async fn post(client: &Client, url: &SecretUrl) -> Result<Answer, TransportError> {
    let result = client
        .post(EndpointKind::Discord, url, Bytes::from_static(b"{}"))
        .await;
    if let Err(error) = &result {
        assert!(
            !format!("{error} {error:?}").contains("MARKEDSECRET"),
            "{error:?}"
        );
    }
    result
}
