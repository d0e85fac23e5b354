//! A server of NATS that means harm, or that is none: the worker's memory stays within bounds, other webhooks do not wait, and nothing is lost.

use anyhow::Result;
use zentry_e2e::cluster::{Cluster, ClusterOptions};
use zentry_e2e::scene::Delivery;
use zentry_e2e::site::{fire, wait_for};
use zentry_e2e::zentry;

use crate::hostile_answers::{peak, worker};
use crate::raw_nats::{Manner, RawNats};
use crate::raw_server::{RawServer, answer};

/// Copies of each, at once.
const COPIES: usize = 3;
/// KiB.
const MOST: u64 = 48 * 1024;

/// What it says, and what the log says of that.
fn cases() -> Vec<(Manner, &'static str)> {
    let long = |text: &str| -> &'static [u8] { Vec::leak(text.repeat(65_536 / text.len() + 1).into_bytes()) };
    vec![
        (
            Manner::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "what no server of NATS says",
        ),
        (Manner::Says(b"-ERR 'not you'\r\n"), "no greeting"),
        (Manner::Says(b"MSG a 1 2000000\r\n"), "too large"),
        (Manner::Says(b"HMSG a 1 9 3\r\nx\r\n"), "a message that is none"),
        (Manner::Says(b"INFO {\r\n"), "a greeting that is none"),
        (Manner::Says(long("x")), "a line that is too long"),
        (
            Manner::Says(long("INFO {\"nonce\": \"x")),
            "a line that is too long",
        ),
        (Manner::SaysLater(b"MSG a 1 2000000\r\n"), "too large"),
        (Manner::SaysLater(long("x")), "a line that is too long"),
        (
            Manner::SaysLater(long("PONG\r\n")),
            "more than anybody had asked for",
        ),
        (
            Manner::SaysLater(long("MSG a 1 5\r\nhello\r\n")),
            "more than anybody had asked for",
        ),
        (
            Manner::SaysLater(long("-ERR 'Permissions Violation for what nobody asked'\r\n")),
            "more than anybody had asked for",
        ),
        (
            Manner::SaysLater(b"INFO {}\r\nnonsense\r\n"),
            "what no server of NATS says",
        ),
    ]
}

#[test]
fn hostile_servers_of_nats_cost_little_and_lose_nothing() -> Result<()> {
    let cases = cases();
    let servers = cases
        .iter()
        .map(|(manner, _)| RawNats::start(*manner))
        .collect::<Result<Vec<_>>>()?;
    let proper = RawServer::start(vec![("proper", answer(200, "", b"{}"))])?;
    let mut hosts: Vec<String> = servers.iter().map(RawNats::host).collect();
    hosts.push(format!("127.0.0.1:{}", proper.port));
    let cluster = Cluster::start(
        ClusterOptions::default()
            .set("zentry_notify.allowed_hosts", hosts.join(", "))
            .set("zentry_notify.allow_http", "on")
            .set("zentry_notify.allow_private_addresses", "on"),
    )?;
    let mut client = cluster.connect()?;
    zentry::load(&mut client)?;
    client.batch_execute("CREATE EXTENSION zentry_notify")?;
    const REGISTER: &str = "SELECT zentry_register_webhook($1, $2, $3, secret => $4)";
    client.query(
        REGISTER,
        &[&"proper", &"discord", &proper.url("proper"), &None::<&str>],
    )?;
    for _ in 0..5 {
        fire(&mut client)?;
        Delivery::settle(&mut client)?;
    }
    let pid = worker(&mut client)?;
    let before = peak(pid)?;

    for (number, server) in servers.iter().enumerate() {
        for copy in 0..COPIES {
            // Each with a connection of its own.
            let secret = format!("token{copy}");
            client.query(
                REGISTER,
                &[&number.to_string(), &"nats", &server.url(), &Some(secret)],
            )?;
        }
    }
    fire(&mut client)?;
    fire(&mut client)?;
    wait_for(
        &mut client,
        "SELECT count(DISTINCT l.webhook_integration_id) FILTER (WHERE l.status = 'retry') = (SELECT count(*) FROM zentry_notify.webhooks WHERE webhook_type = 'nats') \
            AND bool_and(l.status = 'sent') FILTER (WHERE w.webhook_type = 'discord') AND NOT bool_or(l.status = 'failed') \
           FROM zentry_notify.notification_log l JOIN zentry_notify.webhooks w ON w.id = l.webhook_integration_id",
    )?;
    for (number, (_, said)) in cases.iter().enumerate() {
        let errors = client.query(
            "SELECT l.error_message FROM zentry_notify.notification_log l JOIN zentry_notify.webhooks w ON w.id = l.webhook_integration_id \
              WHERE w.name = $1 AND l.status = 'retry'",
            &[&number.to_string()],
        )?;
        assert!(!errors.is_empty());
        for error in errors {
            let error: &str = error.get(0);
            assert!(
                error.contains(said) && error.chars().count() <= 500,
                "case {number}: {error}"
            );
        }
    }
    assert_eq!(worker(&mut client)?, pid, "the worker has not died");
    let grown = peak(pid)? - before;
    assert!(grown < MOST, "{grown} KiB more than for proper answers");
    Ok(())
}
