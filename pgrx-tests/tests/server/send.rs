//! `send`: processes that send for a database, as other machines would: shared out, killed, paused, cut off.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use std::{fs, io, thread};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use postgres::Client;
use serde_json::{Value, json};
use zentry_e2e::cable::Cable;
use zentry_e2e::cluster::Stage;
use zentry_e2e::emulator::{Behaviour, Certificate, Kind, Limits, Webhook};
use zentry_e2e::numbered;
use zentry_e2e::program::Running;
use zentry_e2e::proxy::Proxy;
use zentry_e2e::scene::{Channel, SOON, Scene, all_sent};
use zentry_e2e::wait::eventually;

use crate::support::{connecting, role_name};

/// How long the server waits for a word of a sender here.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running sender. It is killed when it is dropped.
struct Sender {
    name: String,
    child: Running,
}

impl Sender {
    fn start(scene: &mut Scene, login: &str) -> Result<Self> {
        let cluster = scene.database.cluster();
        let (dir, port) = (cluster.dir().to_owned(), cluster.port());
        Self::start_at(scene, login, &dir, port, &[])
    }

    /// With further arguments.
    fn start_with(scene: &mut Scene, login: &str, arguments: &[&str]) -> Result<Self> {
        let cluster = scene.database.cluster();
        let (dir, port) = (cluster.dir().to_owned(), cluster.port());
        Self::start_at(scene, login, &dir, port, arguments)
    }

    fn start_at(scene: &mut Scene, login: &str, host: &Path, port: u16, arguments: &[&str]) -> Result<Self> {
        let name = role_name("sender");
        let mut command = connecting(host, port, scene.database.name(), login)?;
        let patience = PATIENCE.as_secs().to_string();
        let child = command
            .args([
                "send",
                "--name",
                &name,
                "--patience",
                &patience,
                "--log-level",
                "debug",
            ])
            .args(arguments)
            .stderr(Stdio::inherit())
            .spawn()?;
        let sender = Self {
            name,
            child: Running(child),
        };
        eventually(SOON, "the sender to be there", || {
            sender.number(&mut scene.client)
        })?;
        Ok(sender)
    }

    /// Its number in the database, while it has a session.
    fn number(&self, client: &mut Client) -> Option<i64> {
        let sql = "SELECT max(s.id) FROM zentry_notify.sender s WHERE s.name = $1";
        client.query_one(sql, &[&self.name]).ok()?.get(0)
    }

    fn holds(&self, client: &mut Client) -> Vec<i64> {
        let sql = "SELECT q.webhook_integration_id FROM zentry_notify.sender_queue q \
                   JOIN zentry_notify.sender s ON s.id = q.sender_id WHERE s.name = $1 ORDER BY 1";
        let rows = client.query(sql, &[&self.name]).unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Ends it in order.
    fn end(mut self) -> Result<()> {
        self.child.signal(Signal::SIGTERM)?;
        assert!(self.child.wait()?.success());
        Ok(())
    }
}

/// A scene whose database leaves sending to others.
fn scene(senders: &str) -> Result<(Scene, String)> {
    let mut scene = Scene::start()?;
    let login = role_name("sender");
    scene.client.batch_execute(&format!(
        "CREATE ROLE {login} LOGIN; SELECT zentry_grant('{login}', 'sender')"
    ))?;
    scene.database.set("zentry_notify.senders", senders)?;
    Ok((scene, login))
}

fn channels(scene: &mut Scene, count: usize) -> Result<Vec<Channel>> {
    let channels: Result<Vec<Channel>> = (0..count)
        .map(|number| {
            scene.channel(if number % 2 == 0 {
                Kind::Discord
            } else {
                Kind::Workflow
            })
        })
        .collect();
    let channels = channels?;
    scene
        .client
        .batch_execute("UPDATE zentry_notify.webhook_integration SET max_events_per_message = 1")?;
    Ok(channels)
}

fn held(client: &mut Client, senders: &[&Sender]) -> Vec<usize> {
    senders.iter().map(|sender| sender.holds(client).len()).collect()
}

#[test]
fn three_senders_share_the_webhooks_and_keep_the_order() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let channels = channels(&mut scene, 6)?;
    let first = Sender::start(&mut scene, &login)?;
    let second = Sender::start(&mut scene, &login)?;
    let third = Sender::start(&mut scene, &login)?;
    eventually(SOON, "the webhooks to be spread", || {
        (held(&mut scene.client, &[&first, &second, &third]) == [2, 2, 2]).then_some(())
    })?;
    for number in 0..10 {
        numbered::complete(&mut scene.client, 5 * number + 1..=5 * number + 5)?;
    }
    let deliveries = scene.settle()?;
    assert!(all_sent(&deliveries));
    // Milestones are among them.
    assert!(deliveries.len() >= 300 && deliveries.len() % 6 == 0);
    for channel in &channels {
        assert_eq!(numbered::accepted(&channel.webhook), (1..=50).collect::<Vec<_>>());
        assert_eq!(channel.webhook.max_in_flight(), 1);
    }
    // Those that go hand theirs over.
    second.end()?;
    third.end()?;
    eventually(SOON, "the first one to have all of them", || {
        (first.holds(&mut scene.client).len() == 6).then_some(())
    })?;
    numbered::complete(&mut scene.client, 51..=52)?;
    let deliveries = scene.settle()?;
    assert!(all_sent(&deliveries));
    for count in [
        "SELECT sum(sent)::bigint FROM zentry_notify.delivery_totals WHERE event_type = '*'",
        "SELECT sum(sent)::bigint FROM zentry_notify.webhook_count",
    ] {
        eventually(SOON, count, || {
            let sent: Option<i64> = scene.client.query_one(count, &[]).ok()?.get(0);
            (sent == i64::try_from(deliveries.len()).ok()).then_some(())
        })?;
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
    first.end()
}

#[test]
fn senders_that_are_killed_paused_and_cut_off_lose_nothing_and_keep_the_order() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let channels = channels(&mut scene, 6)?;
    for channel in &channels {
        channel.webhook.always(Behaviour::Slow(Duration::from_millis(20)));
    }
    let cable = Cable::to(scene.database.cluster())?;
    let killed = Sender::start(&mut scene, &login)?;
    let paused = Sender::start(&mut scene, &login)?;
    let far = Sender::start_at(&mut scene, &login, "127.0.0.1".as_ref(), cable.port(), &[])?;
    eventually(SOON, "the webhooks to be spread", || {
        (held(&mut scene.client, &[&killed, &paused, &far]) == [2, 2, 2]).then_some(())
    })?;
    let session = paused.number(&mut scene.client);
    let before = far.number(&mut scene.client);
    for number in 0..40 {
        numbered::complete(&mut scene.client, 5 * number + 1..=5 * number + 5)?;
        match number {
            5 => killed.child.signal(Signal::SIGKILL)?,
            10 => paused.child.signal(Signal::SIGSTOP)?,
            15 => cable.cut(),
            _ => {}
        }
    }
    // The server has given both up.
    eventually(SOON, "both sessions to be over", || {
        let sql = "SELECT count(*) FROM zentry_notify.sender s WHERE s.id = ANY ($1) \
                   AND EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = s.process AND a.backend_start = s.session_started)";
        let there: i64 = scene
            .client
            .query_one(sql, &[&[session, before].as_slice()])
            .ok()?
            .get(0);
        (there == 0).then_some(())
    })?;
    let fresh = Sender::start(&mut scene, &login)?;
    paused.child.signal(Signal::SIGCONT)?;
    cable.mend();
    numbered::complete(&mut scene.client, 201..=210)?;
    let deliveries = scene.settle()?;
    assert!(all_sent(&deliveries));
    let expected: Vec<i64> = (1..=210).collect();
    let sessions = "SELECT last_value FROM zentry_notify.sender_id_seq";
    let sessions: i64 = scene.client.query_one(sessions, &[])?.get(0);
    for channel in &channels {
        assert_eq!(numbered::first_arrivals(&channel.webhook), expected);
        // Whatever ends a session leaves no more than one of each webhook in flight.
        let twice = numbered::accepted(&channel.webhook).len() - expected.len();
        assert!(
            twice <= usize::try_from(sessions)?,
            "{twice} came twice in {sessions} sessions"
        );
    }
    eventually(SOON, "the webhooks to be spread again", || {
        (held(&mut scene.client, &[&paused, &far, &fresh]) == [2, 2, 2]).then_some(())
    })
}

/// How to reach the emulator as Discord's own host by proxies at these addresses.
fn as_discord(scene: &mut Scene, name: &str, addresses: &[Ipv4Addr]) -> Result<(Vec<Proxy>, String)> {
    let base = scene.emulator.https_base_with(Certificate::Vendors)?;
    let target = base.trim_start_matches("https://").parse()?;
    let proxies: io::Result<Vec<Proxy>> = addresses
        .iter()
        .map(|address| Proxy::from_address(*address, target))
        .collect();
    let ca_file = Stage::get()?.private_dir().join(format!("{name}-ca.pem"));
    fs::write(&ca_file, scene.emulator.ca_pem())?;
    scene.database.set("zentry_notify.allowed_hosts", "discord.com")?;
    scene.client = scene.database.connect()?;
    Ok((proxies?, ca_file.to_str().context("a path")?.to_owned()))
}

fn at_discord(scene: &mut Scene, name: &str) -> Result<(i64, Webhook)> {
    const REGISTER: &str =
        "SELECT zentry_register_webhook($1, 'discord', $2, event_types => '{task_completed}')";
    let webhook = scene.emulator.register(Kind::Discord);
    webhook.limit(Limits::default());
    let url = webhook.url_at("https://discord.com");
    let id = scene.client.query_one(REGISTER, &[&name, &url])?.get(0);
    Ok((id, webhook))
}

fn is_banned(client: &mut Client, sender: &Sender) -> Result<bool> {
    let sql = "SELECT banned_until IS NOT NULL FROM zentry_notify.sender WHERE name = $1";
    Ok(client.query_one(sql, &[&sender.name])?.get(0))
}

#[test]
fn an_address_that_is_banned_gives_its_webhooks_away() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let (proxies, ca_file) = as_discord(&mut scene, "banned-sender", &[Ipv4Addr::LOCALHOST])?;
    let (id, webhook) = at_discord(&mut scene, "banned")?;
    let url = proxies[0].url();
    let arguments = ["--proxy", url.as_str(), "--ca-file", &ca_file];
    let first = Sender::start_with(&mut scene, &login, &arguments)?;
    let second = Sender::start_with(&mut scene, &login, &arguments)?;
    eventually(SOON, "the first one to have it", || {
        (held(&mut scene.client, &[&first, &second]) == [1, 0]).then_some(())
    })?;
    webhook.script([Behaviour::EdgeBan]);
    numbered::complete(&mut scene.client, [1])?;
    assert!(all_sent(&scene.settle()?));
    assert_eq!(numbered::accepted(&webhook), [1]);
    assert_eq!(second.holds(&mut scene.client), [id]);
    assert!(is_banned(&mut scene.client, &first)?);
    Ok(())
}

#[test]
fn a_sender_with_several_addresses_gives_its_webhooks_away_when_all_are_banned() -> Result<()> {
    const WEBHOOKS: usize = 20;
    const ADDRESSES: [Ipv4Addr; 3] = [
        Ipv4Addr::new(127, 0, 0, 2),
        Ipv4Addr::new(127, 0, 0, 3),
        Ipv4Addr::new(127, 0, 0, 4),
    ];
    let (mut scene, login) = scene("remote")?;
    let (proxies, ca_file) = as_discord(&mut scene, "several-addresses", &ADDRESSES)?;
    let webhooks: Result<Vec<_>> = (1..=WEBHOOKS)
        .map(|number| at_discord(&mut scene, &format!("webhook {number}")))
        .collect();
    let webhooks = webhooks?;
    let two = format!("{}, {}", proxies[0].url(), proxies[1].url());
    let first = Sender::start_with(&mut scene, &login, &["--proxy", &two, "--ca-file", &ca_file])?;
    eventually(SOON, "it to have all of them", || {
        (first.holds(&mut scene.client).len() == WEBHOOKS).then_some(())
    })?;
    numbered::complete(&mut scene.client, [1])?;
    assert!(all_sent(&scene.settle()?));
    let received = webhooks.iter().flat_map(|(_, webhook)| webhook.received());
    let from: BTreeSet<IpAddr> = received.map(|one| one.from).collect();
    assert_eq!(from, ADDRESSES[..2].iter().copied().map(IpAddr::from).collect());

    scene.emulator.ban(ADDRESSES[0].into());
    numbered::complete(&mut scene.client, [2])?;
    assert!(all_sent(&scene.settle()?));
    for (_, webhook) in &webhooks {
        assert_eq!(numbered::accepted(webhook), [1, 2]);
    }
    assert!(!is_banned(&mut scene.client, &first)?);

    let third = proxies[2].url();
    let second = Sender::start_with(&mut scene, &login, &["--proxy", &third, "--ca-file", &ca_file])?;
    scene.emulator.ban(ADDRESSES[1].into());
    numbered::complete(&mut scene.client, [3])?;
    assert!(all_sent(&scene.settle()?));
    for (_, webhook) in &webhooks {
        assert_eq!(numbered::accepted(webhook), [1, 2, 3]);
        assert!(webhook.received().iter().any(|one| one.from == ADDRESSES[2]));
    }
    assert!(is_banned(&mut scene.client, &first)?);
    assert_eq!(second.holds(&mut scene.client).len(), WEBHOOKS);
    Ok(())
}

#[test]
fn messages_leave_from_the_address_that_is_asked_for() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let channel = scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    let _sender = Sender::start_with(&mut scene, &login, &["--source-address", "127.0.0.7"])?;
    numbered::complete(&mut scene.client, [1])?;
    assert!(all_sent(&scene.settle()?));
    let from: Vec<IpAddr> = channel.webhook.received().iter().map(|one| one.from).collect();
    assert_eq!(from, [IpAddr::from([127, 0, 0, 7])]);
    // An address of documentation is no machine's.
    let cluster = scene.database.cluster();
    let refused = connecting(cluster.dir(), cluster.port(), scene.database.name(), &login)?
        .args(["send", "--source-address", "192.0.2.1"])
        .output()?;
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("messages cannot leave from 192.0.2.1"), "{said}");
    Ok(())
}

#[test]
fn who_sends_changes_while_events_come() -> Result<()> {
    let (mut scene, login) = scene("local")?;
    let channels = channels(&mut scene, 4)?;
    let sender = Sender::start(&mut scene, &login)?;
    let mut number = 0;
    let mut write = |scene: &mut Scene| {
        number += 5;
        numbered::complete(&mut scene.client, number - 4..=number)
    };
    write(&mut scene)?;
    assert!(all_sent(&scene.settle()?));
    assert!(sender.holds(&mut scene.client).is_empty());
    for (who, holds) in [("remote", 4), ("local", 0), ("both", 4), ("remote", 4)] {
        write(&mut scene)?;
        scene.database.set("zentry_notify.senders", who)?;
        write(&mut scene)?;
        eventually(SOON, format!("what {who} means"), || {
            (sender.holds(&mut scene.client).len() == holds).then_some(())
        })?;
        write(&mut scene)?;
        assert!(all_sent(&scene.settle()?), "{who}");
    }
    // Without a sender, the worker sends where both may.
    scene.database.set("zentry_notify.senders", "both")?;
    sender.child.signal(Signal::SIGKILL)?;
    write(&mut scene)?;
    assert!(all_sent(&scene.settle()?));
    for channel in &channels {
        assert_eq!(
            numbered::first_arrivals(&channel.webhook),
            (1..=number).collect::<Vec<_>>()
        );
    }
    Ok(())
}

/// A session that calls what `send` calls.
struct Calls {
    client: Client,
    sender: i64,
}

impl Calls {
    fn begin(scene: &Scene, login: &str) -> Result<Self> {
        let mut client = scene.database.connect_as(login)?;
        let row = client.query_one("SELECT zentry_notify.begin_sending('by hand', '10 minutes')", &[])?;
        let sender = row.get(0);
        Ok(Self { client, sender })
    }

    fn take(&mut self) -> Result<Vec<(i64, i64)>> {
        let sql = "SELECT zentry_notify.take_queues($1, '{}', NULL)";
        let said: Value = self.client.query_one(sql, &[&self.sender])?.get(0);
        Ok(serde_json::from_value(said["taken"].clone())?)
    }

    fn waiting(&mut self, webhook: i64) -> Result<Vec<i64>> {
        let sql =
            "SELECT c.id FROM zentry_notify.claim_deliveries($1, ARRAY[$2::bigint], '{10}', '{0}', '{10}') c";
        let rows = self.client.query(sql, &[&self.sender, &webhook])?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// What is refused of it.
    fn record(&mut self, webhook: i64, epoch: i64, delivery: i64) -> Result<Vec<i64>> {
        let report = json!({
            "epochs": [{"webhook_id": webhook, "epoch": epoch}],
            "deliveries": [{"id": delivery, "webhook_id": webhook, "status": "s", "attempts": 1, "finished_at": "2026-01-01T00:00:00Z"}],
            "misses": [], "switched_off": [], "closed": [], "opened": [], "in_a_row": [], "expired": [], "tally": [],
        });
        let sql = "SELECT zentry_notify.record_outcomes($1, $2)";
        Ok(self.client.query_one(sql, &[&self.sender, &report])?.get(0))
    }
}

fn take_soon(calls: &mut Calls) -> Result<(i64, i64)> {
    eventually(SOON, "the webhook to be offered", || calls.take().ok()?.pop())
}

#[test]
fn what_a_holder_of_before_reports_is_refused() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let channel = scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    let mut first = Calls::begin(&scene, &login)?;
    let (queue, epoch) = take_soon(&mut first)?;
    assert_eq!(queue, channel.id);
    numbered::complete(&mut scene.client, [1, 2])?;
    let waiting = eventually(SOON, "the deliveries to wait", || {
        first.waiting(queue).ok().filter(|waiting| waiting.len() == 2)
    })?;
    // Its session is over; nobody has taken the queue, so what it did counts.
    drop(first);
    let mut again = Calls::begin(&scene, &login)?;
    assert_eq!(again.record(queue, epoch, waiting[0])?, [0; 0]);
    drop(again);
    let mut other = Calls::begin(&scene, &login)?;
    let (_, later) = take_soon(&mut other)?;
    assert!(later > epoch);
    let mut again = Calls::begin(&scene, &login)?;
    assert_eq!(other.waiting(queue)?, waiting[1..]);
    assert_eq!(again.record(queue, epoch, waiting[1])?, [queue]);
    assert_eq!(other.waiting(queue)?, waiting[1..]);
    assert_eq!(again.waiting(queue)?, [0; 0]);
    assert_eq!(other.record(queue, later, waiting[1])?, [0; 0]);
    assert_eq!(other.waiting(queue)?, [0; 0]);
    let status: Vec<String> = scene
        .deliveries()?
        .into_iter()
        .map(|delivery| delivery.status)
        .collect();
    assert_eq!(status, ["sent", "sent"]);
    Ok(())
}

#[test]
fn a_sender_sees_what_it_holds_and_nothing_else() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let channels = channels(&mut scene, 2)?;
    let mut one = Calls::begin(&scene, &login)?;
    let mut other = Calls::begin(&scene, &login)?;
    let (of_one, of_other) = (take_soon(&mut one)?.0, take_soon(&mut other)?.0);
    let urls = |calls: &mut Calls| -> Result<Vec<String>> {
        let sql = "SELECT w ->> 'webhook_url' FROM jsonb_array_elements(zentry_notify.sending_webhooks($1) -> 'webhooks') w";
        let rows = calls.client.query(sql, &[&calls.sender])?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    };
    let url = |id: i64| {
        let channel = channels.iter().find(|channel| channel.id == id).unwrap();
        channel.webhook.url()
    };
    let seen = urls(&mut one)?;
    assert_eq!(seen.len(), 1);
    assert!(
        seen[0].starts_with(url(of_one).split('?').next().unwrap()),
        "{seen:?}"
    );
    assert_ne!(of_one, of_other);
    numbered::complete(&mut scene.client, [1])?;
    eventually(SOON, "its delivery to wait", || {
        one.waiting(of_one).ok().filter(|waiting| !waiting.is_empty())
    })?;
    assert_eq!(one.waiting(of_other)?, [0; 0]);
    // The number of another session's sender is of no use.
    one.sender = other.sender;
    for refused in [
        one.take().map(drop),
        one.waiting(of_other).map(drop),
        urls(&mut one).map(drop),
    ] {
        let error = refused.expect_err("a sender of another session");
        let error = error.downcast::<postgres::Error>()?;
        let said = error.as_db_error().context("the database's error")?;
        assert!(said.message().ends_with("is not of this session"), "{said:?}");
        assert!(
            said.hint().is_some_and(|hint| hint.contains("transaction mode")),
            "{said:?}"
        );
    }
    for refused in [
        "SELECT * FROM zentry_notify.webhook_secret",
        "SELECT * FROM zentry_notify.sender",
        "SELECT * FROM zentry_notify.webhooks",
        "SELECT zentry_status()",
        "SELECT zentry_notify.offer_queues('{1}')",
        "SELECT zentry_notify.forget_gone_senders()",
    ] {
        assert!(other.client.batch_execute(refused).is_err(), "{refused}");
    }
    Ok(())
}

/// Answers each query of a connection as a pooler in transaction mode that has one session: all are of the same process.
fn answer(mut client: TcpStream) -> Option<()> {
    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind], length.as_slice(), body].concat()
    }
    fn body(client: &mut TcpStream) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        client.read_exact(&mut length).ok()?;
        let mut body = vec![0; (u32::from_be_bytes(length) as usize).checked_sub(4)?];
        client.read_exact(&mut body).ok()?;
        Some(body)
    }
    body(&mut client)?;
    let ready = message(b'Z', b"I");
    client
        .write_all(&[message(b'R', &[0; 4]), ready.clone()].concat())
        .ok()?;
    let column = [
        b"\0\x01pid\0".as_slice(),
        &[0; 6],
        &[0, 0, 0, 23, 0, 4, 255, 255, 255, 255, 0, 0],
    ]
    .concat();
    let row = [[0, 1, 0, 0, 0, 4].as_slice(), b"4242"].concat();
    loop {
        let mut kind = [0];
        client.read_exact(&mut kind).ok()?;
        body(&mut client)?;
        if kind == *b"Q" {
            let answer = [
                message(b'T', &column),
                message(b'D', &row),
                message(b'C', b"SELECT 1\0"),
                ready.clone(),
            ];
            client.write_all(&answer.concat()).ok()?;
        }
    }
}

#[test]
fn a_pooler_in_transaction_mode_is_found_out() -> Result<()> {
    let pooler = TcpListener::bind("127.0.0.1:0")?;
    let port = pooler.local_addr()?.port();
    thread::spawn(move || {
        for client in pooler.incoming().map_while(Result::ok) {
            thread::spawn(move || answer(client));
        }
    });
    let mut child = connecting("127.0.0.1".as_ref(), port, "pooled", "sender")?
        .env("PGSSLMODE", "disable")
        .arg("send")
        .stderr(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(child.stderr.take().context("no standard error")?).lines();
    let mut said = String::new();
    for line in lines.map_while(Result::ok) {
        said += &line;
        if said.contains("pool_mode") {
            break;
        }
    }
    child.kill()?;
    child.wait()?;
    assert!(
        said.contains(
            "pooled: the connection goes through a pooler that gives each transaction another session"
        ) && said.contains("hint: "),
        "{said}"
    );
    Ok(())
}

#[test]
fn a_session_that_a_pooler_gives_to_somebody_else_holds_nothing() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let channel = scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    let mut first = Calls::begin(&scene, &login)?;
    assert_eq!(take_soon(&mut first)?.0, channel.id);
    // As PgBouncer does in session mode when its client has gone. The session itself goes on.
    first.client.batch_execute("DISCARD ALL")?;
    let mut other = Calls::begin(&scene, &login)?;
    assert_eq!(take_soon(&mut other)?.0, channel.id);
    assert!(first.take().is_err());
    Ok(())
}

#[test]
fn a_sender_that_keeps_a_transaction_open_holds_up_nothing_but_what_it_holds() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let held = channels(&mut scene, 2)?;
    let mut hostile = Calls::begin(&scene, &login)?;
    eventually(SOON, "the webhooks to be offered", || {
        let sql = "SELECT count(*) FROM zentry_notify.sender_queue q WHERE q.sender_id = $1";
        hostile.take().ok()?;
        (scene
            .client
            .query_one(sql, &[&hostile.sender])
            .ok()?
            .get::<_, i64>(0)
            == 2)
            .then_some(())
    })?;
    let ids: Vec<i64> = held.iter().map(|channel| channel.id).collect();
    hostile.client.batch_execute("BEGIN")?;
    let sql = "SELECT zentry_notify.release_queues($1, $2)";
    hostile.client.query_one(sql, &[&hostile.sender, &ids])?;
    numbered::complete(&mut scene.client, 1..=3)?;
    scene.database.set("zentry_notify.senders", "local")?;
    let free = scene.channel(Kind::Discord)?;
    for number in 4..=6 {
        numbered::complete(&mut scene.client, [number])?;
        free.webhook.wait_for_events(u64::try_from(number - 3)?, SOON);
    }
    // Nobody else posts what it holds.
    for channel in &held {
        assert_eq!(channel.webhook.requests(), 0);
    }
    drop(hostile);
    assert!(all_sent(&scene.settle()?));
    for channel in &held {
        assert_eq!(numbered::accepted(&channel.webhook), (1..=6).collect::<Vec<_>>());
    }
    Ok(())
}

#[test]
fn what_a_sender_makes_up_stops_neither_others_nor_the_worker() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let channel = scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    let mut hostile = Calls::begin(&scene, &login)?;
    let (queue, epoch) = take_soon(&mut hostile)?;
    numbered::complete(&mut scene.client, [1])?;
    let delivery = eventually(SOON, "the delivery to wait", || {
        hostile.waiting(queue).ok()?.pop()
    })?;
    let sql = "SELECT activated_at::text FROM zentry_notify.webhook WHERE id = $1";
    let since: String = scene.client.query_one(sql, &[&queue])?.get(0);
    let long = "x".repeat(100_000);
    let misses: Vec<Value> = (0..1000)
        .map(|number| {
            let at = format!("2026-01-01T00:00:00.{number:03}Z");
            json!({"id": delivery, "webhook_id": queue, "at": at, "attempt": -1, "error": long})
        })
        .collect();
    let tally = |event_type: &str| {
        json!({
            "webhook_id": queue, "event_type": event_type, "sent": i64::MAX, "failed": -5, "retried": 0, "requests": 0, "messages": i64::MAX,
            "rate_limited": 0, "latency_sum": "NaN", "latency": vec![i64::MAX; 1000],
        })
    };
    let report = json!({
        "epochs": [{"webhook_id": queue, "epoch": epoch}],
        "deliveries": [{"id": delivery, "webhook_id": queue, "status": "r", "attempts": -3, "body": long, "error": long, "next_attempt_at": "-infinity"}],
        "misses": misses, "switched_off": [], "closed": [],
        "opened": [{"webhook_id": queue, "failures": -1, "since": "-infinity", "next_try": "-infinity", "error": long}],
        "in_a_row": [{"webhook_id": queue, "since": since, "failures": -5, "refusals": -5, "limits": -5, "posts": ["infinity", "-infinity", null]}],
        "expired": [], "tally": [tally("task_completed"), tally("made_up")],
    });
    for _ in 0..3 {
        let sql = "SELECT zentry_notify.record_outcomes($1, $2)";
        let refused: Vec<i64> = hostile.client.query_one(sql, &[&hostile.sender, &report])?.get(0);
        assert_eq!(refused, [0; 0]);
    }
    drop(hostile);
    let sql = "SELECT (SELECT count(*) FROM zentry_notify.delivery_attempt) <= 100 \
               AND (SELECT max(length(error_message)) FROM zentry_notify.delivery_attempt) <= 1000 \
               AND (SELECT max(length(error_message) + length(response_body)) FROM zentry_notify.delivery) <= 2000 \
               AND (SELECT max(length(error_message)) FROM zentry_notify.webhook_circuit) <= 1000 \
               AND (SELECT bool_and(event_type = 'task_completed' AND latency_sum < 'Infinity' AND sent BETWEEN 0 AND 10 ^ 10) \
                      FROM zentry_notify.delivery_stat)";
    assert!(scene.client.query_one(sql, &[])?.get::<_, bool>(0));
    let sender = Sender::start(&mut scene, &login)?;
    assert!(all_sent(&scene.settle()?));
    sender.end()?;
    scene.database.set("zentry_notify.senders", "local")?;
    numbered::complete(&mut scene.client, [2])?;
    assert!(all_sent(&scene.settle()?));
    assert_eq!(numbered::accepted(&channel.webhook), [1, 2]);
    Ok(())
}

#[test]
fn what_another_role_holds_is_not_a_senders_to_report() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let other = role_name("sender");
    scene.client.batch_execute(&format!(
        "CREATE ROLE {other} LOGIN; SELECT zentry_grant('{other}', 'sender')"
    ))?;
    scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    let mut holder = Calls::begin(&scene, &login)?;
    let (queue, epoch) = take_soon(&mut holder)?;
    numbered::complete(&mut scene.client, [1])?;
    let delivery = eventually(SOON, "the delivery to wait", || holder.waiting(queue).ok()?.pop())?;
    // It has guessed when the queue was taken.
    let mut hostile = Calls::begin(&scene, &other)?;
    assert_eq!(hostile.record(queue, epoch, delivery)?, [queue]);
    assert_eq!(holder.waiting(queue)?, [delivery]);
    assert_eq!(holder.record(queue, epoch, delivery)?, [0; 0]);
    Ok(())
}

#[test]
fn a_digest_waits_for_what_is_not_routed_yet() -> Result<()> {
    const EVENTS: i64 = 200;
    let (mut scene, login) = scene("remote")?;
    let channel = scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    scene.client.batch_execute(&format!(
        "SELECT zentry_update_webhook({}, digest => '1 hour')",
        channel.id
    ))?;
    numbered::complete(&mut scene.client, 1..=3)?;
    scene.wait_until("three to wait", |all| all.len() == 3)?;
    let offered = "SELECT FROM zentry_notify.sender_queue WHERE NOT recalled";
    eventually(SOON, "the webhook to be offered", || {
        scene.client.query_opt(offered, &[]).ok()?
    })?;
    // Nothing is routed meanwhile.
    let mut other = scene.database.connect()?;
    other.batch_execute("BEGIN; SELECT FROM zentry_notify.route_cursor FOR UPDATE")?;
    numbered::complete(&mut scene.client, 4..=EVENTS)?;
    scene
        .client
        .batch_execute("UPDATE zentry_notify.event SET created_at = created_at - interval '1 hour'")?;
    let _sender = Sender::start(&mut scene, &login)?;
    let heard = "SELECT FROM pg_stat_activity a JOIN zentry_notify.sender s ON s.process = a.pid WHERE a.query LIKE '%claim_deliveries%' \
                 AND a.state = 'idle' AND a.state_change > $1::text::timestamptz";
    for _ in 0..2 {
        let now: String = scene.client.query_one("SELECT now()::text", &[])?.get(0);
        eventually(SOON, "the sender to have read the digest", || {
            scene.client.query_opt(heard, &[&now]).ok()?
        })?;
    }
    other.batch_execute("COMMIT")?;
    scene.wait_until("all of them to be sent", |all| {
        all.len() == EVENTS as usize && all_sent(all)
    })?;
    assert_eq!(channel.webhook.requests(), 1);
    Ok(())
}
