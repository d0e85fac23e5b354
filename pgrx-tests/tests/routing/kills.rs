//! The worker, or the whole server, is killed at any moment.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use zentry_e2e::cluster::{Cluster, ClusterOptions};
use zentry_e2e::emulator::{Emulator, Kind, Options};
use zentry_e2e::numbered;
use zentry_e2e::scene::{self, Delivery, SOON, all_sent};
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry;

use crate::{assert_no_pair_twice, number, worker};

const ROUNDS: i64 = 6;
const EVENTS: i64 = 60;

#[test]
fn an_event_is_neither_lost_nor_delivered_by_two_rows_whenever_the_worker_is_killed() {
    let options = Options {
        rate_limits: false,
        ..Options::default()
    };
    let emulator = Emulator::start_with(options).unwrap();
    let options = ClusterOptions::default()
        .set("zentry_notify.allowed_hosts", scene::hosts(&emulator))
        .set("zentry_notify.allow_http", "on")
        .set("zentry_notify.allow_private_addresses", "on");
    let mut cluster = Cluster::start(options).unwrap();
    let mut client = cluster.connect().unwrap();
    zentry::load(&mut client).unwrap();
    client.batch_execute("CREATE EXTENSION zentry_notify").unwrap();
    let webhooks: Vec<_> = (0..3)
        .map(|_| {
            let webhook = emulator.register(Kind::Discord);
            scene::register(&mut client, &webhook, None, Some(&["task_completed"])).unwrap();
            webhook
        })
        .collect();
    for round in 0..ROUNDS {
        let first = round * EVENTS + 1;
        let before = emulator.event_count();
        for number in first..first + EVENTS {
            numbered::complete(&mut client, [number]).unwrap();
        }
        emulator.wait_for_events(before + 20 * round.unsigned_abs(), SOON);
        if round % 2 == 0 {
            // The server ends all sessions, and recovers.
            let process = worker(&mut client);
            let log = cluster.log_end().unwrap();
            kill(Pid::from_raw(process), Signal::SIGKILL).unwrap();
            cluster
                .wait_for_log_since(log, "all server processes terminated", SOON)
                .unwrap();
        } else {
            cluster.kill9().unwrap();
            cluster.start_again().unwrap();
        }
        client = eventually(SOON, "the server to take connections", || {
            let mut client = cluster.connect().ok()?;
            client.batch_execute("SELECT 1").ok()?;
            Some(client)
        })
        .unwrap();
    }
    let deliveries = Delivery::settle(&mut client).unwrap();
    assert!(all_sent(&deliveries));
    assert_eq!(deliveries.len() as i64, 3 * ROUNDS * EVENTS);
    assert_no_pair_twice(&mut client);
    for webhook in &webhooks {
        let mut arrived = numbered::accepted(webhook);
        arrived.sort_unstable();
        arrived.dedup();
        assert!(
            arrived.into_iter().eq(1..=ROUNDS * EVENTS),
            "of {}",
            webhook.name()
        );
    }
    assert_eq!(number(&mut client, "SELECT zentry_notify.unrouted_events()"), 0);
}
