//! Senders on three addresses: they, the server and the network between them fail in all ways, again and again, and it is counted what arrived.
//!
//! `ZENTRY_SEND_WEBHOOKS` (60), `ZENTRY_SEND_EVENTS` (12000) and `ZENTRY_SEND_FAILURES` (9) say how large it is; `ZENTRY_SEED` repeats it as far as the machine lets it.

mod account;
mod failure;
mod load;
mod sender;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use fastrand::Rng;
use postgres::Client;
use zentry_e2e::cluster::{Cluster, ClusterOptions, Stage};
use zentry_e2e::emulator::{Behaviour, Certificate, Emulator, Kind, Options, RateLimit, Webhook};
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry;

use self::account::Account;
use self::failure::Failure;
use self::load::Load;
use self::sender::Sender;
use crate::setting;

/// What is asked of a machine that may be busy.
const LONG: Duration = Duration::from_secs(600);
/// Long enough for a message to be on its way at most moments.
const ANSWER_AFTER: Duration = Duration::from_millis(25);
const ADDRESSES: [Ipv4Addr; 3] = [
    Ipv4Addr::new(127, 0, 0, 2),
    Ipv4Addr::new(127, 0, 0, 3),
    Ipv4Addr::new(127, 0, 0, 4),
];
const WAITING: &str = "SELECT zentry_notify.unrouted_events() > 0 OR EXISTS (SELECT FROM zentry_notify.delivery WHERE status IN ('p', 'r'))";

/// A webhook, its number in the database, and the project that it hears of.
struct Channel {
    id: i64,
    project: i64,
    webhook: Webhook,
}

struct Setup {
    cluster: Cluster,
    emulator: Emulator,
    channels: Vec<Channel>,
    senders: Vec<Sender>,
}

/// As Discord does it, by address and by webhook.
fn start_emulator() -> Emulator {
    let options = Options {
        discord_global: Some(RateLimit::DISCORD_GLOBAL),
        ..Options::default()
    };
    Emulator::start_with(options).unwrap()
}

impl Setup {
    fn start(webhooks: usize) -> Self {
        let emulator = start_emulator();
        let options = ClusterOptions::default()
            .set("zentry_notify.allowed_hosts", "discord.com")
            .set("zentry_notify.senders", "remote")
            // How often is tried is not what is asked here.
            .set("zentry_notify.max_attempts", "100");
        let cluster = Cluster::start(options).unwrap();
        let mut client = cluster.connect().unwrap();
        zentry::load(&mut client).unwrap();
        client
            .batch_execute(
                "CREATE EXTENSION zentry_notify; CREATE ROLE sender LOGIN; SELECT zentry_grant('sender', 'sender')",
            )
            .unwrap();
        let channels = (0..webhooks).map(|number| channel(&mut client, &emulator, number));
        let channels = channels.collect();
        let base = emulator.https_base_with(Certificate::Vendors).unwrap();
        let target: SocketAddr = base.trim_start_matches("https://").parse().unwrap();
        let ca_file = Stage::get().unwrap().private_dir().join("senders-ca.pem");
        fs::write(&ca_file, emulator.ca_pem()).unwrap();
        let senders = ADDRESSES.map(|address| Sender::start(&cluster, address, target, &ca_file));
        Self {
            cluster,
            emulator,
            channels,
            senders: senders.into(),
        }
    }

    /// Each sender holds its share.
    fn wait_until_spread(&self) {
        let (least, most) = (
            self.channels.len() / self.senders.len(),
            self.channels.len().div_ceil(self.senders.len()),
        );
        eventually(LONG, "the webhooks to be spread", || {
            let mut client = self.cluster.connect().ok()?;
            let mut shares = self.senders.iter().map(|sender| sender.holds(&mut client));
            let even = |held: Option<Vec<i64>>| held.is_some_and(|held| (least..=most).contains(&held.len()));
            shares.all(even).then_some(())
        })
        .unwrap();
    }
}

/// At Discord's own host, as far as the senders know.
fn channel(client: &mut Client, emulator: &Emulator, number: usize) -> Channel {
    const PROJECT: &str = "INSERT INTO tasks_project (name, description, emoji, created_by_id, created_at, updated_at) \
                           VALUES ($1, '', '', $2, now(), now()) RETURNING id";
    const REGISTER: &str =
        "SELECT zentry_register_webhook($1, 'discord', $2, $3, event_types => '{task_completed}')";
    let webhook = emulator.register(Kind::Discord);
    webhook.always(Behaviour::Slow(ANSWER_AFTER));
    let name = format!("Project {number}");
    let project: i64 = client
        .query_one(PROJECT, &[&name, &zentry::id::ADA])
        .unwrap()
        .get(0);
    let url = webhook.url_at("https://discord.com");
    let id = client
        .query_one(REGISTER, &[&name, &url, &project])
        .unwrap()
        .get(0);
    Channel { id, project, webhook }
}

#[test]
fn whatever_fails_senders_lose_nothing_and_only_what_was_in_flight_comes_twice() {
    let webhooks: usize = setting("ZENTRY_SEND_WEBHOOKS", 60);
    let events: u64 = setting("ZENTRY_SEND_EVENTS", 12_000);
    let failures: usize = setting("ZENTRY_SEND_FAILURES", 9);
    let seed: u64 = setting("ZENTRY_SEED", fastrand::u64(..));
    println!(
        "ZENTRY_SEED={seed} ZENTRY_SEND_WEBHOOKS={webhooks} ZENTRY_SEND_EVENTS={events} ZENTRY_SEND_FAILURES={failures}"
    );
    let mut random = Rng::with_seed(seed);
    let mut setup = Setup::start(webhooks);
    setup.wait_until_spread();
    let mut account = Account::default();
    let started = Instant::now();
    let load = Load::start(&setup, &mut random);
    let mut bag = Vec::new();
    for number in 1..=failures {
        let share = events * number as u64 / (failures as u64 + 1);
        setup.emulator.wait_for_events(share, LONG);
        if bag.is_empty() {
            bag = Failure::ALL.to_vec();
            random.shuffle(&mut bag);
        }
        let failure = bag.pop().unwrap();
        let whose = random.usize(..setup.senders.len());
        if random.bool() {
            setup.wait_until_spread();
        }
        println!(
            "{:>4} s: failure {number}: {failure:?} ({}), after {} events",
            started.elapsed().as_secs(),
            setup.senders[whose].name(),
            setup.emulator.event_count()
        );
        failure.strike(&mut setup, whose, &mut random, &mut account);
    }
    load.wait_for(events);
    load.stop();

    eventually(LONG, "everything to be sent", || {
        let mut client = setup.cluster.connect().ok()?;
        let waiting: bool = client.query_one(WAITING, &[]).ok()?.get(0);
        (!waiting).then_some(())
    })
    .unwrap();
    let took = started.elapsed();
    let ended: usize = setup.senders.iter().map(Sender::sessions).sum::<usize>() - setup.senders.len();
    println!("{}", account.settle(&setup, ended, took));
    assert_eq!(setup.emulator.complaints(), [""; 0]);
    setup.wait_until_spread();
}
