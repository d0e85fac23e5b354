//! One sender for several databases: none holds up another, and what Discord says to the address holds for all.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use postgres::Client;
use zentry_e2e::cable::Cable;
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::numbered;
use zentry_e2e::program::Running;
use zentry_e2e::release::earlier_versions;
use zentry_e2e::scene::{Channel, SOON, Scene, all_sent, all_sent_at_once};
use zentry_e2e::wait::eventually;

use super::{GONE, connection, login};
use crate::send::addresses::{as_discord, at_discord};
use crate::support::{Directory, command};

/// A sender whose log is kept.
struct Sender {
    child: Running,
    log: JoinHandle<String>,
}

impl Sender {
    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stderr.take().context("no standard error")?).lines();
        let log = thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>().join("\n"));
        Ok(Self {
            child: Running(child),
            log,
        })
    }

    /// Ends it, and returns what it has logged.
    fn log(self) -> String {
        drop(self.child);
        self.log.join().unwrap()
    }
}

/// Two databases that leave sending to others, and a role that may.
fn remote() -> Result<(Scene, Scene, String)> {
    let (mut one, mut other) = (Scene::start()?, Scene::start()?);
    let login = login(&mut [&mut one, &mut other], "sender")?;
    for scene in [&one, &other] {
        scene.database.set("zentry_notify.senders", "remote")?;
    }
    Ok((one, other, login))
}

#[test]
fn a_database_that_is_away_holds_up_no_other() -> Result<()> {
    let (one, other, login) = remote()?;
    let directory = Directory::new()?;
    let services = directory.0.join("services");
    let service = connection(&other).replace(' ', "\n");
    fs::write(&services, format!("[shop]\n{service}\n"))?;
    let sender = Sender::start(
        command(&one, &login)?
            .env("PGSERVICEFILE", &services)
            // The one that is away is the first.
            .args(["send", "--database-url", GONE])
            .args(["--database-url", &connection(&one)])
            .args(["--database-url", "service=shop"]),
    )?;
    let mut scenes = [one, other];
    let mut channels = Vec::new();
    for scene in &mut scenes {
        channels.push(scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?);
        numbered::complete(&mut scene.client, 1..=3)?;
    }
    for (scene, channel) in scenes.iter_mut().zip(&channels) {
        assert!(all_sent(&scene.settle()?));
        assert_eq!(numbered::accepted(&channel.webhook), [1, 2, 3]);
    }
    let log = sender.log();
    assert!(log.contains("gone at 127.0.0.1:1: cannot connect"), "{log}");
    for scene in &scenes {
        let sends = format!("{} at ", scene.database.name());
        assert!(log.contains(&sends), "{log}");
    }
    Ok(())
}

/// A connection string that leads to the scene's database by this cable.
fn by(cable: &Cable, scene: &Scene) -> String {
    format!(
        "host=127.0.0.1 port={} dbname={}",
        cable.port(),
        scene.database.name()
    )
}

#[test]
fn what_one_database_answers_ends_no_other() -> Result<()> {
    let (mut one, mut other, login) = remote()?;
    // As another version might.
    other.client.batch_execute(
        "CREATE OR REPLACE FUNCTION zentry_notify.sending_settings() RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb'",
    )?;
    let mut sender = Sender::start(
        command(&one, &login)?
            .args(["send", "--database", &format!("other={}", connection(&other))])
            .args(["--database", &format!("one={}", connection(&one))]),
    )?;
    let channel = one.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    numbered::complete(&mut one.client, 1..=3)?;
    assert!(all_sent(&one.settle()?));
    assert_eq!(numbered::accepted(&channel.webhook), [1, 2, 3]);
    assert!(sender.child.try_wait()?.is_none());
    let log = sender.log();
    assert!(
        log.contains("other: what the database says cannot be read"),
        "{log}"
    );
    Ok(())
}

#[test]
fn what_a_database_lacks_is_said_with_what_to_do() -> Result<()> {
    let (mut well, mut old, login) = remote()?;
    let (bare, unwilling) = (Scene::empty()?, Scene::start()?);
    let earlier = earlier_versions()?;
    let earlier = earlier.last().context("no version before this one")?;
    old.client.batch_execute(&format!(
        "DROP EXTENSION zentry_notify CASCADE; CREATE EXTENSION zentry_notify VERSION '{earlier}'"
    ))?;
    let databases = [
        ("old", &old),
        ("bare", &bare),
        ("unwilling", &unwilling),
        ("well", &well),
    ];
    let databases = databases.map(|(name, scene)| format!("{name}={}", connection(scene)));
    let sender = Sender::start(
        command(&well, &login)?
            .arg("send")
            .args(databases.iter().flat_map(|database| ["--database", database])),
    )?;
    let channel = well.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    numbered::complete(&mut well.client, [1])?;
    assert!(all_sent(&well.settle()?));
    assert_eq!(numbered::accepted(&channel.webhook), [1]);
    let log = sender.log();
    let reasons: [(&str, &str); 3] = [
        (
            "old",
            &format!("the extension is of version {earlier}, which has no senders"),
        ),
        ("bare", "the database does not have the extension zentry_notify"),
        (
            "unwilling",
            &format!("the role {login} may not send: permission denied"),
        ),
    ];
    for (database, why) in reasons {
        assert!(log.contains(&format!("{database}: {why}")), "{log}");
    }
    Ok(())
}

#[test]
fn a_database_that_is_silent_does_not_keep_a_sender_from_ending() -> Result<()> {
    let (mut one, other, login) = remote()?;
    let (cut_later, cut_at_once) = (
        Cable::to(one.database.cluster())?,
        Cable::to(other.database.cluster())?,
    );
    cut_at_once.cut();
    let mut sender = Sender::start(
        command(&one, &login)?
            // Longer than anybody waits here.
            .args(["send", "--patience", "600"])
            .args(["--database", &format!("one={}", by(&cut_later, &one))])
            .args(["--database", &format!("other={}", by(&cut_at_once, &other))]),
    )?;
    let channel = one.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    numbered::complete(&mut one.client, [1])?;
    channel.webhook.wait_for_events(1, SOON);
    assert!(all_sent(&one.settle()?));
    cut_later.cut();
    sender.child.signal(Signal::SIGTERM)?;
    eventually(SOON, "the sender to end", || sender.child.try_wait().ok()?)?;
    let log = sender.log();
    assert!(
        log.contains("one: ended, though the database has not answered"),
        "{log}"
    );
    assert!(log.contains("other: ended"), "{log}");
    Ok(())
}

#[test]
fn endpoints_of_one_database_that_hang_leave_the_others_files_to_open() -> Result<()> {
    const WEBHOOKS: usize = 150;
    let (mut one, mut other, login) = remote()?;
    one.database.set("zentry_notify.request_timeout", "1s")?;
    let hanging: Vec<Channel> = (0..WEBHOOKS)
        .map(|_| one.channel_for(Kind::Workflow, None, Some(&["task_completed"])))
        .collect::<Result<_>>()?;
    for channel in &hanging {
        channel.webhook.always(Behaviour::Hang);
    }
    let channels: Vec<Channel> = (0..5)
        .map(|_| other.channel_for(Kind::Workflow, None, Some(&["task_completed"])))
        .collect::<Result<_>>()?;
    let direct = command(&one, &login)?;
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -n 128 && exec \"$0\" \"$@\""])
        .arg(direct.get_program())
        .args(["send", "--database", &format!("one={}", connection(&one))])
        .args(["--database", &format!("other={}", connection(&other))])
        .env("PGUSER", &login)
        .stdin(Stdio::null());
    let _sender = Sender::start(&mut limited)?;
    numbered::complete(&mut one.client, [1])?;
    eventually(SOON, "endpoints to hang", || {
        (one.emulator.requests() >= 8).then_some(())
    })?;
    numbered::complete(&mut other.client, 1..=3)?;
    assert!(all_sent_at_once(&other.settle()?));
    for channel in &channels {
        assert_eq!(numbered::accepted(&channel.webhook), [1, 2, 3]);
    }
    let deliveries = one.wait_until("each to be tried", |all| {
        all.len() == WEBHOOKS && all.iter().all(|delivery| delivery.attempts > 0)
    })?;
    for delivery in deliveries {
        let why = delivery.error_message;
        assert!(!why.contains("open files"), "{why}");
    }
    Ok(())
}

/// Whether the only sender has told the database that Discord turns it away.
fn is_banned(client: &mut Client) -> Option<()> {
    let sql = "SELECT FROM zentry_notify.sender WHERE banned_until > now()";
    client.query_opt(sql, &[]).ok()?.map(drop)
}

#[test]
fn what_discord_says_to_one_database_holds_for_the_others() -> Result<()> {
    let (mut one, mut other, login) = remote()?;
    let (proxies, ca_file) = as_discord(&mut one, "several-databases", &[Ipv4Addr::LOCALHOST])?;
    other.database.set("zentry_notify.allowed_hosts", "discord.com")?;
    other.client = other.database.connect()?;
    // Both are at the same vendor's.
    let (id, of_one) = at_discord(&one.emulator, &mut one.client, "one")?;
    let (_, of_other) = at_discord(&one.emulator, &mut other.client, "other")?;
    let sender = Sender::start(
        command(&one, &login)?
            .args(["send", "--database", &format!("one={}", connection(&one))])
            .args(["--database", &format!("other={}", connection(&other))])
            .args(["--proxy", &proxies[0].url(), "--ca-file", &ca_file]),
    )?;
    for scene in [&mut one, &mut other] {
        eventually(SOON, "the sender to hold the webhook", || {
            let sql = "SELECT FROM zentry_notify.sender_queue q WHERE q.sender_id IS NOT NULL";
            scene.client.query_opt(sql, &[]).ok()?
        })?;
    }
    one.emulator.ban(Ipv4Addr::LOCALHOST.into());
    numbered::complete(&mut one.client, [1])?;
    eventually(SOON, "the database to hear of the ban", || {
        is_banned(&mut one.client)
    })?;
    // It has sent nothing, and knows.
    eventually(SOON, "the other one to hear of it", || {
        is_banned(&mut other.client)
    })?;
    assert_eq!(of_other.requests(), 0);
    numbered::complete(&mut other.client, [1])?;
    other.wait_until("its delivery to wait", |all| all.len() == 1)?;
    // A person of one of them ends it for both.
    one.emulator.lift_ban(Ipv4Addr::LOCALHOST.into());
    one.client.execute("SELECT zentry_resume($1)", &[&id])?;
    for (scene, webhook) in [(&mut one, &of_one), (&mut other, &of_other)] {
        assert!(all_sent(&scene.settle()?));
        assert_eq!(numbered::accepted(webhook), [1]);
    }
    let log = sender.log();
    for name in ["one: sending", "other: sending"] {
        assert!(log.contains(name), "{log}");
    }
    Ok(())
}

#[test]
fn an_attempt_by_a_proxy_that_is_not_there_names_the_option() -> Result<()> {
    let (mut one, _other, login) = remote()?;
    one.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    let _sender = Sender::start(command(&one, &login)?.args(["send", "--proxy", "http://127.0.0.1:1"]))?;
    numbered::complete(&mut one.client, [1])?;
    eventually(SOON, "an attempt", || {
        let sql = "SELECT FROM zentry_notify.delivery_attempt WHERE error_message LIKE '%by way of --proxy: %' LIMIT 1";
        one.client.query_opt(sql, &[]).ok()?
    })?;
    // A remedy is the option's, too.
    eventually(SOON, "the status to name the option", || {
        let sql = "SELECT FROM zentry_status() s WHERE s.remedy LIKE '%zentry-notify send, which its option --proxy names%' LIMIT 1";
        one.client.query_opt(sql, &[]).ok()?
    })
    .map(drop)
}
