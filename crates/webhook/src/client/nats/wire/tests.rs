#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn all(bytes: &[u8]) -> (Vec<Said>, Option<String>) {
    let mut read = BytesMut::from(bytes);
    let mut said = Vec::new();
    loop {
        match parse(&mut read) {
            Ok(Some(one)) => said.push(one),
            Ok(None) => return (said, None),
            Err(error) => return (said, Some(error.to_string())),
        }
    }
}

fn message(subject: &str, status: Option<u16>, payload: &'static str) -> Said {
    Said::Message(Message {
        subject: subject.to_owned(),
        status,
        payload: payload.into(),
    })
}

#[test]
fn what_servers_say_is_read() {
    let (said, error) = all(b"INFO {\"max_payload\":1048576,\"nonce\":\"n\",\"connect_urls\":[\"a:1\"]}\r\n+OK\r\nPING\r\nPONG\r\n\
          -ERR 'Permissions Violation for Publish to \"a\"'\r\nMSG _INBOX.a.1 1 5\r\nhello\r\nmsg a 1 reply 0\r\n\r\n\
          HMSG _INBOX.a.2 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\nHMSG a 1 r 12 14\r\nNATS/1.0\r\n\r\nok\r\nMSG a 1 10\r\nhal");
    assert_eq!(error, None);
    let info = Info {
        max_payload: 1_048_576,
        nonce: "n".to_owned(),
        ..Info::default()
    };
    assert_eq!(
        said,
        [
            Said::Info(info),
            Said::Nothing,
            Said::Ping,
            Said::Pong,
            Said::Error("Permissions Violation for Publish to \"a\"".to_owned()),
            message("_INBOX.a.1", None, "hello"),
            message("a", None, ""),
            message("_INBOX.a.2", Some(503), ""),
            message("a", None, "ok"),
        ]
    );
}

#[test]
fn what_no_server_says_is_an_error() {
    let long = "x".repeat(MAX_LINE + 1);
    for (bytes, error) in [
        ("HTTP/1.1 400 Bad Request\r\n", "what no server of NATS says"),
        ("\r\n", "what no server of NATS says"),
        ("INFO {\r\n", "a greeting that is none"),
        ("INFO\r\n", "a greeting that is none"),
        ("MSG a\r\n", "a message that is none"),
        ("MSG a 1 99999999\r\n", "a message that is too large"),
        ("HMSG a 1 3 2\r\n", "a message that is none"),
        ("MSG a 1 1048577\r\n", "a message that is too large"),
        (&long, "a line that is too long"),
    ] {
        assert_eq!(
            all(bytes.as_bytes()),
            (vec![], Some(format!("the server sent {error}"))),
            "{bytes}"
        );
    }
    // Odd, and harmless.
    let (said, error) = all(b"-ERR bare words\r\n-ERR 'a quote\r\n");
    assert_eq!((said.len(), error), (2, None));
}

#[test]
fn a_message_is_read_when_all_of_it_is_there() {
    let whole = b"MSG a 1 2\r\nhi\r\n";
    assert_eq!(all(whole), (vec![message("a", None, "hi")], None));
    for length in 0..whole.len() {
        assert_eq!(all(&whole[..length]), (vec![], None), "{length}");
    }
    // The largest may still come.
    assert_eq!(all(b"MSG a 1 1048576\r\n"), (vec![], None));
}

#[test]
fn a_line_is_as_long_as_it_may_be_and_no_longer() {
    let line = |length: usize| format!("-ERR {}", "x".repeat(length - 5));
    assert_eq!(all(line(MAX_LINE).as_bytes()), (vec![], None));
    let (said, error) = all(format!("{}\n", line(MAX_LINE)).as_bytes());
    assert_eq!((said.len(), error), (1, None));
    let (said, error) = all(format!("{}\n", line(MAX_LINE + 1)).as_bytes());
    assert_eq!(said, []);
    assert!(error.unwrap().contains("a line that is too long"));
}

/// Of a cluster with a thousand addresses.
#[test]
fn a_long_greeting_is_read() {
    let urls = vec!["\"192.168.100.100:4222\""; 2_500].join(",");
    let greeting = format!("INFO {{\"nonce\": \"n\", \"connect_urls\": [{urls}]}}\r\n");
    assert!(greeting.len() > 50_000);
    let (said, error) = all(greeting.as_bytes());
    assert_eq!((said.len(), error), (1, None));
}

/// Both ends of a connection.
fn connected() -> (Wire, tokio::io::DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(1024);
    (Wire::new(Box::new(ours)), theirs)
}

/// What is said by bytes that have arrived.
async fn hear_at_once(wire: &mut Wire) -> Said {
    tokio::select! {
        biased;
        said = wire.hear() => said.unwrap(),
        () = std::future::ready(()) => panic!("nothing is heard"),
    }
}

#[tokio::test]
async fn a_connection_is_heard_until_it_ends() {
    let (mut wire, mut server) = connected();
    server.write_all(b"PING\r\n+O").await.unwrap();
    assert_eq!(hear_at_once(&mut wire).await, Said::Ping);
    assert_eq!(wire.received(), 8);
    server.write_all(b"K\r\n").await.unwrap();
    assert_eq!(hear_at_once(&mut wire).await, Said::Nothing);
    assert_eq!(wire.received(), 11);
    assert!(format!("{wire:?}").contains("received: 11"));
    drop(server);
    let error = wire.hear().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn what_is_said_is_sent() {
    let (mut wire, mut server) = connected();
    wire.say(b"PING\r\n").await.unwrap();
    wire.say(b"PONG\r\n").await.unwrap();
    drop(wire);
    let mut said = Vec::new();
    server.read_to_end(&mut said).await.unwrap();
    assert_eq!(said, b"PING\r\nPONG\r\n");
}

/// What comes in clear before the encryption begins is not taken for what the server says encrypted.
#[tokio::test]
async fn nothing_may_come_before_the_encryption() {
    let (mut wire, mut server) = connected();
    server.write_all(b"PING\r\n").await.unwrap();
    assert_eq!(hear_at_once(&mut wire).await, Said::Ping);
    assert!(wire.into_channel().is_ok());
    let (mut wire, mut server) = connected();
    server.write_all(b"PING\r\n+OK\r\n").await.unwrap();
    assert_eq!(hear_at_once(&mut wire).await, Said::Ping);
    let error = wire.into_channel().err().unwrap();
    assert!(error.to_string().contains("something before the encryption"));
}

#[test]
fn what_is_published_has_its_length() {
    assert_eq!(publish("a", "b", &[], b"{}"), b"PUB a b 2\r\n{}\r\n");
    assert_eq!(
        publish("a", "b", &[("Nats-Msg-Id", "1")], b"{}"),
        b"HPUB a b 28 30\r\nNATS/1.0\r\nNats-Msg-Id: 1\r\n\r\n{}\r\n"
    );
}

proptest! {
    /// However a message is cut, nothing is taken until all of it is there, and nothing is taken of what follows it.
    #[test]
    fn a_message_is_taken_whole(
        subject in "[a-zA-Z0-9_.]{1,12}",
        reply in proptest::option::of("[a-z.]{1,8}"),
        status in proptest::option::of(proptest::option::of(100..=599u16)),
        payload in proptest::collection::vec(any::<u8>(), 0..8),
    ) {
        let head = match status {
            None => String::new(),
            Some(None) => "NATS/1.0\r\nA: b\r\n\r\n".to_owned(),
            Some(Some(status)) => format!("NATS/1.0 {status} Text\r\n\r\n"),
        };
        let reply = reply.map_or_else(String::new, |reply| format!("{reply} "));
        let size = head.len() + payload.len();
        let line = match head.len() {
            0 => format!("MSG {subject} 1 {reply}{size}\r\n"),
            length => format!("HMSG {subject} 1 {reply}{length} {size}\r\n"),
        };
        let whole = [line.as_bytes(), head.as_bytes(), &payload, b"\r\n"].concat();
        for length in 0..whole.len() {
            prop_assert_eq!(all(&whole[..length]), (vec![], None), "{} bytes", length);
        }
        let message = Said::Message(Message { subject, status: status.flatten(), payload: payload.into() });
        prop_assert_eq!(all(&[&whole[..], b"PING\r\n"].concat()), (vec![message, Said::Ping], None));
    }

    #[test]
    fn anything_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        all(&bytes);
    }

    #[test]
    fn nearly_anything_that_servers_say_is_read_or_refused(
        text in "(MSG|HMSG|INFO|-ERR|PING|\\+OK)?[ \t]{0,2}([a-z0-9*.{}:\"' -]{0,12}[ \r\n]{0,2}){0,8}"
    ) {
        all(text.as_bytes());
    }
}
