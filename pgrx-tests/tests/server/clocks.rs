//! Clocks of senders that are wrong, and that are set while they send: they decide nothing.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result};
use serde_json::Value;
use zentry_e2e::cluster::Stage;
use zentry_e2e::emulator::{Behaviour, Certificate, Kind};
use zentry_e2e::numbered;
use zentry_e2e::preload::compile;
use zentry_e2e::program::Running;
use zentry_e2e::proxy::Proxy;
use zentry_e2e::scene::{Channel, SOON, Scene, all_sent};
use zentry_e2e::site::wait_for;

use crate::send::sender;
use crate::support::connecting;

const DAY: i64 = 86_400;

/// The time of day, moved by as many seconds as a file says at that moment.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef int (*gettime)(clockid_t, struct timespec *);

int clock_gettime(clockid_t clock, struct timespec *now)
{
    gettime real = (gettime) dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME) {
        long moved = 0;
        FILE *file = fopen(getenv("CLOCK_MOVED"), "r");
        if (file != NULL) {
            if (fscanf(file, "%ld", &moved) != 1)
                moved = 0;
            fclose(file);
        }
        now->tv_sec += moved;
    }
    return result;
}
"#;

/// The file that moves a sender's clock.
struct Clock(PathBuf);

impl Clock {
    fn moved(name: &str, seconds: i64) -> Result<Self> {
        let clock = Self(Stage::get()?.private_dir().join(format!("clock-{name}")));
        clock.set(seconds)?;
        Ok(clock)
    }

    fn set(&self, seconds: i64) -> Result<()> {
        // A half-written one must not be read.
        let new = self.0.with_extension("new");
        fs::write(&new, seconds.to_string())?;
        Ok(fs::rename(new, &self.0)?)
    }
}

fn scene(webhooks: usize) -> Result<(Scene, String, Vec<Channel>)> {
    let (mut scene, login) = sender::scene("remote")?;
    let channels: Result<Vec<Channel>> = (0..webhooks)
        .map(|_| scene.channel_for(Kind::Discord, None, Some(&["task_completed"])))
        .collect();
    Ok((scene, login, channels?))
}

fn start(
    scene: &mut Scene,
    login: &str,
    library: &Path,
    clock: &Clock,
    arguments: &[&str],
) -> Result<Running> {
    let cluster = scene.database.cluster();
    let child = connecting(cluster.dir(), cluster.port(), scene.database.name(), login)?
        .env("LD_PRELOAD", library)
        .env("CLOCK_MOVED", &clock.0)
        .args(["send", "--patience", "5", "--log-level", "debug"])
        .args(arguments)
        .stderr(Stdio::inherit())
        .spawn()?;
    Ok(Running(child))
}

/// Waits until so many senders hold one webhook each.
fn wait_until_held(scene: &mut Scene, senders: usize) -> Result<()> {
    wait_for(
        &mut scene.client,
        &format!(
            "SELECT count(DISTINCT sender_id) = {senders} AND count(*) = count(sender_id) FROM zentry_notify.sender_queue"
        ),
    )
}

#[test]
fn a_senders_clock_lets_nothing_expire_and_holds_nothing_back() -> Result<()> {
    let (mut scene, login, channels) = scene(3)?;
    let library = compile(CLOCK, "clock")?;
    let clocks = [
        Clock::moved("ahead", 3 * DAY)?,
        Clock::moved("behind", -3 * DAY)?,
        Clock::moved("right", 0)?,
    ];
    let senders: Result<Vec<Running>> = clocks
        .iter()
        .map(|clock| start(&mut scene, &login, &library, clock, &[]))
        .collect();
    let _senders = senders?;
    wait_until_held(&mut scene, 3)?;
    for channel in &channels {
        // Tried again when the time has come, by whose clock ever.
        channel.webhook.script([Behaviour::Status(500)]);
    }
    numbered::complete(&mut scene.client, 1..=5)?;
    for channel in &channels {
        channel.webhook.wait_for(1, SOON);
    }
    for clock in &clocks {
        clock.set(-10 * DAY)?;
    }
    numbered::complete(&mut scene.client, 6..=10)?;
    assert!(all_sent(&scene.settle()?));
    for channel in &channels {
        assert_eq!(numbered::accepted(&channel.webhook), (1..=10).collect::<Vec<_>>());
    }
    // What is written down is by the database's.
    wait_for(
        &mut scene.client,
        "SELECT bool_and(abs(extract(epoch FROM sent_at - created_at)) < 3600) FROM zentry_notify.notification_log",
    )
}

#[test]
fn a_ban_is_heard_of_whatever_the_clock_of_who_is_banned() -> Result<()> {
    const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 0, 8), Ipv4Addr::new(127, 0, 0, 9)];
    let (mut scene, login, _) = scene(0)?;
    let library = compile(CLOCK, "clock-of-banned")?;
    // By more than the ban lasts.
    let clocks = [
        Clock::moved("banned", -2 * 3_600)?,
        Clock::moved("not-banned", 0)?,
    ];
    // Discord's own host, as far as the senders know.
    let base = scene.emulator.https_base_with(Certificate::Vendors)?;
    let target = base.trim_start_matches("https://").parse()?;
    let ca_file = Stage::get()?.private_dir().join("clock-of-banned-ca.pem");
    fs::write(&ca_file, scene.emulator.ca_pem())?;
    let ca_file = ca_file.to_str().context("a path")?;
    scene.database.set("zentry_notify.allowed_hosts", "discord.com")?;
    scene.client = scene.database.connect()?;
    let webhook = scene.emulator.register(Kind::Discord);
    scene.client.execute(
        "SELECT zentry_register_webhook('banned', 'discord', $1, event_types => '{task_completed}')",
        &[&webhook.url_at("https://discord.com")],
    )?;
    let mut running = Vec::new();
    for (number, (address, clock)) in ADDRESSES.into_iter().zip(&clocks).enumerate() {
        let proxy = Proxy::from_address(address, target)?;
        let arguments = ["--proxy", &proxy.url(), "--ca-file", ca_file];
        let sender = start(&mut scene, &login, &library, clock, &arguments)?;
        running.push((sender, proxy));
        // The first one has it.
        wait_until_held(&mut scene, 1)?;
        wait_for(
            &mut scene.client,
            &format!("SELECT count(*) = {} FROM zentry_notify.sender", number + 1),
        )?;
    }
    scene.emulator.ban(ADDRESSES[0].into());
    numbered::complete(&mut scene.client, [1])?;
    assert!(all_sent(&scene.settle()?));
    let from: Vec<IpAddr> = webhook.received().iter().map(|one| one.from).collect();
    assert_eq!(from, ADDRESSES.map(IpAddr::from));
    Ok(())
}

/// A standby may go on that lacks the last epochs, with a clock that is behind.
#[test]
fn an_epoch_is_not_given_twice() -> Result<()> {
    let (mut scene, ..) = scene(1)?;
    let sender: i64 = scene
        .client
        .query_one("SELECT zentry_notify.begin_sending('by hand', '10 minutes')", &[])?
        .get(0);
    let mut epochs = Vec::new();
    for _ in 0..2 {
        // No clock says as much.
        wait_for(
            &mut scene.client,
            "WITH u AS (UPDATE zentry_notify.sender_queue SET sender_id = NULL, epoch = 9000000000000000 RETURNING 1) SELECT count(*) = 1 FROM u",
        )?;
        let said: Value = scene
            .client
            .query_one("SELECT zentry_notify.take_queues($1, '{}', NULL)", &[&sender])?
            .get(0);
        epochs.push(said["taken"][0][1].as_i64().context("an epoch")?);
    }
    assert_ne!(epochs[0], epochs[1]);
    Ok(())
}
