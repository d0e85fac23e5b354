//! Transactions of others, and settings that a database has for its sessions.

use anyhow::Result;
use zentry_e2e::cluster::{ClusterOptions, Stage, StopMode};
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{Delivery, SOON, Scene, all_sent};
use zentry_e2e::site::{Site, fire};
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry::{self, id};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn commit_prepared_delivers_and_rollback_prepared_does_not() -> Result<()> {
    let site = Site::start(ClusterOptions::default().set("max_prepared_transactions", 5))?;
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    client.batch_execute(&format!(
        "BEGIN; SET LOCAL zentry_notify.traceparent = '{TRACEPARENT}'"
    ))?;
    fire(&mut client)?;
    client.batch_execute("PREPARE TRANSACTION 'kept'; BEGIN")?;
    zentry::award_badge(&mut client, id::CHEN, id::TASK_MASTER)?;
    client.batch_execute("PREPARE TRANSACTION 'dropped'")?;
    drop(client);

    // Neither is seen: the next event, of another user, is the first.
    let mut another = site.connect("zentry")?;
    zentry::extend_streak(&mut another, id::ADA)?;
    channel.webhook.wait_for_events(1, SOON);
    another.batch_execute("ROLLBACK PREPARED 'dropped'")?;
    another.batch_execute("COMMIT PREPARED 'kept'")?;
    channel.webhook.wait_for_events(2, SOON);
    zentry::extend_streak(&mut another, id::ADA)?;
    channel.webhook.wait_for_events(3, SOON);
    let deliveries = Delivery::settle(&mut another)?;
    assert_eq!(deliveries.len(), 3);
    assert!(deliveries.iter().all(|d| d.event_type == "daily_streak"));
    let traced = another.query("SELECT traceparent FROM zentry_notify.delivery_traces", &[])?;
    let traced: Vec<String> = traced.iter().map(|row| row.get(0)).collect();
    assert_eq!(traced, [TRACEPARENT]);
    assert_eq!(site.emulator.complaints(), Vec::<String>::new());
    Ok(())
}

/// The session that commits it may be in another database, and knows nothing of what was prepared.
#[test]
fn a_setting_is_changed_by_a_prepared_transaction() -> Result<()> {
    let site = Site::start(ClusterOptions::default().set("max_prepared_transactions", 5))?;
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    let mut another = site.cluster.connect()?;
    another.batch_execute("ALTER DATABASE zentry SET zentry_notify.sending = off")?;
    fire(&mut client)?;
    eventually(SOON, "the worker to leave", || {
        let workers =
            "SELECT FROM pg_stat_activity WHERE backend_type = 'zentry_notify worker' AND datname = 'zentry'";
        another.query_opt(workers, &[]).ok()?.is_none().then_some(())
    })?;
    another.batch_execute(
        "BEGIN; ALTER DATABASE zentry RESET zentry_notify.sending; PREPARE TRANSACTION 'reset'",
    )?;
    another.batch_execute("COMMIT PREPARED 'reset'")?;
    channel.webhook.wait_for_events(1, SOON);
    Ok(())
}

#[test]
fn a_worker_that_began_before_a_prepared_transaction_changed_a_setting_is_followed_by_another() -> Result<()>
{
    let site = Site::start(ClusterOptions::default().set("max_prepared_transactions", 5))?;
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    let mut another = site.cluster.connect()?;
    another.batch_execute("ALTER DATABASE zentry SET zentry_notify.sending = off")?;
    another.batch_execute(
        "BEGIN; ALTER DATABASE zentry RESET zentry_notify.sending; PREPARE TRANSACTION 'reset'",
    )?;
    let mut lock = site.connect("zentry")?;
    lock.batch_execute("BEGIN; LOCK TABLE zentry_notify.route_cursor")?;
    fire(&mut client)?;
    eventually(SOON, "the worker to wait for the table", || {
        let waiting = "SELECT FROM pg_stat_activity WHERE backend_type = 'zentry_notify worker' AND datname = 'zentry' AND wait_event_type = 'Lock'";
        another.query_opt(waiting, &[]).ok()?.map(drop)
    })?;
    another.batch_execute("COMMIT PREPARED 'reset'")?;
    lock.batch_execute("ROLLBACK")?;
    channel.webhook.wait_for_events(1, SOON);
    Ok(())
}

/// Whoever commits them, in whatever database: they may have nothing to do with the extension.
#[test]
fn prepared_transactions_start_few_workers_where_there_is_nothing_to_do() -> Result<()> {
    let options = ClusterOptions::default()
        .set("max_prepared_transactions", 5)
        .set("log_min_messages", "debug1");
    let site = Site::start(options)?;
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    let mut another = site.cluster.connect()?;
    another.batch_execute("ALTER DATABASE zentry SET zentry_notify.sending = off")?;
    another.batch_execute("CREATE DATABASE plain")?;
    fire(&mut client)?;
    site.wait_until_left("zentry")?;
    let mut plain = site.connect("plain")?;
    plain.batch_execute("CREATE TABLE thing (number int)")?;
    let before = site.cluster.log_end()?;
    for number in 0..300 {
        plain.batch_execute(&format!(
            "BEGIN; INSERT INTO thing VALUES ({number}); PREPARE TRANSACTION '{number}'"
        ))?;
        plain.batch_execute(&format!("COMMIT PREPARED '{number}'"))?;
    }
    let started = site.logged(
        before,
        "starting background worker process \"zentry_notify worker\"",
    )?;
    assert!(started <= 30, "{started} workers");
    another.batch_execute("ALTER DATABASE zentry RESET zentry_notify.sending")?;
    channel.webhook.wait_for_events(1, SOON);
    Ok(())
}

#[test]
fn milestones_and_held_events_are_in_a_prepared_transaction_too() -> Result<()> {
    let site = Site::start(ClusterOptions::default().set("max_prepared_transactions", 5))?;
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    client.batch_execute(
        "BEGIN; UPDATE tasks_task SET status = 'completed' WHERE project_id = 1; PREPARE TRANSACTION 'all'",
    )?;
    client.batch_execute("COMMIT PREPARED 'all'")?;
    // Eight tasks, and 25, 50, 75, 100 per cent.
    channel.webhook.wait_for_events(12, SOON);
    Ok(())
}

#[test]
fn settings_of_the_database_do_not_disturb_the_worker() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    scene.client.batch_execute(
        "CREATE SCHEMA elsewhere; \
         CREATE FUNCTION elsewhere.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE 'the wrong now'; END $$",
    )?;
    for (name, value) in [
        ("default_transaction_read_only", "on"),
        ("default_transaction_isolation", "serializable"),
        ("default_transaction_deferrable", "on"),
        ("statement_timeout", "1ms"),
        ("lock_timeout", "1ms"),
        ("idle_in_transaction_session_timeout", "1ms"),
        ("search_path", "elsewhere, pg_catalog"),
        ("session_replication_role", "replica"),
        ("row_security", "off"),
        ("DateStyle", "SQL, DMY"),
        ("IntervalStyle", "sql_standard"),
        ("TimeZone", "Asia/Kathmandu"),
        ("bytea_output", "escape"),
        ("extra_float_digits", "-15"),
        ("standard_conforming_strings", conforming_strings()),
        ("transform_null_equals", "on"),
        ("plan_cache_mode", "force_custom_plan"),
        ("log_statement", "all"),
    ] {
        // search_path is a list, and quoted as a whole it would be one name.
        if name == "search_path" {
            let alter = format!(
                "ALTER DATABASE {} SET search_path = {value}",
                scene.database.name()
            );
            scene.client.batch_execute(&alter)?;
        } else {
            scene.database.set(name, value)?;
        }
    }
    // This session was there before, and writes as it did; the worker's begins now.
    fire(&mut scene.client)?;
    scene
        .client
        .batch_execute("UPDATE tasks_task SET status = 'completed' WHERE project_id = 1")?;
    channel.webhook.wait_for_events(13, SOON);
    let deliveries = scene.settle()?;
    assert!(all_sent(&deliveries));
    assert!(deliveries.iter().all(|d| d.sent_at >= Some(d.created_at)));
    assert_eq!(scene.emulator.complaints(), Vec::<String>::new());
    Ok(())
}

#[test]
fn a_synchronous_standby_that_is_not_there_stops_neither_the_worker_nor_a_shutdown() -> Result<()> {
    let mut site = Site::start(ClusterOptions::default())?;
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    site.cluster.conf(&[("synchronous_standby_names", "absent")])?;
    // Who waits for it waits for ever: the application does not, in this test, and the worker must not.
    client.batch_execute("SET synchronous_commit = local")?;
    for round in 1..=2 {
        fire(&mut client)?;
        channel.webhook.wait_for_events(round, SOON);
        let deliveries = Delivery::settle(&mut client)?;
        assert!(all_sent(&deliveries));
    }
    drop(client);
    site.cluster.stop(StopMode::Fast)?;
    assert_eq!(
        site.logged(0, "canceling the wait for synchronous replication")?,
        0
    );
    Ok(())
}

/// Strings in which backslashes escape, as long as PostgreSQL has them: 19 refuses the setting.
fn conforming_strings() -> &'static str {
    match Stage::get().map(Stage::major) {
        Ok(..19) => "off",
        _ => "on",
    }
}

#[test]
fn a_session_with_those_settings_fires_too() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    scene.client.batch_execute(&format!(
        "SET DateStyle = 'SQL, DMY'; SET TimeZone = 'Asia/Kathmandu'; SET extra_float_digits = -15; \
         SET standard_conforming_strings = {}; SET IntervalStyle = sql_standard; SET search_path = ''",
        conforming_strings()
    ))?;
    scene.client.batch_execute(
        "UPDATE public.tasks_task SET status = 'completed', completed_at = '2024-01-15T10:30:00Z' WHERE id = 2",
    )?;
    channel.webhook.wait_for_events(1, SOON);
    let deliveries = scene.settle()?;
    assert_eq!(deliveries[0].payload["completed_at"], "2024-01-15T10:30:00Z");
    Ok(())
}

#[test]
fn a_long_open_transaction_elsewhere_blocks_nothing() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    let mut other = scene.database.connect()?;
    // An old snapshot, a write of its own that fires, and a look at our tables.
    other.batch_execute(
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM zentry_notify.notification_log",
    )?;
    zentry::extend_streak(&mut other, id::ADA)?;
    for round in 1..=3 {
        fire(&mut scene.client)?;
        channel.webhook.wait_for_events(round, SOON);
    }
    // Its own event has a lower id than theirs and comes when it commits.
    other.batch_execute("COMMIT")?;
    channel.webhook.wait_for_events(4, SOON);
    let deliveries = scene.settle()?;
    assert_eq!(deliveries.len(), 4);
    assert!(all_sent(&deliveries));
    assert_eq!(scene.emulator.complaints(), Vec::<String>::new());
    Ok(())
}
