//! What is due is sent, though nobody commits anything: settings change, databases close and open, processes end.

use std::time::Duration;

use anyhow::Result;
use postgres::Client;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::emulator::Behaviour;
use zentry_e2e::scene::{Channel, Delivery, SOON, all_sent};
use zentry_e2e::site::{Site, fire, wait_for};
use zentry_e2e::wait::eventually;

pub fn start() -> Result<(Site, Client, Channel)> {
    let site = Site::start(ClusterOptions::default().set("zentry_notify.idle_timeout", 1))?;
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    Ok((site, client, channel))
}

/// Nothing is sent while `off` holds, and what waits is once `on` was run.
fn waits_for(off: &str, on: &str) -> Result<()> {
    let (site, mut client, channel) = start()?;
    let mut admin = site.cluster.connect()?;
    site.wait_until_left("zentry")?;
    admin.batch_execute(off)?;
    fire(&mut client)?;
    // A worker has said whom it is for, and has left again.
    Delivery::wait_until(&mut client, "the delivery to wait", |all| {
        all.iter().any(Delivery::waits)
    })?;
    site.wait_until_left("zentry")?;
    assert_eq!(channel.webhook.requests(), 0, "{off}");
    admin.batch_execute(on)?;
    channel.webhook.wait_for_events(1, SOON);
    assert_eq!(Delivery::settle(&mut client)?[0].status, "sent");
    Ok(())
}

#[test]
fn a_setting_of_the_database() -> Result<()> {
    waits_for(
        "ALTER DATABASE zentry SET zentry_notify.sending = off",
        "ALTER DATABASE zentry RESET zentry_notify.sending",
    )
}

#[test]
fn a_setting_of_the_database_that_goes_with_all_others() -> Result<()> {
    waits_for(
        "ALTER DATABASE zentry SET Zentry_Notify.sending = off",
        "ALTER DATABASE zentry RESET ALL",
    )
}

#[test]
fn a_setting_of_the_role() -> Result<()> {
    waits_for(
        "ALTER ROLE postgres SET zentry_notify.sending = off",
        "ALTER ROLE postgres SET zentry_notify.sending = on",
    )
}

#[test]
fn a_setting_of_the_role_in_the_database() -> Result<()> {
    waits_for(
        "ALTER ROLE postgres IN DATABASE zentry SET zentry_notify.sending = off",
        "ALTER ROLE postgres IN DATABASE zentry RESET zentry_notify.sending",
    )
}

#[test]
fn a_setting_of_all_roles() -> Result<()> {
    waits_for(
        "ALTER ROLE ALL SET zentry_notify.sending = off",
        "ALTER ROLE ALL RESET zentry_notify.sending",
    )
}

#[test]
fn a_setting_takes_hold_of_a_worker_that_is_there() -> Result<()> {
    let site = Site::start(ClusterOptions::default().set("zentry_notify.idle_timeout", 3600))?;
    let (mut client, channel) = site.served("zentry")?;
    let mut admin = site.cluster.connect()?;
    admin.batch_execute("ALTER DATABASE zentry SET zentry_notify.request_timeout = '2s'")?;
    channel.webhook.script([Behaviour::Hang]);
    fire(&mut client)?;
    // With the old setting it would hang for longer than that.
    eventually(SOON, "the request to be given up", || {
        let deliveries = Delivery::all(&mut client).ok()?;
        // It may have been sent by now.
        let given_up =
            |last: &&Delivery| deliveries.len() == 2 && (last.status == "retry" || last.attempts > 1);
        deliveries.last().filter(given_up).map(drop)
    })?;
    channel.webhook.wait_for_events(2, SOON);
    Ok(())
}

/// A worker that has seen it off claims nothing more, and may have an answer to wait for.
#[test]
fn sending_goes_on_before_the_worker_has_left() -> Result<()> {
    let mut site = Site::start(ClusterOptions::default().set("zentry_notify.idle_timeout", 3600))?;
    let (mut client, channel) = site.served("zentry")?;
    channel.webhook.script([Behaviour::Slow(Duration::from_secs(5))]);
    fire(&mut client)?;
    channel.webhook.wait_for(2, SOON);
    site.cluster.conf(&[("zentry_notify.sending", "off")])?;
    fire(&mut client)?;
    // The open batch is written down when sending is off.
    wait_for(
        &mut client,
        "SELECT EXISTS (SELECT FROM zentry_notify.delivery WHERE event_id = (SELECT max(id) FROM zentry_notify.event))",
    )?;
    site.cluster.conf(&[("zentry_notify.sending", "on")])?;
    channel.webhook.wait_for_events(3, SOON);
    Ok(())
}

#[test]
fn settings_of_other_roles_disturb_no_worker() -> Result<()> {
    let (mut site, mut client, channel) = start()?;
    site.cluster.conf(&[("zentry_notify.idle_timeout", "1h")])?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(1, SOON);
    let worker = site.worker("zentry")?.expect("a worker");
    client.batch_execute(
        "CREATE ROLE somebody; ALTER ROLE somebody SET zentry_notify.sending = off; \
         ALTER DATABASE zentry SET work_mem = '8MB'; ALTER ROLE postgres SET work_mem = '8MB'",
    )?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(2, SOON);
    assert_eq!(site.worker("zentry")?, Some(worker));
    Ok(())
}

#[test]
fn a_launcher_that_is_another_one_and_a_worker_that_is_ended() -> Result<()> {
    let (site, mut client, channel) = start()?;
    channel.webhook.script([Behaviour::Slow(Duration::from_secs(2))]);
    client.execute(
        "UPDATE zentry_notify.webhook_integration SET max_events_per_message = 1",
        &[],
    )?;
    for _ in 0..3 {
        fire(&mut client)?;
    }
    channel.webhook.wait_for(1, SOON);
    let (launcher, worker) = (site.launcher()?, site.worker("zentry")?.expect("a worker"));
    client.execute("SELECT pg_terminate_backend($1)", &[&launcher])?;
    eventually(SOON, "another launcher", || {
        site.launcher().ok().filter(|pid| *pid != launcher)
    })?;
    client.execute("SELECT pg_terminate_backend($1)", &[&worker])?;
    let deliveries = Delivery::settle(&mut client)?;
    assert!(all_sent(&deliveries), "{deliveries:#?}");
    Ok(())
}

/// Sessions in the database that are not our worker's.
fn wait_until_alone(admin: &mut Client) -> Result<()> {
    wait_for(
        admin,
        "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'zentry' AND backend_type <> 'zentry_notify worker')",
    )
}

#[test]
fn an_owner_drops_a_database_by_force_that_a_worker_is_in() -> Result<()> {
    // Only a member of pg_signal_backend may drop a database by force while autovacuum is in it.
    let site = Site::start(
        ClusterOptions::default()
            .set("autovacuum", "off")
            .set("zentry_notify.idle_timeout", 3600),
    )?;
    let (mut client, _) = site.served("zentry")?;
    client.batch_execute("CREATE ROLE owner LOGIN; ALTER DATABASE zentry OWNER TO owner")?;
    drop(client);
    let mut admin = site.cluster.connect()?;
    wait_until_alone(&mut admin)?;
    assert!(site.worker("zentry")?.is_some());
    site.cluster
        .connect_as("owner", "postgres")?
        .batch_execute("DROP DATABASE zentry WITH (FORCE)")?;
    Ok(())
}

#[test]
fn statements_that_are_refused_send_no_worker_away() -> Result<()> {
    let site = Site::start(ClusterOptions::default().set("zentry_notify.idle_timeout", 3600))?;
    let (mut client, channel) = site.served("zentry")?;
    client.batch_execute("CREATE ROLE nobody LOGIN CREATEDB")?;
    let worker = site.worker("zentry")?.expect("a worker");
    let mut nobody = site.cluster.connect_as("nobody", "postgres")?;
    for statement in [
        "DROP DATABASE zentry",
        "DROP DATABASE zentry WITH (FORCE)",
        "ALTER DATABASE zentry RENAME TO other",
        "ALTER DATABASE zentry SET TABLESPACE pg_default",
        "ALTER DATABASE zentry ALLOW_CONNECTIONS false",
        "ALTER DATABASE zentry SET zentry_notify.sending = off",
        "ALTER ROLE ALL SET zentry_notify.sending = off",
        "CREATE DATABASE copy TEMPLATE zentry",
    ] {
        let error = nobody.batch_execute(statement).expect_err(statement);
        let code = error.code().map(|code| code.code().to_owned());
        assert_eq!(code.as_deref(), Some("42501"), "{statement}: {error:?}");
    }
    assert!(client.batch_execute("BEGIN; DROP DATABASE zentry").is_err());
    client.batch_execute("ROLLBACK")?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(2, SOON);
    assert_eq!(site.worker("zentry")?, Some(worker));
    Ok(())
}

/// Whatever is set for the database, the role, or both, where nobody thinks of us.
#[test]
fn an_event_of_while_the_database_takes_nothing() -> Result<()> {
    const WAITS: &str = "SELECT count(*) FROM pg_locks \
                         WHERE relation = 'zentry_notify.delivery'::regclass AND mode = 'RowExclusiveLock' AND NOT granted";
    let (site, mut client, channel) = start()?;
    let mut locker = site.connect("zentry")?;
    let mut lock = locker.transaction()?;
    lock.batch_execute("LOCK TABLE zentry_notify.delivery IN SHARE MODE")?;
    let mut until = |waits: bool| {
        eventually(SOON, format!("waits for the table: {waits}"), || {
            let count: i64 = lock.query_one(WAITS, &[]).ok()?.get(0);
            ((count > 0) == waits).then_some(())
        })
    };
    fire(&mut client)?;
    until(true)?;
    // It waits no longer than half a second for the lock, and does nothing for a second.
    until(false)?;
    fire(&mut client)?;
    lock.commit()?;
    channel.webhook.wait_for_events(2, SOON);
    Delivery::wait_until(&mut client, "both to be sent", |all| {
        all.len() == 2 && all.iter().all(|delivery| delivery.status == "sent")
    })?;
    Ok(())
}

#[test]
fn settings_that_hurt_reach_no_process_of_ours() -> Result<()> {
    let (site, mut client, channel) = start()?;
    let start = site.cluster.log_end()?;
    let mut admin = site.cluster.connect()?;
    admin.batch_execute("CREATE ROLE nobody")?;
    site.wait_until_left("zentry")?;
    for (name, value) in [
        ("role", "nobody"),
        ("search_path", "nowhere"),
        ("statement_timeout", "1ms"),
        ("transaction_timeout", "1ms"),
        ("idle_in_transaction_session_timeout", "1ms"),
        ("idle_session_timeout", "1ms"),
        ("lock_timeout", "1ms"),
        ("default_transaction_read_only", "on"),
        ("default_transaction_isolation", "serializable"),
        ("restrict_nonsystem_relation_kind", "view, foreign-table"),
        ("session_replication_role", "replica"),
        ("exit_on_error", "on"),
        ("row_security", "off"),
        ("DateStyle", "SQL, DMY"),
        ("IntervalStyle", "sql_standard"),
        ("TimeZone", "Asia/Kolkata"),
        ("bytea_output", "escape"),
        ("extra_float_digits", "-15"),
        ("standard_conforming_strings", "off"),
        ("transform_null_equals", "on"),
        ("quote_all_identifiers", "on"),
        ("enable_indexscan", "off"),
        ("enable_nestloop", "off"),
        ("jit", "on"),
        ("jit_above_cost", "0"),
    ] {
        let exists: bool = admin
            .query_one(
                // 19 knows strings of the standard alone.
                "SELECT CASE $1 WHEN 'role' THEN true
                                WHEN 'standard_conforming_strings' THEN current_setting('server_version_num')::integer < 190000
                                ELSE EXISTS (SELECT FROM pg_settings WHERE name = $1) END",
                &[&name],
            )?
            .get(0);
        if exists {
            admin.batch_execute(&format!("ALTER DATABASE zentry SET {name} = '{value}'"))?;
            admin.batch_execute(&format!(
                "ALTER ROLE postgres IN DATABASE zentry SET {name} = '{value}'"
            ))?;
        }
    }
    fire(&mut client)?;
    channel.webhook.wait_for_events(1, SOON);
    assert_eq!(Delivery::settle(&mut client)?[0].status, "sent");
    for needle in ["died", "ERROR", "FATAL", "WARNING"] {
        assert_eq!(site.logged(start, needle)?, 0, "{needle}");
    }
    Ok(())
}
