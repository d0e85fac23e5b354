//! A standby takes over while senders send.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Result;
use postgres::Client;
use zentry_e2e::cluster::{Cluster, ClusterOptions};
use zentry_e2e::emulator::Behaviour;
use zentry_e2e::numbered;
use zentry_e2e::program::Running;
use zentry_e2e::scene::{Channel, Delivery, SOON, all_sent, hosts};
use zentry_e2e::site::{Site, wait_for};

use crate::support::connecting;

const EVENTS: i64 = 200;
const SENDERS: usize = 2;

/// A sender that knows both servers.
fn start_sender(servers: [&Cluster; 2]) -> Result<Running> {
    let both = servers.map(|server| server.dir().display().to_string()).join(",");
    let child = connecting(
        PathBuf::from(both).as_path(),
        servers[0].port(),
        "zentry",
        "sender",
    )?
    .args(["send", "--patience", "5", "--log-level", "debug"])
    .stderr(Stdio::inherit())
    .spawn()?;
    Ok(Running(child))
}

fn wait_until_spread(client: &mut Client) -> Result<()> {
    wait_for(
        client,
        "SELECT count(*) > 0 AND max(n) - min(n) <= 1 AND sum(n) = (SELECT count(*) FROM zentry_notify.sender_queue) \
           FROM (SELECT count(q.webhook_integration_id) AS n FROM zentry_notify.sender s \
                   LEFT JOIN zentry_notify.sender_queue q ON q.sender_id = s.id GROUP BY s.id) h HAVING count(*) = 2",
    )
}

/// The primary fails in the midst of it; what is committed is at the standby, as synchronous replication has it.
fn take_over(fail: impl FnOnce(&mut Cluster) -> Result<()>) -> Result<()> {
    let options = |options: ClusterOptions| options.set("zentry_notify.senders", "remote");
    let mut site = Site::start(options(ClusterOptions::default()))?;
    let mut client = site.database("zentry")?;
    client.batch_execute("CREATE ROLE sender LOGIN; SELECT zentry_grant('sender', 'sender')")?;
    let channels: Result<Vec<Channel>> = (0..4).map(|_| site.channel(&mut client)).collect();
    let channels = channels?;
    client.batch_execute(
        "UPDATE zentry_notify.webhook_integration SET max_events_per_message = 1, event_types = '[\"task_completed\"]'",
    )?;
    for channel in &channels {
        channel.webhook.limit(Default::default());
        channel
            .webhook
            .always(Behaviour::Slow(std::time::Duration::from_millis(20)));
    }
    let of_standby = options(ClusterOptions::default())
        .set("zentry_notify.allowed_hosts", hosts(&site.emulator))
        .set("zentry_notify.allow_http", "on")
        .set("zentry_notify.allow_private_addresses", "on");
    let standby = Cluster::start_standby(&site.cluster, of_standby)?;
    site.cluster.conf(&[("synchronous_standby_names", "*")])?;
    let senders: Result<Vec<Running>> = (0..SENDERS)
        .map(|_| start_sender([&site.cluster, &standby]))
        .collect();
    let _senders = senders?;
    wait_until_spread(&mut client)?;

    for number in 0..EVENTS / 10 {
        numbered::complete(&mut client, 10 * number + 1..=10 * number + 10)?;
    }
    for channel in &channels {
        channel.webhook.wait_for_events(20, SOON);
    }
    drop(client);
    fail(&mut site.cluster)?;
    standby.promote()?;
    let mut follower = standby.connect_as("postgres", "zentry")?;
    numbered::complete(&mut follower, EVENTS + 1..=EVENTS + 20)?;
    wait_until_spread(&mut follower)?;
    let deliveries = Delivery::settle(&mut follower)?;
    assert!(all_sent(&deliveries));
    assert_eq!(deliveries.len(), channels.len() * (EVENTS as usize + 20));
    let expected: Vec<i64> = (1..=EVENTS + 20).collect();
    for channel in &channels {
        assert_eq!(numbered::first_arrivals(&channel.webhook), expected);
        // Each sender's session has ended once, with one message of each webhook in flight at most.
        let twice = numbered::accepted(&channel.webhook).len() - expected.len();
        assert!(twice <= SENDERS, "{twice} came twice");
    }
    assert_eq!(site.emulator.complaints(), [""; 0]);
    Ok(())
}

#[test]
fn senders_go_on_with_the_standby_when_the_primary_is_killed() -> Result<()> {
    take_over(Cluster::kill9)
}

/// It takes connections and says nothing, as a machine does that hangs.
#[test]
fn senders_go_on_with_the_standby_when_the_primary_is_silent() -> Result<()> {
    take_over(|primary| primary.pause())
}
