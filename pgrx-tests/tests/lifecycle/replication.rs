//! Rows that logical replication applies: the publisher has told of them already.

use anyhow::Result;
use postgres::Client;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::scene::{Channel, Delivery, SOON};
use zentry_e2e::site::{Site, fire, wait_for};
use zentry_e2e::zentry::{self, id};

/// A publisher without the extension, and a subscriber with it, in one cluster.
fn pair() -> Result<(Site, Client, Client, Channel)> {
    let site = Site::start(ClusterOptions::default().set("wal_level", "logical"))?;
    let mut subscriber = site.database("subscriber")?;
    let channel = site.channel(&mut subscriber)?;
    site.cluster
        .connect()?
        .batch_execute("CREATE DATABASE publisher")?;
    let mut publisher = site.connect("publisher")?;
    zentry::load(&mut publisher)?;
    subscribe(&site, &mut publisher, &mut subscriber)?;
    Ok((site, publisher, subscriber, channel))
}

/// From now on the subscriber gets all that is written in the publisher.
fn subscribe(site: &Site, publisher: &mut Client, subscriber: &mut Client) -> Result<()> {
    publisher.batch_execute("CREATE PUBLICATION everything FOR ALL TABLES")?;
    publisher.batch_execute("SELECT pg_create_logical_replication_slot('everything', 'pgoutput')")?;
    // Within one cluster the slot has to be there before the subscription.
    subscriber.batch_execute(&format!(
        "CREATE SUBSCRIPTION everything CONNECTION 'host={} port={} user=postgres dbname=publisher' \
         PUBLICATION everything WITH (create_slot = false, copy_data = false)",
        site.cluster.dir().display(),
        site.cluster.port()
    ))?;
    Ok(())
}

#[test]
fn applied_rows_fire_nothing() -> Result<()> {
    let (site, mut publisher, mut subscriber, channel) = pair()?;
    fire(&mut publisher)?;
    wait_for(
        &mut subscriber,
        "SELECT current_streak = 13 FROM users_user WHERE id = 3",
    )?;
    // A write of the subscriber's own does, and it is the first.
    zentry::extend_streak(&mut subscriber, id::ADA)?;
    channel.webhook.wait_for_events(1, SOON);
    let deliveries = Delivery::settle(&mut subscriber)?;
    assert_eq!(deliveries.len(), 1);
    assert_eq!(deliveries[0].payload["user_name"], "ada");
    assert_eq!(site.emulator.complaints(), Vec::<String>::new());
    Ok(())
}

#[test]
fn enable_always_fires_on_applied_rows() -> Result<()> {
    let (_site, mut publisher, mut subscriber, channel) = pair()?;
    subscriber
        .batch_execute("ALTER TABLE users_user ENABLE ALWAYS TRIGGER zentry_notify_daily_streak_update")?;
    fire(&mut publisher)?;
    channel.webhook.wait_for_events(1, SOON);
    assert_eq!(Delivery::settle(&mut subscriber)?[0].payload["user_name"], "chen");
    Ok(())
}

#[test]
fn session_replication_role_replica_fires_nothing() -> Result<()> {
    let site = Site::start(ClusterOptions::default())?;
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    client.batch_execute("SET session_replication_role = replica")?;
    fire(&mut client)?;
    client.batch_execute("RESET session_replication_role")?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(1, SOON);
    assert_eq!(Delivery::settle(&mut client)?.len(), 1);
    Ok(())
}

/// What two servers' workers keep for themselves does not meet, and a replicated webhook is heard of.
#[test]
fn our_own_tables_on_both_sides() -> Result<()> {
    let site = Site::start(ClusterOptions::default().set("wal_level", "logical"))?;
    let mut publisher = site.database("publisher")?;
    let here = site.channel(&mut publisher)?;
    fire(&mut publisher)?;
    here.webhook.wait_for_events(1, SOON);
    Delivery::settle(&mut publisher)?;
    let mut subscriber = site.database("subscriber")?;
    fire(&mut subscriber)?;
    assert_eq!(Delivery::settle(&mut subscriber)?.len(), 0, "nobody listens");
    // The subscriber's own types and sources are there already; its tables of the application are the publisher's.
    subscribe(&site, &mut publisher, &mut subscriber)?;
    // Events, deliveries and counters of the publisher come along with a webhook that both hear of.
    let both = site.channel(&mut publisher)?;
    fire(&mut publisher)?;
    both.webhook.wait_for_events(1, SOON);
    here.webhook.wait_for_events(2, SOON);
    Delivery::settle(&mut publisher)?;
    wait_for(
        &mut subscriber,
        "SELECT count(*) = 1 FROM zentry_notify.webhook_integration WHERE webhook_url IS NOT NULL",
    )?;
    zentry::extend_streak(&mut publisher, id::ADA)?;
    both.webhook.wait_for_events(2, SOON);
    Delivery::settle(&mut publisher)?;
    wait_for(
        &mut subscriber,
        "SELECT current_streak > 0 AND NOT EXISTS (SELECT FROM zentry_notify.logs) FROM users_user WHERE id = 1",
    )?;
    // A write of the subscriber's own is heard by the webhook that came to it, and by no other.
    zentry::extend_streak(&mut subscriber, id::DALIA)?;
    both.webhook.wait_for_events(3, SOON);
    let deliveries = Delivery::settle(&mut subscriber)?;
    assert_eq!(deliveries.len(), 1);
    assert_eq!(deliveries[0].webhook_integration_id, both.id);
    assert_eq!(here.webhook.event_count(), 3);
    let audited = |client: &mut Client| -> Result<i64> {
        Ok(client
            .query_one("SELECT count(*) FROM zentry_notify.audit_entry", &[])?
            .get(0))
    };
    assert_eq!(
        (audited(&mut publisher)?, audited(&mut subscriber)?),
        (2, 0),
        "each server has what was changed there"
    );
    assert_eq!(site.emulator.complaints(), Vec::<String>::new());
    Ok(())
}

/// The configuration was copied and followed; then the subscriber takes over.
#[test]
fn a_subscriber_that_is_promoted_captures_and_sends() -> Result<()> {
    let site = Site::start(ClusterOptions::default().set("wal_level", "logical"))?;
    let mut publisher = site.database("publisher")?;
    let early = site.channel(&mut publisher)?;
    publisher.batch_execute(
        "SELECT zentry_register_event_type('release_published', 'Release'); SELECT zentry_set_wording('daily_streak', title => 'On fire')",
    )?;
    fire(&mut publisher)?;
    early.webhook.wait_for_events(1, SOON);
    Delivery::settle(&mut publisher)?;
    publisher.batch_execute("CREATE PUBLICATION everything FOR ALL TABLES")?;
    publisher.batch_execute("SELECT pg_create_logical_replication_slot('everything', 'pgoutput')")?;
    let mut subscriber = site.database("subscriber")?;
    // A fresh one has the tables, and nothing of the application's rows.
    subscriber.batch_execute(
        "SET zentry_notify.enabled = off; \
         DO $$ BEGIN EXECUTE (SELECT 'TRUNCATE ' || string_agg(c.oid::regclass::text, ', ') FROM pg_class c \
                               WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'); END $$; \
         RESET zentry_notify.enabled",
    )?;
    subscriber.batch_execute(&format!(
        "CREATE SUBSCRIPTION everything CONNECTION 'host={} port={} user=postgres dbname=publisher' \
         PUBLICATION everything WITH (create_slot = false)",
        site.cluster.dir().display(),
        site.cluster.port()
    ))?;
    wait_for(
        &mut subscriber,
        "SELECT bool_and(r.srsubstate = 'r') AND count(*) > 10 FROM pg_subscription_rel r",
    )?;
    // What comes after the copy.
    let late = site.channel(&mut publisher)?;
    fire(&mut publisher)?;
    late.webhook.wait_for_events(1, SOON);
    early.webhook.wait_for_events(2, SOON);
    Delivery::settle(&mut publisher)?;
    wait_for(
        &mut subscriber,
        "SELECT (SELECT count(*) = 2 FROM zentry_notify.webhook_integration WHERE webhook_url IS NOT NULL) \
                AND (SELECT count(*) = 1 FROM zentry_notify.event_type WHERE name = 'release_published') \
                AND (SELECT count(*) = 1 FROM zentry_notify.event_wording) \
                AND (SELECT current_streak = 14 FROM users_user WHERE id = 3)",
    )?;
    let behind = "SELECT count(*) FROM zentry_notify.sequences_behind()";
    assert_eq!(subscriber.query_one(behind, &[])?.get::<_, i64>(0), 2);
    let done: Vec<String> = subscriber
        .query("SELECT item || ': ' || state FROM zentry_promote()", &[])?
        .iter()
        .map(|row| row.get(0))
        .collect();
    for expected in [
        "subscription everything: disabled",
        "sequence zentry_notify.webhook_integration_id_seq: goes on after 2",
        "event daily_streak of public.users_user: attached",
    ] {
        assert!(done.iter().any(|line| line == expected), "{done:#?}");
    }
    assert_eq!(subscriber.query_one(behind, &[])?.get::<_, i64>(0), 0);
    assert_eq!(Delivery::settle(&mut subscriber)?.len(), 0, "all of it was told");
    // The old one is off; the new one is written to.
    fire(&mut subscriber)?;
    early.webhook.wait_for_events(3, SOON);
    late.webhook.wait_for_events(2, SOON);
    let new = site.channel(&mut subscriber)?;
    assert_eq!(new.id, 3);
    fire(&mut subscriber)?;
    new.webhook.wait_for_events(1, SOON);
    early.webhook.wait_for_events(4, SOON);
    late.webhook.wait_for_events(3, SOON);
    assert_eq!(Delivery::settle(&mut subscriber)?.len(), 5);
    wait_for(
        &mut subscriber,
        "SELECT bool_and(state = 'ok') FROM zentry_status()",
    )?;
    assert_eq!(site.emulator.complaints(), Vec::<String>::new());
    Ok(())
}

#[derive(Debug, PartialEq)]
struct Line {
    subject: String,
    state: String,
    remedy: String,
}

/// What the part of `zentry_status()` about replication says.
fn status(client: &mut Client) -> Result<Vec<Line>> {
    let rows = client.query(
        "SELECT subject, state, remedy FROM zentry_status() WHERE subject ~ '^(subscription|publication) '",
        &[],
    )?;
    let line = |row: &postgres::Row| Line {
        subject: row.get(0),
        state: row.get(1),
        remedy: row.get(2),
    };
    Ok(rows.iter().map(line).collect())
}

fn states(lines: &[Line]) -> Vec<(&str, &str)> {
    lines
        .iter()
        .map(|line| (line.subject.as_str(), line.state.as_str()))
        .collect()
}

/// The extension is on both sides of FOR ALL TABLES. What would send twice is said, and mended by what is said.
#[test]
fn what_goes_out_twice_is_said_on_the_subscriber() -> Result<()> {
    const BRINGS: (&str, &str) = ("subscription everything", "attention");
    const TWICE: (&str, &str) = ("subscription everything", "broken");
    let site = Site::start(ClusterOptions::default().logical())?;
    let mut publisher = site.database("publisher")?;
    let mut subscriber = site.database("subscriber")?;
    assert_eq!(status(&mut publisher)?, []);
    publisher.batch_execute("CREATE PUBLICATION everything FOR ALL TABLES")?;
    publisher.batch_execute("SELECT pg_create_logical_replication_slot('everything', 'pgoutput')")?;
    assert_eq!(
        states(&status(&mut publisher)?),
        [("publication everything", "attention")]
    );
    subscriber.batch_execute(&format!(
        "CREATE SUBSCRIPTION everything CONNECTION 'host={} port={} user=postgres dbname=publisher' \
         PUBLICATION everything WITH (create_slot = false, copy_data = false)",
        site.cluster.dir().display(),
        site.cluster.port()
    ))?;
    assert_eq!(states(&status(&mut subscriber)?), [BRINGS]);
    let channel = site.channel(&mut publisher)?;
    wait_for(&mut subscriber, "SELECT count(*) = 1 FROM zentry_notify.webhooks")?;

    // Somebody has the attached table fire for what is applied.
    subscriber
        .batch_execute("ALTER TABLE users_user ENABLE ALWAYS TRIGGER zentry_notify_daily_streak_update")?;
    let lines = status(&mut subscriber)?;
    assert_eq!(states(&lines), [TWICE, BRINGS]);
    fire(&mut publisher)?;
    channel.webhook.wait_for_events(2, SOON);
    subscriber.batch_execute(&lines[0].remedy)?;
    assert_eq!(states(&status(&mut subscriber)?), [BRINGS]);

    // Or takes away what keeps our own rows apart.
    subscriber.batch_execute("ALTER TABLE zentry_notify.event DISABLE TRIGGER drop_replicated")?;
    let lines = status(&mut subscriber)?;
    assert_eq!(states(&lines), [TWICE, BRINGS]);
    subscriber.batch_execute(&lines[0].remedy)?;

    // One that is to keep silent.
    let lines = status(&mut subscriber)?;
    subscriber.batch_execute(&lines[0].remedy)?;
    assert_eq!(status(&mut subscriber)?, []);
    subscriber.batch_execute(
        "ALTER DATABASE subscriber RESET zentry_notify.sending; ALTER SUBSCRIPTION everything DISABLE",
    )?;
    assert_eq!(status(&mut subscriber)?, []);
    Ok(())
}

/// Without a sign that the publisher has the extension, it may have it all the same.
#[test]
fn a_trigger_that_fires_for_applied_rows_is_said() -> Result<()> {
    let (_site, _publisher, mut subscriber, _channel) = pair()?;
    assert_eq!(status(&mut subscriber)?, []);
    subscriber
        .batch_execute("ALTER TABLE users_user ENABLE REPLICA TRIGGER zentry_notify_daily_streak_update")?;
    let lines = status(&mut subscriber)?;
    assert_eq!(states(&lines), [("subscription everything", "attention")]);
    subscriber.batch_execute(&lines[0].remedy)?;
    assert_eq!(status(&mut subscriber)?, []);
    // The schema of ours has the secrets.
    subscriber.batch_execute("CREATE PUBLICATION ours FOR TABLES IN SCHEMA zentry_notify")?;
    let lines = status(&mut subscriber)?;
    assert_eq!(states(&lines), [("publication ours", "attention")]);
    subscriber.batch_execute(&lines[0].remedy)?;
    assert_eq!(status(&mut subscriber)?, []);
    Ok(())
}
