//! Errors in the worker's own transactions: logged once, never a loop that spins, and delivery goes on when they are mended.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use postgres::Client;
use zentry_e2e::cluster::{Cluster, ClusterOptions, StopMode};
use zentry_e2e::emulator::Behaviour;
use zentry_e2e::scene::{Channel, Delivery, SOON, all_sent};
use zentry_e2e::site::{Site, fire, wait_for, wait_for_counters};
use zentry_e2e::zentry::{self, id};

fn start() -> Result<(Site, Client, Channel)> {
    let site = Site::start(ClusterOptions::default().set("zentry_notify.idle_timeout", 1))?;
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    Ok((site, client, channel))
}

#[test]
fn a_trigger_that_raises_is_logged_once_and_what_was_sent_is_not_sent_again() -> Result<()> {
    let (site, mut client, channel) = start()?;
    // A sequence counts the tries: it is not rolled back.
    client.batch_execute(
        "CREATE SEQUENCE tries; GRANT USAGE ON SEQUENCE tries TO PUBLIC; \
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
           $$ BEGIN PERFORM nextval('public.tries'); RAISE EXCEPTION 'no writing here'; END $$; \
         CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON zentry_notify.delivery FOR EACH ROW EXECUTE FUNCTION refuse()",
    )?;
    fire(&mut client)?;
    // Three rounds, after pauses of 1 s and 2 s.
    wait_for(&mut client, "SELECT last_value >= 3 FROM tries")?;
    let tries: i64 = client.query_one("SELECT last_value FROM tries", &[])?.get(0);
    assert!(tries <= 4, "{tries} tries: it spins");
    assert_eq!(site.logged(0, "no writing here")?, 1);
    assert_eq!(channel.webhook.requests(), 1);

    client.batch_execute("DROP TRIGGER refuse ON zentry_notify.delivery")?;
    let deliveries = Delivery::settle(&mut client)?;
    assert_eq!(deliveries[0].status, "sent");
    fire(&mut client)?;
    channel.webhook.wait_for_events(2, SOON);
    assert_eq!(channel.webhook.requests(), 2);
    assert_eq!(site.logged(0, "no writing here")?, 1);
    Ok(())
}

#[test]
fn a_trigger_that_raises_for_one_webhook_holds_up_no_other() -> Result<()> {
    let (site, mut client, refused) = start()?;
    let other = site.channel(&mut client)?;
    // Its first delivery waits in the table for its answer, which is then refused.
    refused.webhook.script([Behaviour::Slow(Duration::from_secs(2))]);
    client.batch_execute(&format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no writing here'; END $$; \
         CREATE TRIGGER refuse BEFORE UPDATE ON zentry_notify.delivery FOR EACH ROW \
         WHEN (NEW.webhook_integration_id = {}) EXECUTE FUNCTION refuse()",
        refused.id
    ))?;
    for round in 1..=3 {
        fire(&mut client)?;
        other.webhook.wait_for_events(round, SOON);
        let recorded = format!(
            "SELECT count(*) = {round} FROM zentry_notify.notification_log WHERE webhook_integration_id = {} AND status = 'sent'",
            other.id
        );
        wait_for(&mut client, &recorded)?;
        site.cluster.wait_for_log("recording deliveries", SOON)?;
    }
    assert_eq!(refused.webhook.requests(), 1);
    Ok(())
}

/// Whether `zentry_status()` has a line about the webhook that begins so.
fn says(id: i64, words: &str) -> String {
    format!(
        "SELECT EXISTS (SELECT FROM zentry_status() WHERE subject = 'webhook {id}' AND detail LIKE '{words}%')"
    )
}

#[test]
fn rows_of_a_webhook_that_are_refused_stay_in_memory_and_nothing_is_written_twice() -> Result<()> {
    let (mut site, mut client, refused) = start()?;
    let other = site.channel(&mut client)?;
    client.batch_execute(&format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no writing here'; END $$; \
         CREATE TRIGGER refuse BEFORE INSERT ON zentry_notify.delivery FOR EACH ROW \
         WHEN (NEW.webhook_integration_id = {}) EXECUTE FUNCTION refuse()",
        refused.id
    ))?;
    let recorded = |number: u64| {
        format!(
            "SELECT count(*) = {number} FROM zentry_notify.notification_log WHERE webhook_integration_id = {} AND status = 'sent'",
            other.id
        )
    };
    for round in 1..=3 {
        fire(&mut client)?;
        other.webhook.wait_for_events(round, SOON);
        wait_for(&mut client, &recorded(round))?;
    }
    wait_for(
        &mut client,
        &says(
            refused.id,
            "the database refuses the outcomes of 3 of its deliveries",
        ),
    )?;
    assert_eq!(site.logged(0, "no writing here")?, 1, "logged once");

    // The next worker knows who has it already.
    site.cluster.restart(StopMode::Immediate)?;
    let mut client = site.connect("zentry")?;
    fire(&mut client)?;
    other.webhook.wait_for_events(4, SOON);
    wait_for(&mut client, &recorded(4))?;
    client.batch_execute("DROP TRIGGER refuse ON zentry_notify.delivery")?;
    let deliveries = Delivery::settle(&mut client)?;
    for channel in [&refused, &other] {
        let of = deliveries
            .iter()
            .filter(|d| d.webhook_integration_id == channel.id);
        let states: Vec<&str> = of.map(|delivery| delivery.status.as_str()).collect();
        assert_eq!(states, ["sent"; 4], "webhook {}", channel.id);
    }
    assert_eq!(other.webhook.event_count(), 4);
    wait_for(&mut client, "SELECT split = '{}' FROM zentry_notify.route_cursor")?;
    Ok(())
}

/// Behind one event whose row is refused, others are sent and recorded.
fn others_go_on(client: &mut Client, channel: &Channel) -> Result<()> {
    for round in 1..=3 {
        fire(client)?;
        channel.webhook.wait_for_events(1 + round, SOON);
        let recorded =
            format!("SELECT count(*) = {round} FROM zentry_notify.notification_log WHERE status = 'sent'");
        wait_for(client, &recorded)?;
    }
    Ok(())
}

#[test]
fn one_row_that_is_refused_holds_up_no_other_of_its_webhook() -> Result<()> {
    let (site, mut client, channel) = start()?;
    client.batch_execute(
        "ALTER TABLE zentry_notify.delivery ADD CONSTRAINT no_badges CHECK (event_type <> 'badge_earned')",
    )?;
    zentry::award_badge(&mut client, id::DALIA, id::TASK_MASTER)?;
    channel.webhook.wait_for_events(1, SOON);
    site.cluster.wait_for_log("no_badges", SOON)?;
    others_go_on(&mut client, &channel)?;
    client.batch_execute("ALTER TABLE zentry_notify.delivery DROP CONSTRAINT no_badges")?;
    let deliveries = Delivery::settle(&mut client)?;
    assert_eq!(deliveries.len(), 4);
    assert!(all_sent(&deliveries));
    assert_eq!(channel.webhook.event_count(), 4);
    assert_eq!(site.logged(0, "WARNING:  zentry_notify")?, 1);
    Ok(())
}

#[test]
fn what_was_found_out_about_an_event_and_is_refused_holds_up_no_other_event() -> Result<()> {
    let (site, mut client, channel) = start()?;
    client.batch_execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           IF (SELECT e.event_type FROM zentry_notify.event e WHERE e.id = NEW.event_id) = 'badge_earned' THEN \
             RAISE EXCEPTION 'no writing here'; \
           END IF; \
           RETURN NEW; END $$; \
         CREATE TRIGGER refuse BEFORE INSERT ON zentry_notify.event_detail FOR EACH ROW EXECUTE FUNCTION refuse()",
    )?;
    zentry::award_badge(&mut client, id::DALIA, id::TASK_MASTER)?;
    channel.webhook.wait_for_events(1, SOON);
    site.cluster.wait_for_log("no writing here", SOON)?;
    others_go_on(&mut client, &channel)?;
    client.batch_execute("DROP TRIGGER refuse ON zentry_notify.event_detail")?;
    let deliveries = Delivery::settle(&mut client)?;
    assert_eq!(deliveries.len(), 4);
    assert_eq!(channel.webhook.event_count(), 4);
    Ok(())
}

#[test]
fn counters_that_are_refused_hold_up_no_outcome() -> Result<()> {
    let (site, mut client, channel) = start()?;
    client.batch_execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no counting here'; END $$; \
         CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON zentry_notify.webhook_count FOR EACH ROW EXECUTE FUNCTION refuse()",
    )?;
    for round in 1..=3 {
        fire(&mut client)?;
        channel.webhook.wait_for_events(round, SOON);
        Delivery::settle(&mut client)?;
    }
    site.cluster.wait_for_log("no counting here", SOON)?;
    client.batch_execute("DROP TRIGGER refuse ON zentry_notify.webhook_count")?;
    wait_for_counters(&mut client, 3)?;
    Ok(())
}

#[test]
fn a_foreign_key_of_a_user_stops_the_cleaning_and_nothing_else() -> Result<()> {
    let (site, mut client, channel) = start()?;
    client.batch_execute(
        "INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload, status, created_at, sent_at) \
           VALUES (1, 'daily_streak', '{}', 'sent', now() - interval '1 year', now() - interval '1 year'); \
         CREATE TABLE seen (delivery_id bigint REFERENCES zentry_notify.delivery); \
         INSERT INTO seen SELECT id FROM zentry_notify.notification_log",
    )?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(1, SOON);
    wait_for(
        &mut client,
        "SELECT count(*) = 2 FROM zentry_notify.notification_log WHERE status = 'sent'",
    )?;
    site.cluster
        .wait_for_log("violates foreign key constraint", SOON)?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(2, SOON);

    client.batch_execute("DROP TABLE seen")?;
    // The next worker cleans.
    site.wait_until_left("zentry")?;
    fire(&mut client)?;
    wait_for(
        &mut client,
        "SELECT NOT EXISTS (SELECT FROM zentry_notify.notification_log WHERE created_at < now() - interval '1 month')",
    )?;
    Ok(())
}

/// A file system of a few megabytes, as only root can make one; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(cluster: &Cluster) -> Result<Option<Self>> {
        let name = format!("disk-{}", std::process::id());
        let disk = Self(cluster.stage().private_dir().join(name));
        if !nix::unistd::geteuid().is_root() {
            return Ok(None);
        }
        std::fs::create_dir(&disk.0)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=3m", "none"])
            .arg(&disk.0)
            .status()?;
        // A tablespace's directory has to be the server's own.
        let server = std::fs::metadata(cluster.dir())?;
        chown(&disk.0, Some(server.uid()), Some(server.gid()))?;
        Ok(mounted.success().then_some(disk))
    }

    fn path(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the server has files open on it, and ends later.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn a_full_disk_is_logged_once_and_what_was_sent_is_not_sent_again() -> Result<()> {
    let (site, mut client, channel) = start()?;
    let Some(disk) = SmallDisk::mount(&site.cluster)? else {
        eprintln!("SKIPPED: only root can mount a small disk");
        return Ok(());
    };
    channel.webhook.limit(Default::default());
    client.batch_execute(&format!("CREATE TABLESPACE small LOCATION '{}'", disk.path()))?;
    client.batch_execute("ALTER TABLE zentry_notify.delivery SET TABLESPACE small; CREATE TABLE filler (line text) TABLESPACE small")?;
    // Pages of the deliveries' table that are full of what waits, and none to be had for what becomes of it.
    channel.webhook.script([Behaviour::Slow(Duration::from_secs(1))]);
    client.batch_execute(
        "BEGIN; INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload) \
           SELECT 1, 'daily_streak', zentry_notify.sample_event('daily_streak') FROM generate_series(1, 200); \
         SELECT zentry_notify.wake('{1}'); COMMIT",
    )?;
    channel.webhook.wait_for(1, SOON);
    let mut filler = site.connect("zentry")?;
    while filler
        .batch_execute("INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 50)")
        .is_ok()
    {}
    site.cluster.wait_for_log("could not extend file", SOON)?;
    site.cluster.wait_for_log("recording deliveries", SOON)?;
    filler.batch_execute("DROP TABLE filler")?;
    let deliveries = Delivery::settle(&mut client)?;
    assert!(all_sent(&deliveries));
    assert_eq!(channel.webhook.event_count(), 200);
    assert_eq!(site.logged(0, "WARNING:  zentry_notify")?, 1);
    assert_eq!(site.emulator.complaints(), Vec::<String>::new());
    Ok(())
}

/// Runs `statement` while a delivery is in flight, for so long that it was written down: its answer has no row any more, the next
/// delivery goes out.
fn goes_on_without_the_row(statement: &str) -> Result<()> {
    let (site, mut client, channel) = start()?;
    channel.webhook.script([Behaviour::Slow(Duration::from_secs(3))]);
    fire(&mut client)?;
    channel.webhook.wait_for(1, SOON);
    Delivery::wait_until(&mut client, "the delivery to be written down", |all| {
        all.iter().any(Delivery::waits)
    })?;
    client.batch_execute(statement)?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(2, SOON);
    let deliveries = Delivery::settle(&mut client)?;
    assert_eq!(deliveries.len(), 1);
    assert_eq!(deliveries[0].status, "sent");
    assert_eq!(site.logged(0, "WARNING")?, 0);
    Ok(())
}

#[test]
fn a_row_that_is_deleted_while_it_is_in_flight() -> Result<()> {
    goes_on_without_the_row("DELETE FROM zentry_notify.notification_log")
}

#[test]
fn a_log_that_is_truncated_while_a_row_is_in_flight() -> Result<()> {
    goes_on_without_the_row("TRUNCATE zentry_notify.delivery")
}

#[test]
fn a_webhook_that_is_deleted_while_its_delivery_is_in_flight() -> Result<()> {
    let (site, mut client, channel) = start()?;
    let other = site.channel(&mut client)?;
    channel
        .webhook
        .script([Behaviour::Slow(Duration::from_millis(500))]);
    fire(&mut client)?;
    channel.webhook.wait_for(1, SOON);
    client.execute("SELECT zentry_delete_webhook($1)", &[&channel.id])?;
    fire(&mut client)?;
    other.webhook.wait_for_events(2, SOON);
    let deliveries = Delivery::settle(&mut client)?;
    assert!(!deliveries.is_empty());
    assert!(deliveries.iter().all(|d| d.webhook_integration_id == other.id));
    assert_eq!(site.logged(0, "WARNING")?, 0);
    Ok(())
}

#[test]
fn a_lock_on_the_log_is_waited_for_and_given_up_with_one_line() -> Result<()> {
    let (site, mut client, channel) = start()?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(1, SOON);
    Delivery::settle(&mut client)?;
    // The event is committed, the worker finds the table locked.
    channel
        .webhook
        .script([Behaviour::Slow(Duration::from_millis(500))]);
    fire(&mut client)?;
    channel.webhook.wait_for(2, SOON);
    let mut locker = site.connect("zentry")?;
    let mut lock = locker.transaction()?;
    lock.batch_execute("LOCK TABLE zentry_notify.notification_log IN ACCESS EXCLUSIVE MODE")?;
    site.cluster.wait_for_log("lock timeout", SOON)?;
    lock.rollback()?;
    assert_eq!(Delivery::settle(&mut client)?[1].status, "sent");
    fire(&mut client)?;
    channel.webhook.wait_for_events(3, SOON);
    assert_eq!(channel.webhook.requests(), 3);
    assert_eq!(site.logged(0, "WARNING")?, 1);
    Ok(())
}
