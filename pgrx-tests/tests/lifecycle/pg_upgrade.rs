//! pg_upgrade. From a major version to itself, which it allows: what it does with us is the same between majors.

use anyhow::Result;
use postgres::Client;
use zentry_e2e::catalogue;
use zentry_e2e::cluster::{Cluster, ClusterOptions};
use zentry_e2e::emulator::Behaviour;
use zentry_e2e::scene::{Delivery, SOON, all_sent, hosts};
use zentry_e2e::site::{Site, fire};

/// The catalogue but for the casts and brackets in expressions: pg_upgrade dumps them as text, and PostgreSQL reads
/// `ANY ((ARRAY['a'::character varying])::text[])` in again as `ANY (ARRAY[('a'::character varying)::text])`. And but for initial
/// privileges that are PostgreSQL's default, which it does not dump: those of capture, which PUBLIC may call as ever.
fn lines(client: &mut Client) -> Result<Vec<String>> {
    let simple = |line: String| {
        line.replace("::character varying", "")
            .replace("::text", "")
            .replace(['(', ')', '[', ']'], "")
    };
    Ok(catalogue::lines(client)?
        .into_iter()
        .filter(|line| !line.starts_with("initial privilege function zentry_notify.capture() "))
        .map(simple)
        .collect())
}

/// From a directory of `extension_control_path` (PostgreSQL 18), all works with `$libdir/zentry_notify` but pg_upgrade, which looks for the
/// library by the name that the functions have.
#[test]
fn functions_name_the_library_without_a_directory() -> Result<()> {
    let site = Site::start(ClusterOptions::default())?;
    let mut client = site.database("zentry")?;
    let rows = client.query(
        "SELECT DISTINCT probin FROM pg_proc WHERE probin LIKE '%zentry%'",
        &[],
    )?;
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(names, ["zentry_notify"]);
    Ok(())
}

#[test]
fn it_keeps_everything_sends_nothing_and_the_new_server_goes_on() -> Result<()> {
    let site = Site::start(ClusterOptions::default())?;
    let (mut client, channel) = site.served("zentry")?;
    client.batch_execute(
        "UPDATE zentry_notify.event_source SET suspended_at = now(), suspended_reason = 'as an example' WHERE event_type = 'badge_earned'; \
         CREATE ROLE support; SELECT zentry_grant('support', 'reader')",
    )?;
    channel.webhook.script([Behaviour::Hang]);
    fire(&mut client)?;
    channel.webhook.wait_for(2, SOON);
    let before = lines(&mut client)?;
    drop(client);
    let Site { cluster, emulator } = site;
    // The old server sends what waits whenever it runs as usual; the new one may not yet.
    let options = ClusterOptions::default()
        .set("zentry_notify.sending", "off")
        .set("zentry_notify.allowed_hosts", hosts(&emulator))
        .set("zentry_notify.allow_http", "on")
        .set("zentry_notify.allow_private_addresses", "on");
    let mut cluster = Cluster::start_upgraded(cluster, options)?;

    let mut client = cluster.connect_as("postgres", "zentry")?;
    let deliveries = Delivery::all(&mut client)?;
    let states: Vec<_> = deliveries
        .iter()
        .map(|d| (d.id, d.status.as_str(), d.attempts))
        .collect();
    assert_eq!(states, [(1, "sent", 1), (2, "pending", 0)]);
    assert_eq!(channel.webhook.requests(), 2);
    catalogue::compare(&before, &lines(&mut client)?)?;

    fire(&mut client)?;
    cluster.conf(&[("zentry_notify.sending", "on")])?;
    channel.webhook.wait_for_events(3, SOON);
    let deliveries = Delivery::settle(&mut client)?;
    assert!(deliveries.len() == 3 && all_sent(&deliveries));
    assert_eq!(emulator.complaints(), Vec::<String>::new());
    Ok(())
}
