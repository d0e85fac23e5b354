//! What a server can answer, and worse.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::server::{Server, ok, read_request};
use super::*;

#[tokio::test]
async fn a_request_has_what_the_vendors_want_and_no_more() {
    let (sender, mut requests) = mpsc::unbounded_channel();
    let server = Server::start(move |mut stream| {
        let sender = sender.clone();
        async move {
            while let Some(request) = read_request(&mut stream).await {
                sender.send(request).unwrap();
                let cookie = "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(cookie.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let client = local_client();
    for (kind, content_type) in [
        (EndpointKind::Discord, "application/json"),
        (EndpointKind::TeamsConnector, "application/json; charset=utf-8"),
        (EndpointKind::TeamsWorkflow, "application/json; charset=utf-8"),
    ] {
        client
            .post(
                kind,
                &local_url(server.address),
                Bytes::from_static(b"{\"a\": 1}"),
            )
            .await
            .unwrap();
        let request = requests.recv().await.unwrap();
        assert_eq!(request.first_line(), format!("POST {PATH} HTTP/1.1"));
        assert_eq!(request.body, b"{\"a\": 1}");
        assert_eq!(request.header("content-type"), Some(content_type));
        let agent = request.header("user-agent").unwrap();
        assert!(
            agent.starts_with("DiscordBot (https://")
                && agent.ends_with(concat!(", ", env!("CARGO_PKG_VERSION"), ")")),
            "{agent}"
        );
        for name in ["cookie", "accept-encoding", "referer"] {
            assert_eq!(request.header(name), None);
        }
    }
    assert_eq!(server.connections(), 1, "the connection is kept");
}

#[tokio::test]
async fn the_judged_headers_and_the_body_come_back() {
    let server = Server::answering(
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nX-RateLimit-Scope: shared\r\nX-Other: 1\r\n\
         Server: x\r\nContent-Length: 9\r\nX-RateLimit-Remaining: \u{fffd}\r\n\r\n\0\u{fffd}12345",
    )
    .await;
    let answer = post(&local_client(), &local_url(server.address)).await.unwrap();
    assert_eq!(answer.status, 429);
    let headers: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    assert_eq!(headers, [("retry-after", "2"), ("x-ratelimit-scope", "shared")]);
    assert_eq!(answer.body, "\0\u{fffd}12345".as_bytes());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Server::answering(ok("secret")).await;
    let redirect = format!(
        "HTTP/1.1 307 Moved\r\nLocation: http://{}/\r\nContent-Length: 0\r\n\r\n",
        target.address
    );
    let server = Server::answering(redirect).await;
    let answer = post(&local_client(), &local_url(server.address)).await.unwrap();
    assert_eq!(answer.status, 307);
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn a_compressed_body_stays_as_it_is() {
    let bomb = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x0b\x08";
    let server = Server::answering(bomb).await;
    let answer = post(&local_client(), &local_url(server.address)).await.unwrap();
    assert_eq!(answer.body, b"\x1f\x0b\x08");
}

#[tokio::test]
async fn an_endless_body_is_cut_and_its_connection_closed() {
    for head in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n",
    ] {
        let (sender, mut closed) = mpsc::unbounded_channel();
        let server = Server::start(move |mut stream| {
            let sender = sender.clone();
            async move {
                read_request(&mut stream).await.unwrap();
                stream.write_all(head.as_bytes()).await.unwrap();
                while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
                sender.send(()).unwrap();
            }
        })
        .await;
        let (client, url) = (local_client(), local_url(server.address));
        let answer = tokio::time::timeout(GUARD / 2, post(&client, &url))
            .await
            .expect("it stops")
            .unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, 64 * 1024));
        closed.recv().await.unwrap();
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_answer_as_far_as_it_came() {
    let server = Server::answering_once("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123").await;
    let answer = post(&local_client(), &local_url(server.address)).await.unwrap();
    assert_eq!((answer.status, &*answer.body), (200, b"123".as_slice()));
    let server =
        Server::answering_once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n123\r\nzz").await;
    let answer = post(&local_client(), &local_url(server.address)).await.unwrap();
    assert_eq!((answer.status, &*answer.body), (200, b"123".as_slice()));
}

/// Sends `start` at once and then byte after byte of `rest` for ever.
async fn trickle(start: &'static str, rest: &'static str) -> Server {
    Server::start(move |mut stream| async move {
        read_request(&mut stream).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        for byte in rest.bytes().cycle() {
            if stream.write_u8(byte).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_trickle_ends_with_the_requests_time() {
    let request_timeout = Duration::from_millis(300);
    let client = Client::new(&ClientConfig {
        request_timeout,
        ..local_config()
    })
    .unwrap();
    let server = trickle("HTTP/1.1 200 OK\r\n\r\n1", "1").await;
    let answer = post(&client, &local_url(server.address)).await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.body.starts_with(b"1"));
    for start in ["HTTP/1.1 200 O", "HTTP/1.1 200 OK\r\nX-Long: "] {
        let server = trickle(start, "1").await;
        let error = post(&client, &local_url(server.address)).await.unwrap_err();
        assert_eq!(error, TransportError::Timeout(request_timeout));
    }
}

#[tokio::test]
async fn a_server_that_never_stops_its_interim_answers_is_left() {
    let request_timeout = Duration::from_millis(300);
    let client = Client::new(&ClientConfig {
        request_timeout,
        ..local_config()
    })
    .unwrap();
    let server = trickle("", "HTTP/1.1 103 Early Hints\r\n\r\n").await;
    let error = post(&client, &local_url(server.address)).await.unwrap_err();
    assert_eq!(error, TransportError::Timeout(request_timeout));
}

#[tokio::test]
async fn a_head_without_bounds_is_an_error() {
    let many = "HTTP/1.1 200 OK\r\n".to_owned() + &"X-A: b\r\n".repeat(101) + "\r\n";
    let long = "HTTP/1.1 200 OK\r\nX-A: ".to_owned() + &"b".repeat(1_000_000) + "\r\n\r\n";
    for head in [many, long] {
        let server = Server::answering_once(head).await;
        let error = post(&local_client(), &local_url(server.address))
            .await
            .unwrap_err();
        assert!(matches!(error, TransportError::Protocol(_)), "{error:?}");
    }
}

#[tokio::test]
async fn an_endless_head_ends_within_bounds() {
    let sent = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (sender, mut closed) = mpsc::unbounded_channel();
    let counter = Arc::clone(&sent);
    let server = Server::start(move |mut stream| {
        let (sender, counter) = (sender.clone(), Arc::clone(&counter));
        async move {
            read_request(&mut stream).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nX-A: ").await.unwrap();
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {
                counter.fetch_add(4096, std::sync::atomic::Ordering::SeqCst);
            }
            sender.send(()).unwrap();
        }
    })
    .await;
    let error = post(&local_client(), &local_url(server.address))
        .await
        .unwrap_err();
    assert!(matches!(error, TransportError::Protocol(_)), "{error:?}");
    closed.recv().await.unwrap();
    // hyper takes 408 KiB; the rest lay in the buffers of the sockets.
    let sent = sent.load(std::sync::atomic::Ordering::SeqCst);
    assert!(sent < 16 << 20, "{sent}");
}

#[tokio::test]
async fn what_is_not_http_is_an_error() {
    for answer in [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "\u{0}\u{1}\u{2}",
        "HTTP/1.1 99999 OK\r\n\r\n",
        "<html></html>",
    ] {
        let server = Server::answering_once(answer).await;
        let error = post(&local_client(), &local_url(server.address))
            .await
            .unwrap_err();
        assert!(
            matches!(error, TransportError::Protocol(_)),
            "{answer}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_connection_without_an_answer_is_an_error() {
    let closing = Server::answering_once("").await;
    let error = post(&local_client(), &local_url(closing.address))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "connection failed: it was closed before there was an answer"
    );

    let resetting = Server::start(|mut stream| async move {
        // What is left unread when a socket is closed makes it a reset.
        stream.read_u8().await.unwrap();
    })
    .await;
    let error = post(&local_client(), &local_url(resetting.address))
        .await
        .unwrap_err();
    assert!(matches!(error, TransportError::Connection(_)), "{error:?}");

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let error = post(&local_client(), &local_url(closed)).await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("connection failed: Connection refused"),
        "{error}"
    );
}
