//! The proxy that is set, and those of the environment.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use webhook::client::{ClientError, Headers, SetBy};
use webhook::way::{Way, WayId};

use super::server::{Request, Server, ok, read_request};
use super::*;

/// Only public targets, by way of a proxy that has no public address.
fn client_through(proxy: &str) -> Client {
    let config = ClientConfig {
        ways: vec![Way::Proxy(url(proxy))],
        allow_private_addresses: false,
        ..local_config()
    };
    Client::new(&config).unwrap()
}

/// A proxy that answers in the target's place and tells what it was asked.
async fn telling(answer: &'static str) -> (Server, mpsc::UnboundedReceiver<Request>) {
    let (sender, requests) = mpsc::unbounded_channel();
    let server = Server::start(move |mut stream| {
        let sender = sender.clone();
        async move {
            while let Some(request) = read_request(&mut stream).await {
                sender.send(request).unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    (server, requests)
}

#[tokio::test]
async fn http_goes_through_the_proxy_with_its_password() {
    let (proxy, mut requests) = telling("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    for host in ["localhost", "127.0.0.1"] {
        let client = client_through(&format!(
            "http://user:PROXYSECRET@{host}:{}",
            proxy.address.port()
        ));
        assert!(!format!("{client:?}").contains("PROXYSECRET"));
        let answer = post(&client, &url(&format!("http://target.example{PATH}")))
            .await
            .unwrap();
        assert_eq!(answer.status, 200);
        let request = requests.recv().await.unwrap();
        assert_eq!(
            request.first_line(),
            format!("POST http://target.example{PATH} HTTP/1.1")
        );
        assert_eq!(
            request.header("proxy-authorization"),
            Some("Basic dXNlcjpQUk9YWVNFQ1JFVA==")
        );
    }
}

#[tokio::test]
async fn https_goes_through_a_tunnel_that_sees_no_secret() {
    let (proxy, mut requests) = telling("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await;
    let client = client_through(&format!("http://{}", proxy.address));
    let error = post(&client, &url(&format!("https://target.example{PATH}")))
        .await
        .unwrap_err();
    assert!(matches!(error, TransportError::NoConnection(_)), "{error:?}");
    assert!(
        error.to_string().contains("by way of zentry_notify.proxy"),
        "{error}"
    );
    let request = requests.recv().await.unwrap();
    assert_eq!(request.first_line(), "CONNECT target.example:443 HTTP/1.1");
    assert!(!request.head.contains("MARKEDSECRET"));
}

/// Who reads of it has to look at the proxy, and not at the webhook.
#[tokio::test]
async fn a_proxy_that_is_not_there_is_said_to_be_the_one() {
    for scheme in ["http", "socks5h"] {
        for target in ["http", "https"] {
            // Nobody listens there.
            let client = client_through(&format!("{scheme}://127.0.0.1:1"));
            let error = post(&client, &url(&format!("{target}://target.example{PATH}")))
                .await
                .unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with("connection failed: by way of zentry_notify.proxy: "),
                "{scheme} to {target}: {error}"
            );
        }
    }
}

/// A program that has an option for it is not the extension, which has a setting.
#[tokio::test]
async fn what_the_proxy_is_set_by_is_named() {
    let config = ClientConfig {
        ways: vec![Way::Proxy(url("http://127.0.0.1:1"))],
        set_by: SetBy {
            proxy: "--proxy",
            ca_file: "--ca-file",
        },
        ..local_config()
    };
    let error = post(
        &Client::new(&config).unwrap(),
        &url(&format!("http://target.example{PATH}")),
    )
    .await
    .unwrap_err();
    let told = error.to_string();
    assert!(
        told.starts_with("connection failed: by way of --proxy: "),
        "{told}"
    );
}

#[tokio::test]
async fn each_request_leaves_by_the_way_that_it_is_given() {
    let (proxy, mut requests) = telling("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let server = Server::answering(ok("1")).await;
    let ways = [
        // Nobody listens there.
        Way::Proxy(url("http://user:PROXYSECRET@127.0.0.1:1")),
        Way::Proxy(url(&format!("http://{}", proxy.address))),
        Way::Direct,
    ];
    let config = ClientConfig {
        ways: ways.to_vec(),
        ..local_config()
    };
    let client = Client::new(&config).unwrap();
    assert!(!format!("{client:?} {config:?}").contains("PROXYSECRET"));
    let target = local_url(server.address);
    let post = async |way: WayId| {
        let body = Bytes::from_static(b"{}");
        client
            .post_by(way, EndpointKind::Discord, &target, &Headers::default(), body)
            .await
    };
    let error = post(ways[0].id()).await.unwrap_err();
    assert!(matches!(error, TransportError::NoConnection(_)), "{error:?}");
    let told = error.to_string();
    assert!(
        told.starts_with("connection failed: by way of zentry_notify.proxy no. 1: ")
            && !told.contains("SECRET"),
        "{told}"
    );
    post(ways[1].id()).await.unwrap();
    let asked = requests.recv().await.unwrap();
    assert_eq!(asked.first_line(), format!("POST {} HTTP/1.1", target.expose()));
    assert_eq!(server.connections(), 0);
    assert_eq!(post(ways[2].id()).await.unwrap().body, b"1");
    let gone = post(WayId(7)).await.unwrap_err();
    assert!(matches!(gone, TransportError::Forbidden(_)), "{gone:?}");
}

#[tokio::test]
async fn a_private_address_is_refused_with_a_proxy_too() {
    let (proxy, _requests) = telling("").await;
    let client = client_through(&format!("http://{}", proxy.address));
    let error = post(&client, &url(&format!("http://169.254.169.254{PATH}")))
        .await
        .unwrap_err();
    assert!(matches!(error, TransportError::Forbidden(_)), "{error:?}");
    assert_eq!(proxy.connections(), 0);
}

/// The first half of SOCKS 5 (RFC 1928): takes any client and returns the type and the text of the target.
async fn accept_socks(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut greeting = [0; 2];
    stream.read_exact(&mut greeting).await.ok()?;
    let mut methods = vec![0; usize::from(greeting[1])];
    stream.read_exact(&mut methods).await.ok()?;
    stream.write_all(&[5, 0]).await.ok()?;
    let mut request = [0; 4];
    stream.read_exact(&mut request).await.ok()?;
    let length = match request[3] {
        1 => 4,
        4 => 16,
        _ => usize::from(stream.read_u8().await.ok()?),
    };
    let mut target = vec![0; length + 2];
    stream.read_exact(&mut target).await.ok()?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.ok()?;
    target.truncate(length);
    Some((request[3], target))
}

async fn socks_proxy() -> (Server, mpsc::UnboundedReceiver<(u8, Vec<u8>)>) {
    let (sender, targets) = mpsc::unbounded_channel();
    let proxy = Server::start(move |mut stream| {
        let sender = sender.clone();
        async move {
            if let Some(target) = accept_socks(&mut stream).await {
                sender.send(target).unwrap();
                read_request(&mut stream).await.unwrap();
                stream.write_all(ok("1").as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    (proxy, targets)
}

#[tokio::test]
async fn a_socks_proxy_can_resolve_the_name() {
    let (proxy, mut targets) = socks_proxy().await;
    let client = client_through(&format!("socks5h://{}", proxy.address));
    assert_eq!(
        post(&client, &url(&format!("http://target.example{PATH}")))
            .await
            .unwrap()
            .body,
        b"1"
    );
    assert_eq!(targets.recv().await.unwrap(), (3, b"target.example".to_vec()));
}

#[tokio::test]
async fn a_name_that_is_resolved_here_is_checked_before_the_socks_proxy_is_asked() {
    let (proxy, _targets) = socks_proxy().await;
    let client = client_through(&format!("socks5://{}", proxy.address));
    let error = post(&client, &url(&format!("http://localhost{PATH}")))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("not a public address"), "{error:?}");
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn other_proxies_are_refused_without_their_secret() {
    for text in [
        "ftp://user:PROXYSECRET@host",
        "socks4://host",
        "mailto:PROXYSECRET",
        "socks5:",
    ] {
        let config = ClientConfig {
            ways: vec![Way::Proxy(url(text))],
            ..local_config()
        };
        let error = Client::new(&config).unwrap_err();
        assert!(matches!(error, ClientError::Proxy(_)), "{text}: {error}");
        assert!(!format!("{error:?} {config:?}").contains("PROXYSECRET"));
    }
}

/// Runs itself again in a process whose environment names proxies that nobody answers at.
#[test]
fn the_environments_proxies_are_ignored() {
    const PROXIES: [&str; 6] = [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ];
    if std::env::var("ZENTRY_PROXY_TEST").is_err() {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again
            .args(["--exact", "proxy::the_environments_proxies_are_ignored"])
            .env("ZENTRY_PROXY_TEST", "1");
        let output = again
            .envs(PROXIES.map(|name| (name, "http://127.0.0.1:1")))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = Server::answering(ok("1")).await;
        assert_eq!(
            post(&local_client(), &local_url(server.address))
                .await
                .unwrap()
                .body,
            b"1"
        );
    });
}
