//! A server that means harm: the worker's memory stays within bounds, and the log stores what can be stored.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use postgres::Client;
use zentry_e2e::cluster::{Cluster, ClusterOptions};
use zentry_e2e::scene::Delivery;
use zentry_e2e::site::{fire, wait_for};
use zentry_e2e::zentry;

use crate::raw_server::{Answer, RawServer, answer, bytes, endless};

/// What an answer is, and what the log says of it: status, the error's beginning, and a part of the body.
struct Case {
    name: &'static str,
    answer: Answer,
    status: &'static str,
    error: &'static str,
    body: &'static str,
}

fn case(
    name: &'static str,
    answer: Answer,
    status: &'static str,
    error: &'static str,
    body: &'static str,
) -> Case {
    Case {
        name,
        answer,
        status,
        error,
        body,
    }
}

const NO_PAUSE: Duration = Duration::ZERO;

/// A hundred megabytes of zeros, small.
fn bomb() -> Result<Vec<u8>> {
    let mut gzip = Command::new("gzip")
        .arg("-9")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("gzip")?;
    let mut input = gzip.stdin.take().context("a pipe")?;
    let writer = std::thread::spawn(move || (0..100).try_for_each(|_| input.write_all(&[0; 1 << 20])));
    let output = gzip.wait_with_output()?;
    writer.join().expect("the writer does not panic")?;
    Ok(output.stdout)
}

fn cases() -> Result<Vec<Case>> {
    let piece = || vec![b'x'; 16 * 1024];
    let deep = [b"{\"errors\":".repeat(3000), b"[".repeat(30_000)].concat();
    let many_headers = (0..101).map(|n| format!("x-{n}: 1\r\n")).collect::<String>();
    Ok(vec![
        case(
            "endless-body-of-success",
            endless("HTTP/1.1 200 OK\r\n\r\n", piece(), NO_PAUSE),
            "sent",
            "",
            "xxx",
        ),
        case(
            "endless-body-of-failure",
            endless("HTTP/1.1 500 X\r\n\r\n", piece(), NO_PAUSE),
            "retry",
            "500: the server failed",
            "xxx",
        ),
        case(
            "a-terabyte",
            endless(
                "HTTP/1.1 400 X\r\ncontent-length: 1099511627776\r\n\r\n",
                piece(),
                NO_PAUSE,
            ),
            "failed",
            "400",
            "xxx",
        ),
        case(
            "a-trickle",
            endless(
                "HTTP/1.1 200 OK\r\nx-a: ",
                b"b".to_vec(),
                Duration::from_millis(20),
            ),
            "retry",
            "no answer within 500ms",
            "",
        ),
        case(
            "a-header-without-end",
            endless("HTTP/1.1 200 OK\r\nx-a: ", piece(), NO_PAUSE),
            "retry",
            "invalid answer",
            "",
        ),
        case(
            "headers-without-end",
            endless("HTTP/1.1 200 OK\r\n", b"x-a: b\r\n".repeat(1000), NO_PAUSE),
            "retry",
            "invalid answer",
            "",
        ),
        case(
            "interim-answers",
            endless("", b"HTTP/1.1 103 X\r\n\r\n".to_vec(), Duration::from_millis(1)),
            "retry",
            "no answer within 500ms",
            "",
        ),
        case(
            "too-many-headers",
            answer(200, &many_headers, b"{}"),
            "retry",
            "invalid answer",
            "",
        ),
        case(
            "no-text",
            answer(500, "", b"\xff\xfe\0\0bad \xf0\x9f\xa6 \xed\xa0\x80 end"),
            "retry",
            "500: the server failed",
            "bad ",
        ),
        case(
            "only-nul",
            answer(400, "", &[0; 5000]),
            "failed",
            "400",
            "\u{fffd}\u{fffd}",
        ),
        case(
            "nul-in-an-error",
            answer(
                400,
                "content-type: application/json\r\n",
                b"{\"message\": \"a\\u0000b\\ud800c\", \"code\": 1}",
            ),
            "failed",
            "400",
            "message",
        ),
        case(
            "deep-json",
            answer(400, "content-type: application/json\r\n", &deep),
            "failed",
            "400",
            "errors",
        ),
        case(
            "a-huge-number",
            answer(400, "", b"{\"code\": 1e999999999, \"message\": 5}"),
            "failed",
            "400",
            "1e999",
        ),
        case(
            "a-compressed-bomb",
            answer(200, "content-encoding: gzip\r\n", &bomb()?),
            "sent",
            "",
            "\u{1f}",
        ),
        case(
            "no-status",
            bytes(b"HTTP/1.1 99999 X\r\n\r\n".to_vec()),
            "retry",
            "invalid answer",
            "",
        ),
        case(
            "two-lengths",
            bytes(b"HTTP/1.1 200 X\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n12".to_vec()),
            "retry",
            "invalid answer",
            "",
        ),
        case(
            "a-negative-length",
            bytes(b"HTTP/1.1 200 X\r\ncontent-length: -1\r\n\r\n".to_vec()),
            "retry",
            "invalid answer",
            "",
        ),
    ])
}

/// Answers that ask to wait; 429 is no attempt.
fn waits() -> Vec<(&'static str, Answer)> {
    let after = |status, value: &str| answer(status, &format!("retry-after: {value}\r\n"), b"");
    vec![
        ("wait-forever", after(429, "1000000000000")),
        ("wait-infinitely", after(429, "inf")),
        ("wait-before", after(429, "-1")),
        (
            "wait-a-date",
            after(
                429,
                "Fri, 31 Dec 9999 23:59:59 GMT\r\ndate: Fri, 31 Dec 1999 23:59:59 GMT",
            ),
        ),
        ("wait-for-nothing", after(429, "soon")),
        (
            "wait-json",
            answer(
                429,
                "content-type: application/json\r\n",
                b"{\"retry_after\": 1e300, \"global\": false}",
            ),
        ),
        ("wait-out-of-order", after(503, "1000000000000")),
    ]
}

/// Memory that was ever resident, in KiB.
pub fn peak(pid: i32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

pub fn worker(client: &mut Client) -> Result<i32> {
    const SQL: &str = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'zentry_notify worker'";
    Ok(client.query_one(SQL, &[])?.get(0))
}

fn register(client: &mut Client, name: &str, url: &str) -> Result<i64> {
    let row = client.query_one(
        "SELECT zentry_register_webhook($1, 'discord', $2)",
        &[&name, &url],
    )?;
    Ok(row.get(0))
}

#[test]
fn hostile_answers_cost_little_and_are_stored_as_far_as_they_can_be() -> Result<()> {
    const COPIES: usize = 4; // of each, at once
    let cases = cases()?;
    let (mut answers, mut expected) = (waits(), Vec::new());
    let waiting: Vec<&str> = answers.iter().map(|(name, _)| *name).collect();
    for case in cases {
        answers.push((case.name, case.answer));
        expected.push((case.name, case.status, case.error, case.body));
    }
    answers.push(("proper", answer(200, "", b"{}")));
    let server = RawServer::start(answers)?;
    let cluster = Cluster::start(
        ClusterOptions::default()
            .set(
                "zentry_notify.allowed_hosts",
                format!("127.0.0.1:{}", server.port),
            )
            .set("zentry_notify.allow_http", "on")
            .set("zentry_notify.allow_private_addresses", "on")
            .set("zentry_notify.request_timeout", "500ms"),
    )?;
    let mut client = cluster.connect()?;
    zentry::load(&mut client)?;
    client.batch_execute("CREATE EXTENSION zentry_notify")?;

    // What a worker needs for proper answers, as a measure.
    for copy in 0..COPIES * (expected.len() + waiting.len()) {
        register(&mut client, &format!("proper {copy}"), &server.url("proper"))?;
    }
    for _ in 0..5 {
        fire(&mut client)?;
        Delivery::settle(&mut client)?;
    }
    let pid = worker(&mut client)?;
    let before = peak(pid)?;
    client.batch_execute("DELETE FROM zentry_notify.webhook_integration")?;

    for _ in 0..COPIES {
        for (name, ..) in &expected {
            register(&mut client, name, &server.url(name))?;
        }
        for name in &waiting {
            register(&mut client, name, &server.url(name))?;
        }
    }
    let now = Timestamp::now();
    // In one transaction, so that they leave in one message: what comes later waits behind a first one that is to be tried again.
    client.batch_execute("BEGIN")?;
    for _ in 0..3 {
        fire(&mut client)?;
    }
    client.batch_execute("COMMIT")?;
    // What comes after a delivery that has to wait is not tried.
    const TRIED: &str = "
        SELECT bool_and(EXISTS (SELECT FROM zentry_notify.notification_log l WHERE l.webhook_integration_id = w.id AND l.status <> 'pending')
                        AND (w.name LIKE 'wait-%' OR NOT EXISTS (
                          SELECT FROM zentry_notify.notification_log l WHERE l.webhook_integration_id = w.id AND l.status = 'pending')))
          FROM zentry_notify.webhook_integration w";
    wait_for(&mut client, TRIED)?;
    let rows = client.query(
        "SELECT w.name, l.* FROM zentry_notify.notification_log l \
         JOIN zentry_notify.webhook_integration w ON w.id = l.webhook_integration_id",
        &[],
    )?;
    assert_eq!(rows.len(), 3 * COPIES * (expected.len() + waiting.len()));
    let logged = |name: &str| {
        rows.iter()
            .filter(|row| row.get::<_, &str>("name") == name)
            .collect::<Vec<_>>()
    };
    for (name, status, error, body) in expected {
        for row in logged(name) {
            assert_eq!(row.get::<_, &str>("status"), status, "{row:?}");
            assert!(row.get::<_, &str>("error_message").starts_with(error), "{row:?}");
            let stored: &str = row.get("response_body");
            assert!(
                stored.contains(body) && stored.chars().count() <= 1000,
                "{name}: {stored}"
            );
        }
    }
    let tomorrow = now + SignedDuration::from_hours(24) + SignedDuration::from_mins(1);
    for name in waiting {
        for row in logged(name) {
            // The lane's first says how long; the others wait behind it.
            if let Some(next) = row.get::<_, Option<Timestamp>>("next_attempt_at") {
                assert!(next > now && next < tomorrow, "{name}: {next}");
            }
        }
    }
    assert_eq!(worker(&mut client)?, pid, "the worker has not died");
    let grown = peak(pid)? - before;
    assert!(grown < 32 * 1024, "{grown} KiB more than for proper answers");
    Ok(())
}
