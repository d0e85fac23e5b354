//! One sender for several databases: none holds up another, and what Discord says to the address holds for all.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use postgres::Client;
use zentry_e2e::emulator::Kind;
use zentry_e2e::numbered;
use zentry_e2e::program::Running;
use zentry_e2e::scene::{SOON, Scene, all_sent};
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
        let sql = "SELECT FROM zentry_status() s WHERE s.remedy LIKE '%zentry-notify send, which is its option --proxy%' LIMIT 1";
        one.client.query_opt(sql, &[]).ok()?
    })
    .map(drop)
}
