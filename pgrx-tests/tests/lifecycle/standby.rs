//! A physical standby: it sends nothing while it follows, and goes on where the primary was when it is promoted.

use anyhow::Result;
use postgres::error::SqlState;
use zentry_e2e::cluster::{Cluster, ClusterOptions};
use zentry_e2e::emulator::Behaviour;
use zentry_e2e::scene::{Delivery, SOON, all_sent, hosts};
use zentry_e2e::site::{Site, fire};
use zentry_e2e::wait::eventually;

fn options(site: &Site) -> ClusterOptions {
    ClusterOptions::default()
        .set("zentry_notify.allowed_hosts", hosts(&site.emulator))
        .set("zentry_notify.allow_http", "on")
        .set("zentry_notify.allow_private_addresses", "on")
}

#[test]
fn functions_that_write_fail_as_read_only_and_post_nothing() -> Result<()> {
    let site = Site::start(ClusterOptions::default())?;
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    let standby = Cluster::start_standby(&site.cluster, options(&site))?;
    let mut reader = standby.connect_as("postgres", "zentry")?;
    let url = channel.webhook.url();
    let statements = [
        format!("SELECT zentry_register_webhook('again', 'discord', '{url}')"),
        "SELECT zentry_update_webhook(1, name => 'other')".to_owned(),
        "SELECT zentry_delete_webhook(1)".to_owned(),
        "SELECT * FROM zentry_test_webhook(1)".to_owned(),
        "SELECT zentry_test_event()".to_owned(),
        "SELECT zentry_retry_failed()".to_owned(),
        "SELECT zentry_resume(1)".to_owned(),
        "SELECT * FROM zentry_promote()".to_owned(),
        "SELECT * FROM zentry_attach()".to_owned(),
        "SELECT zentry_detach('tasks_task')".to_owned(),
        "SELECT zentry_retry(1)".to_owned(),
        "SELECT zentry_register_event_type('own', 'Own')".to_owned(),
        "SELECT zentry_set_wording('task_completed', title => 'Done')".to_owned(),
        "SELECT zentry_attach('task_completed', 'tasks_task')".to_owned(),
        "SELECT zentry_create_api_token('front end', 'pg_monitor')".to_owned(),
        "SELECT zentry_grant('pg_monitor', 'reader')".to_owned(),
    ];
    for statement in statements {
        let error = reader.batch_execute(&statement).expect_err(&statement);
        assert_eq!(
            error.code(),
            Some(&SqlState::READ_ONLY_SQL_TRANSACTION),
            "{statement}: {error:?}"
        );
    }
    assert_eq!(channel.webhook.requests(), 0);
    // The views work, and so do the functions that write nothing.
    reader.batch_execute(
        "SELECT * FROM zentry_stats(); SELECT zentry_preview('task_completed', webhook_id => 1)",
    )?;
    let name: String = reader
        .query_one("SELECT name FROM zentry_notify.webhooks", &[])?
        .get(0);
    assert_eq!(name, channel.webhook.name());
    let launcher: String = reader
        .query_one(
            "SELECT detail FROM zentry_status() WHERE subject = 'launcher' AND state = 'ok'",
            &[],
        )?
        .get(0);
    assert_eq!(
        launcher,
        "none on a standby: nothing is sent before it is promoted"
    );
    Ok(())
}

#[test]
fn a_read_only_transaction_posts_no_test_message() -> Result<()> {
    let site = Site::start(ClusterOptions::default())?;
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    let error = client
        .batch_execute("BEGIN READ ONLY; SELECT * FROM zentry_test_webhook(1)")
        .expect_err("it is read-only");
    assert_eq!(error.code(), Some(&SqlState::READ_ONLY_SQL_TRANSACTION));
    assert_eq!(channel.webhook.requests(), 0);
    Ok(())
}

#[test]
fn promotion_sends_what_was_pending_and_nothing_that_was_sent() -> Result<()> {
    let mut site = Site::start(ClusterOptions::default())?;
    let (mut client, channel) = site.served("zentry")?;

    let standby = Cluster::start_standby(&site.cluster, options(&site))?;
    // In flight for ever on the primary.
    channel.webhook.script([Behaviour::Hang]);
    fire(&mut client)?;
    channel.webhook.wait_for(2, SOON);
    let mut follower = standby.connect_as("postgres", "zentry")?;
    eventually(SOON, "the standby to have replayed it", || {
        (Delivery::all(&mut follower).ok()?.len() == 2).then_some(())
    })?;
    assert_eq!(channel.webhook.requests(), 2, "the standby sends nothing");
    drop(client);
    site.cluster.kill9()?;

    standby.promote()?;
    channel.webhook.wait_for_events(2, SOON);
    let deliveries = Delivery::settle(&mut follower)?;
    assert!(all_sent(&deliveries));
    fire(&mut follower)?;
    channel.webhook.wait_for_events(3, SOON);
    assert_eq!(channel.webhook.requests(), 4);
    assert_eq!(site.emulator.complaints(), Vec::<String>::new());
    Ok(())
}
