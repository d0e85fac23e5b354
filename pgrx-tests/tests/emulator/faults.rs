//! Each behaviour that a webhook can be told to show.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ureq::tls::RootCerts;
use zentry_e2e::emulator::{Behaviour, Emulator, Kind, Options, Verdict, Webhook};

use crate::{PATIENCE, client, plain_client, post, send, url};

fn emulator() -> Emulator {
    Emulator::start_with(Options {
        rate_limits: false,
        ..Options::default()
    })
    .unwrap()
}

fn message() -> Value {
    json!({"content": "c", "allowed_mentions": {"parse": []}})
}

/// Writes a request and returns what comes back, up to `most` bytes, and how the connection ended.
fn raw(webhook: &Webhook, body: &str, most: u64) -> (Vec<u8>, std::io::Result<()>) {
    let url = url(webhook);
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST /{path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        crate::AGENT,
        message().to_string().len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let end = stream.take(most).read_to_end(&mut answer).map(drop);
    (answer, end)
}

fn with(behaviour: Behaviour) -> (Emulator, Webhook) {
    let emulator = emulator();
    let webhook = emulator.discord_webhook();
    webhook.script([behaviour]);
    (emulator, webhook)
}

fn verdict(webhook: &Webhook) -> Verdict {
    webhook.received().pop().unwrap().verdict.clone()
}

#[test]
fn a_queue_is_used_up_and_then_always_applies() {
    let emulator = emulator();
    let webhook = emulator.discord_webhook();
    webhook.script([Behaviour::Status(500), Behaviour::Normal]);
    webhook.always(Behaviour::Status(502));
    assert_eq!(webhook.script_left(), 2);
    let statuses: Vec<u16> = (0..4).map(|_| send(&webhook, &message()).status).collect();
    assert_eq!(statuses, [500, 200, 502, 502]);
    webhook.recover();
    assert_eq!(send(&webhook, &message()).status, 200);
    assert_eq!((webhook.requests(), webhook.accepted()), (5, 2));
}

#[test]
fn a_status_comes_with_the_vendors_body() {
    let emulator = emulator();
    let answer = |kind: Kind, status: u16| {
        let webhook = emulator.register(kind);
        webhook.script([Behaviour::Status(status)]);
        let answer = send(&webhook, &message());
        assert_eq!(answer.status, status);
        assert!(!webhook.received()[0].accepted());
        answer.text
    };
    assert!(answer(Kind::Discord, 401).contains("50027"));
    assert!(answer(Kind::Discord, 403).contains("50013"));
    assert!(answer(Kind::Discord, 404).contains("10015"));
    assert!(answer(Kind::Discord, 502).contains("502: Bad Gateway"));
    assert_eq!(answer(Kind::Connector, 503), "Service Unavailable");
    assert!(answer(Kind::Workflow, 400).contains("WorkflowTriggerIsNotEnabled"));
    assert!(answer(Kind::Workflow, 401).contains("DirectApiAuthorizationRequired"));
    assert!(answer(Kind::Workflow, 404).contains("WorkflowNotFound"));
    assert!(answer(Kind::Workflow, 500).contains("InternalServerError"));
}

#[test]
fn a_slow_answer_is_in_flight_until_it_is_given() {
    let delay = Duration::from_millis(300);
    let (_emulator, webhook) = with(Behaviour::Slow(delay));
    let start = Instant::now();
    let sender = std::thread::spawn({
        let webhook = webhook.clone();
        move || send(&webhook, &message()).status
    });
    webhook.wait_for(1, PATIENCE);
    assert_eq!(sender.join().unwrap(), 200);
    assert!(start.elapsed() >= delay);
    assert_eq!((webhook.in_flight(), webhook.max_in_flight()), (0, 1));
}

#[test]
fn a_held_answer_is_in_flight_until_it_is_released() {
    let (_emulator, webhook) = with(Behaviour::Held);
    let sender = std::thread::spawn({
        let webhook = webhook.clone();
        move || send(&webhook, &message()).status
    });
    webhook.wait_for(1, PATIENCE);
    assert_eq!(webhook.in_flight(), 1);
    webhook.release();
    assert_eq!(sender.join().unwrap(), 200);
    assert_eq!((webhook.in_flight(), webhook.max_in_flight()), (0, 1));
}

#[test]
fn a_hanging_request_ends_when_the_client_gives_up() {
    let (_emulator, webhook) = with(Behaviour::Hang);
    let impatient = client(RootCerts::new_with_certs(&[]), Duration::from_millis(200));
    let error = post(&impatient, &url(&webhook), &message().to_string())
        .err()
        .unwrap();
    assert!(matches!(error, ureq::Error::Timeout(_)), "{error}");
    assert_eq!(verdict(&webhook), Verdict::Scripted("Hang".into()));
    assert_eq!(webhook.received()[0].answer.status, None);
    let deadline = Instant::now() + PATIENCE;
    while webhook.in_flight() > 0 {
        assert!(Instant::now() < deadline, "still in flight");
        std::thread::yield_now();
    }
}

#[test]
fn a_hanging_request_is_in_flight_until_the_emulator_stops() {
    let (emulator, webhook) = with(Behaviour::Hang);
    let sender = std::thread::spawn({
        let url = url(&webhook);
        move || post(&plain_client(), &url, &message().to_string()).is_err()
    });
    webhook.wait_for(1, PATIENCE);
    assert_eq!(webhook.in_flight(), 1);
    emulator.stop();
    assert!(sender.join().unwrap());
    assert_eq!((webhook.in_flight(), webhook.max_in_flight()), (0, 1));
}

#[test]
fn a_connection_can_end_without_an_answer() {
    for (behaviour, accepted) in [
        (Behaviour::DropBeforeAnswer, 0),
        (Behaviour::Reset, 0),
        (Behaviour::LoseAnswer, 1),
        (Behaviour::CutAnswer, 1),
    ] {
        let (_emulator, webhook) = with(behaviour.clone());
        assert!(
            post(&plain_client(), &url(&webhook), &message().to_string()).is_err(),
            "{behaviour:?}"
        );
        assert_eq!(webhook.accepted(), accepted, "{behaviour:?}");
        assert_eq!(webhook.received()[0].answer.status, None, "{behaviour:?}");
        assert_eq!(webhook.received()[0].body, message(), "{behaviour:?}");
    }
}

#[test]
fn a_connection_can_end_before_the_body_is_read() {
    let (_emulator, webhook) = with(Behaviour::DropBeforeBody);
    // Only the head is ever sent: whoever waited for the body would wait for ever.
    let (answer, _) = raw(&webhook, "", 100);
    assert_eq!(answer, b"");
    assert_eq!((webhook.received()[0].size, webhook.accepted()), (0, 0));
}

#[test]
fn a_reset_is_told_from_a_close() {
    let (_emulator, webhook) = with(Behaviour::Reset);
    let (_, end) = raw(&webhook, &message().to_string(), 100);
    assert_eq!(
        end.err().map(|error| error.kind()),
        Some(std::io::ErrorKind::ConnectionReset)
    );
    webhook.script([Behaviour::DropBeforeAnswer]);
    let (_, end) = raw(&webhook, &message().to_string(), 100);
    assert!(end.is_ok());
}

#[test]
fn a_cut_answer_has_a_start() {
    let (_emulator, webhook) = with(Behaviour::CutAnswer);
    let (answer, _) = raw(&webhook, &message().to_string(), 100_000);
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert!(!answer.ends_with(b"}"));
}

#[test]
fn rate_limits_come_in_three_forms() {
    let emulator = emulator();
    let retry_after = Duration::from_millis(1234);
    let limited = |kind: Kind, behaviour: Behaviour| {
        let webhook = emulator.register(kind);
        webhook.script([behaviour]);
        send(&webhook, &message())
    };
    let own = limited(
        Kind::Discord,
        Behaviour::RateLimited {
            retry_after,
            global: false,
        },
    );
    assert_eq!((own.status, own.header("retry-after")), (429, Some("2")));
    assert_eq!(
        own.json(),
        json!({"message": "You are being rate limited.", "retry_after": 1.234, "global": false})
    );
    let global = limited(
        Kind::Discord,
        Behaviour::RateLimited {
            retry_after,
            global: true,
        },
    );
    assert_eq!(global.header("x-ratelimit-global"), Some("true"));
    let edge = limited(Kind::Discord, Behaviour::EdgeBan);
    assert_eq!((edge.status, edge.text.as_str()), (429, "error code: 1015"));
    assert!(
        edge.headers
            .keys()
            .all(|name| !name.as_str().starts_with("x-ratelimit"))
    );
    let connector = limited(
        Kind::Connector,
        Behaviour::RateLimited {
            retry_after,
            global: false,
        },
    );
    assert!(connector.status == 200 && connector.text.contains("HTTP error 429"));
    let workflow = limited(
        Kind::Workflow,
        Behaviour::RateLimited {
            retry_after,
            global: false,
        },
    );
    assert_eq!(
        (workflow.status, workflow.header("retry-after")),
        (429, Some("2"))
    );
}

#[test]
fn answers_can_be_made_up() {
    let (_emulator, webhook) = with(Behaviour::InnerError(500));
    let inner = send(&webhook, &message());
    assert!(inner.status == 200 && inner.text.contains("HTTP error 500"));

    webhook.script([Behaviour::Redirect("http://127.0.0.1:1/".into())]);
    let redirect = send(&webhook, &message());
    assert_eq!(
        (redirect.status, redirect.header("location")),
        (307, Some("http://127.0.0.1:1/"))
    );

    let headers = vec![("x-made-up".to_owned(), "yes".to_owned())];
    webhook.script([Behaviour::Answer {
        status: 418,
        headers,
        body: "short and stout".into(),
    }]);
    let made_up = send(&webhook, &message());
    assert_eq!(
        (made_up.status, made_up.header("x-made-up"), made_up.text.as_str()),
        (418, Some("yes"), "short and stout")
    );
}

#[test]
fn answers_can_be_without_an_end() {
    const MOST: u64 = 4 * 1024 * 1024;
    for (behaviour, start) in [
        (
            Behaviour::EndlessBody,
            &b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n"[..],
        ),
        (Behaviour::HeaderBomb, &b"HTTP/1.1 200 OK\r\nx-bomb-0: b"[..]),
    ] {
        let (_emulator, webhook) = with(behaviour.clone());
        let (answer, _) = raw(&webhook, &message().to_string(), MOST);
        assert_eq!(answer.len() as u64, MOST, "{behaviour:?}");
        assert!(answer.starts_with(start), "{behaviour:?}");
    }
}

#[test]
fn answers_can_be_no_http() {
    let (_emulator, webhook) = with(Behaviour::Garbage);
    let (answer, _) = raw(&webhook, &message().to_string(), 1000);
    assert!(!answer.is_empty() && !answer.starts_with(b"HTTP"));
}

#[test]
fn answers_can_trickle() {
    let every = Duration::from_millis(2);
    let (_emulator, webhook) = with(Behaviour::Trickle(every));
    let start = Instant::now();
    let answer = send(&webhook, &message());
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["content"], "c");
    assert!(start.elapsed() >= every * u32::try_from(answer.text.len()).unwrap());
    assert_eq!(webhook.accepted(), 1);
}

#[test]
fn a_behaviour_can_be_kept_for_bodies_with_a_certain_text() {
    let emulator = emulator();
    let webhook = emulator.discord_webhook();
    webhook.always(Behaviour::When {
        contains: "poison".to_owned(),
        then: Box::new(Behaviour::Status(400)),
    });
    let said = |content: &str| json!({"content": content, "allowed_mentions": {"parse": []}});
    assert_eq!(send(&webhook, &said("bread")).status, 200);
    assert_eq!(send(&webhook, &said("poison ivy")).status, 400);
    assert!(matches!(verdict(&webhook), Verdict::Scripted(_)));
    assert_eq!(webhook.accepted(), 1);
}
