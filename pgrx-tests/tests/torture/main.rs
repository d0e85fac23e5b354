//! Under load everything dies, again and again, at random moments; afterwards it is counted what arrived.
//!
//! `ZENTRY_KILLS` says how often (10), `ZENTRY_SEED` repeats a run as far as the machine lets it: what is killed, and after
//! how many more events.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod account;
mod disaster;
mod load;
mod senders;

use std::env;
use std::str::FromStr;
use std::time::Duration;

use fastrand::Rng;
use zentry_e2e::cluster::{Cluster, ClusterOptions};
use zentry_e2e::emulator::{Behaviour, Emulator, Kind, Options, Webhook};
use zentry_e2e::scene::{self, Delivery, SOON};
use zentry_e2e::soundness;
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry;

use self::account::Account;
use self::disaster::Disaster;
use self::load::Load;

/// Long enough for a message to be on its way at most moments.
const ANSWER_AFTER: Duration = Duration::from_millis(25);
const PER_KIND: usize = 2;
const WRITERS: i64 = 3;

fn setting<T: FromStr>(name: &str, default: T) -> T {
    match env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is {text:?}, which is no number")),
        Err(_) => default,
    }
}

fn start_cluster(emulator: &Emulator) -> Cluster {
    let options = ClusterOptions::default()
        .set("zentry_notify.allowed_hosts", scene::hosts(emulator))
        .set("zentry_notify.allow_http", "on")
        .set("zentry_notify.allow_private_addresses", "on")
        // How often is tried is not what is asked here.
        .set("zentry_notify.max_attempts", "100");
    let cluster = Cluster::start(options).unwrap();
    let mut client = cluster.connect().unwrap();
    zentry::load(&mut client).unwrap();
    client.batch_execute("CREATE EXTENSION zentry_notify").unwrap();
    cluster
}

fn channels(cluster: &Cluster, emulator: &Emulator) -> Vec<Webhook> {
    let mut client = cluster.connect().unwrap();
    let kinds = [Kind::Discord, Kind::Connector, Kind::Workflow].repeat(PER_KIND);
    kinds
        .into_iter()
        .map(|kind| {
            let webhook = emulator.register(kind);
            webhook.always(Behaviour::Slow(ANSWER_AFTER));
            scene::register(&mut client, &webhook, None, Some(&["task_completed"])).unwrap();
            webhook
        })
        .collect()
}

#[test]
fn whatever_dies_nothing_is_lost_and_only_what_was_in_flight_comes_twice() {
    let kills: usize = setting("ZENTRY_KILLS", 10);
    let seed: u64 = setting("ZENTRY_SEED", fastrand::u64(..));
    println!("ZENTRY_SEED={seed} ZENTRY_KILLS={kills}");
    let mut random = Rng::with_seed(seed);

    let options = Options {
        rate_limits: false,
        ..Options::default()
    };
    let emulator = Emulator::start_with(options).unwrap();
    let mut cluster = start_cluster(&emulator);
    let webhooks = channels(&cluster, &emulator);
    let mut account = Account::default();
    let load = Load::start(&cluster, &webhooks, WRITERS, &mut random);
    let mut bag = Vec::new();
    for number in 1..=kills {
        let more = random.u64(20..150);
        emulator_goes_on(&emulator, more);
        if bag.is_empty() {
            bag = Disaster::ALL.to_vec();
            random.shuffle(&mut bag);
        }
        let disaster = bag.pop().unwrap();
        println!(
            "kill {number}: {disaster:?}, after {} events",
            emulator.event_count()
        );
        if let Some(dead) = disaster.strike(&mut cluster, &emulator) {
            account.died(dead);
        }
    }
    emulator_goes_on(&emulator, 1);
    let written = load.stop();

    // What arrived may have been in flight when the server died, and it may still recover.
    let mut client = eventually(SOON, "the server to take connections", || cluster.connect().ok()).unwrap();
    let deliveries = Delivery::settle(&mut client).unwrap();
    assert_eq!(deliveries.iter().find(|delivery| delivery.status != "sent"), None);
    let committed = load::committed(&mut client);
    written.check(&committed);
    println!("{}", account.settle(&committed, &webhooks));
    assert_eq!(deliveries.len(), committed.len() * webhooks.len());
    assert_eq!(emulator.complaints(), [""; 0]);
    check_disk(&cluster);
}

/// What was recovered again and again is whole, ours and the application's.
fn check_disk(cluster: &Cluster) {
    let indexes = soundness::check(cluster, "postgres").unwrap();
    assert!(indexes > 100, "{indexes}");
    let catalogue = soundness::check_catalogue(cluster, "postgres").unwrap();
    println!("{indexes} indexes are whole; the catalogue was checked: {catalogue}");
}

/// Life after the last disaster: so many more events arrive.
fn emulator_goes_on(emulator: &Emulator, more: u64) {
    emulator.wait_for_events(emulator.event_count() + more, 2 * SOON);
}
