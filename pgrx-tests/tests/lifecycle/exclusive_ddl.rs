//! Statements that want a database for themselves: the worker makes way and comes back.

use anyhow::{Context, Result};
use postgres::Client;
use zentry_e2e::cluster::{ClusterOptions, StopMode};
use zentry_e2e::emulator::{Behaviour, Webhook};
use zentry_e2e::scene::SOON;
use zentry_e2e::site::{Site, fire, wait_for};
use zentry_e2e::wait::eventually;

/// A site with the database `zentry`, whose worker is there: idle, or waiting for an answer that does not come.
fn site(busy: bool) -> Result<(Site, Webhook)> {
    let site = Site::start(ClusterOptions::default().set("allow_in_place_tablespaces", "on"))?;
    let mut client = site.database("zentry")?;
    let webhook = site.channel(&mut client)?.webhook;
    fire(&mut client)?;
    webhook.wait_for_events(1, SOON);
    if busy {
        webhook.script([Behaviour::Hang]);
        fire(&mut client)?;
        webhook.wait_for(2, SOON);
    } else {
        wait_for(
            &mut client,
            "SELECT bool_and(status = 'sent') FROM zentry_notify.notification_log",
        )?;
    }
    assert!(site.worker("zentry")?.is_some());
    drop(client);
    // The session that was dropped must not be what the statement waits for.
    wait_for(
        &mut site.cluster.connect()?,
        "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'zentry' AND backend_type = 'client backend'",
    )?;
    Ok((site, webhook))
}

/// A session whose statements end soon or fail: an idle worker leaves at once, a busy one waits two seconds for its answers. (The
/// copying itself takes a while on a busy machine.)
fn admin(site: &Site, busy: bool) -> Result<Client> {
    let mut admin = site.cluster.connect()?;
    let limit = if busy { "10s" } else { "5s" };
    admin.batch_execute(&format!("SET statement_timeout = '{limit}'"))?;
    Ok(admin)
}

/// Runs the statement beside the worker, and shows that the database goes on under `name`: what was in flight is sent, and so
/// is what is written afterwards.
fn goes_on_after(statement: &str, busy: bool, name: &str) -> Result<()> {
    let (site, webhook) = site(busy)?;
    let mut admin = admin(&site, busy)?;
    admin.batch_execute("CREATE TABLESPACE elsewhere LOCATION ''")?;
    admin.batch_execute(statement)?;
    if busy {
        webhook.wait_for_events(2, SOON);
    }
    let before = webhook.event_count();
    fire(&mut site.connect(name)?)?;
    webhook.wait_for_events(before + 1, SOON);
    assert_eq!(site.emulator.complaints(), Vec::<String>::new());
    assert!(!site.cluster.log_contains("terminated by signal")?);
    Ok(())
}

fn disappears_by(statement: &str, busy: bool) -> Result<()> {
    let (site, webhook) = site(busy)?;
    let requests = webhook.requests();
    let start = site.cluster.log_end()?;
    admin(&site, busy)?.batch_execute(statement)?;
    // Another database with the same name, and a worker of its own.
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(1, SOON);
    assert_eq!(webhook.requests(), requests);
    assert_eq!(
        site.logged(start, "FATAL")?,
        0,
        "nobody looks for a database that is gone"
    );
    Ok(())
}

#[test]
fn drop_database_beside_an_idle_worker() -> Result<()> {
    disappears_by("DROP DATABASE zentry", false)
}

#[test]
fn drop_database_beside_a_busy_worker() -> Result<()> {
    disappears_by("DROP DATABASE zentry", true)
}

#[test]
fn drop_database_force_beside_a_busy_worker() -> Result<()> {
    // Whether the worker leaves or is terminated first is a race: a FATAL of it is in order.
    let (site, webhook) = site(true)?;
    let requests = webhook.requests();
    site.cluster
        .connect()?
        .batch_execute("DROP DATABASE zentry WITH (FORCE)")?;
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(1, SOON);
    assert_eq!(webhook.requests(), requests);
    Ok(())
}

#[test]
fn rename_beside_an_idle_worker() -> Result<()> {
    goes_on_after("ALTER DATABASE zentry RENAME TO renamed", false, "renamed")
}

#[test]
fn rename_beside_a_busy_worker() -> Result<()> {
    goes_on_after("ALTER DATABASE zentry RENAME TO renamed", true, "renamed")
}

#[test]
fn set_tablespace_beside_an_idle_worker() -> Result<()> {
    goes_on_after("ALTER DATABASE zentry SET TABLESPACE elsewhere", false, "zentry")
}

#[test]
fn set_tablespace_beside_a_busy_worker() -> Result<()> {
    goes_on_after("ALTER DATABASE zentry SET TABLESPACE elsewhere", true, "zentry")
}

#[test]
fn template_of_a_database_with_an_idle_worker() -> Result<()> {
    goes_on_after("CREATE DATABASE copy TEMPLATE zentry", false, "zentry")
}

#[test]
fn template_that_is_not_named_and_has_an_idle_worker() -> Result<()> {
    let (site, webhook) = site(false)?;
    let mut admin = admin(&site, false)?;
    admin.batch_execute("ALTER DATABASE template1 RENAME TO before")?;
    admin.batch_execute("ALTER DATABASE zentry RENAME TO template1")?;
    fire(&mut site.connect("template1")?)?;
    webhook.wait_for_events(2, SOON);
    wait_for(
        &mut admin,
        "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'template1' AND backend_type = 'client backend'",
    )?;
    assert!(site.worker("template1")?.is_some());
    admin.batch_execute("CREATE DATABASE copy")?;
    Ok(())
}

#[test]
fn template_of_a_database_with_a_busy_worker() -> Result<()> {
    goes_on_after("CREATE DATABASE copy TEMPLATE zentry", true, "zentry")
}

#[test]
fn a_copy_is_served_as_its_template_is() -> Result<()> {
    goes_on_after("CREATE DATABASE copy TEMPLATE zentry", false, "copy")
}

/// What waits in the template is in the copy too; docs/operations.md says how the copy is kept from sending it.
#[test]
fn a_copy_can_be_held_back_before_it_sends_what_its_template_sends() -> Result<()> {
    let (mut site, webhook) = site(false)?;
    let mut template = site.connect("zentry")?;
    webhook.script([Behaviour::in_an_hour()]);
    fire(&mut template)?;
    wait_for(
        &mut template,
        "SELECT count(*) = 1 FROM zentry_notify.notification_log WHERE status = 'retry'",
    )?;
    drop(template);
    admin(&site, true)?.batch_execute("CREATE DATABASE copy TEMPLATE zentry")?;
    site.cluster
        .connect()?
        .batch_execute("ALTER DATABASE copy SET zentry_notify.sending = off")?;
    // Neither a commit in the copy nor a start of the server lets it send.
    let mut copy = site.connect("copy")?;
    fire(&mut copy)?;
    drop(copy);
    site.cluster.restart(StopMode::Fast)?;
    let mut template = site.connect("zentry")?;
    fire(&mut template)?;
    template.batch_execute(
        "SELECT zentry_retry(min(id)) FROM zentry_notify.notification_log WHERE status = 'retry'",
    )?;
    webhook.wait_for_events(3, SOON);
    wait_for(
        &mut template,
        "SELECT bool_and(status = 'sent') FROM zentry_notify.notification_log",
    )?;
    let mut copy = site.connect("copy")?;
    wait_for(
        &mut copy,
        "SELECT count(*) = 2 FROM zentry_notify.notification_log WHERE status IN ('pending', 'retry')",
    )?;

    copy.batch_execute(
        "DELETE FROM zentry_notify.notification_log WHERE status IN ('pending', 'retry'); \
         ALTER DATABASE copy RESET zentry_notify.sending",
    )?;
    fire(&mut site.connect("copy")?)?;
    webhook.wait_for_events(4, SOON);
    wait_for(
        &mut copy,
        "SELECT bool_and(status = 'sent') FROM zentry_notify.notification_log",
    )?;
    assert_eq!(webhook.event_count(), 4);
    Ok(())
}

#[test]
fn reindex_database_beside_a_busy_worker() -> Result<()> {
    let (site, webhook) = site(true)?;
    site.connect("zentry")?.batch_execute("REINDEX DATABASE zentry")?;
    assert_eq!(webhook.requests(), 2);
    Ok(())
}

#[test]
fn a_cancelled_drop_leaves_everything_working() -> Result<()> {
    let (site, webhook) = site(false)?;
    // Keeps the database in use.
    let mut client = site.connect("zentry")?;
    let mut admin = site.cluster.connect()?;
    let cancel = admin.cancel_token();
    let drop = std::thread::spawn(move || admin.batch_execute("DROP DATABASE zentry"));
    site.wait_until_left("zentry")?;
    cancel.cancel_query(postgres::NoTls)?;
    let error = drop
        .join()
        .expect("the session's thread")
        .expect_err("it was cancelled");
    assert_eq!(error.code(), Some(&postgres::error::SqlState::QUERY_CANCELED));
    fire(&mut client)?;
    webhook.wait_for_events(2, SOON);
    Ok(())
}

#[test]
fn a_drop_that_fails_leaves_everything_working() -> Result<()> {
    let (site, webhook) = site(false)?;
    let mut client = site.connect("zentry")?;
    let error = site
        .cluster
        .connect()?
        .batch_execute("DROP DATABASE zentry")
        .expect_err("the database is in use");
    assert_eq!(error.code(), Some(&postgres::error::SqlState::OBJECT_IN_USE));
    fire(&mut client)?;
    webhook.wait_for_events(2, SOON);
    Ok(())
}

#[test]
fn what_the_database_that_was_dropped_had_waiting_starts_no_worker() -> Result<()> {
    let (site, webhook) = site(false)?;
    webhook.always(Behaviour::RateLimited {
        retry_after: std::time::Duration::from_secs(1),
        global: false,
    });
    fire(&mut site.connect("zentry")?)?;
    webhook.wait_for(2, SOON);
    let start = site.cluster.log_end()?;
    eventually(SOON, "the session to end and the database to be dropped", || {
        site.cluster
            .connect()
            .ok()?
            .batch_execute("DROP DATABASE zentry")
            .ok()
    })?;
    // What is served after the retry would have been due shows that it was passed over.
    let mut client = site.database("other")?;
    let channel = site.channel(&mut client)?;
    channel.webhook.script([Behaviour::RateLimited {
        retry_after: std::time::Duration::from_secs(2),
        global: false,
    }]);
    fire(&mut client)?;
    channel.webhook.wait_for_events(1, SOON);
    assert_eq!(site.logged(start, "does not exist")?, 0);
    Ok(())
}

/// A library that takes everybody's utility hook out of the session that loads it, ours too.
const NO_HOOKS: &str = r#"
#include "postgres.h"
#include "fmgr.h"
#include "tcop/utility.h"
PG_MODULE_MAGIC;
void _PG_init(void);
void _PG_init(void) { ProcessUtility_hook = NULL; }
"#;

fn without_hooks(site: &Site) -> Result<Client> {
    let stage = site.cluster.stage();
    let library = stage.compile_module("no_hooks", NO_HOOKS)?;
    let mut admin = site.cluster.connect()?;
    admin.batch_execute(&format!("LOAD '{}'", library.display()))?;
    Ok(admin)
}

/// PostgreSQL 19 itself ends our worker where nobody makes way for such a statement (BGWORKER_INTERRUPTIBLE): it comes back, or is gone with its
/// database. Until 18, the statement is refused, as with any other session in the database, and the worker notices nothing.
#[test]
fn the_server_ends_the_worker_by_itself() -> Result<()> {
    let (site, webhook) = site(false)?;
    let mut admin = without_hooks(&site)?;
    if site.cluster.stage().major() < 19 {
        let worker = site.worker("zentry")?;
        for statement in IN_THE_WAY {
            let error = admin.batch_execute(statement).expect_err(statement);
            assert_eq!(
                error.code(),
                Some(&postgres::error::SqlState::OBJECT_IN_USE),
                "{statement}"
            );
        }
        assert_eq!(site.worker("zentry")?, worker);
        return Ok(());
    }
    for (events, statement) in (2..).zip(IN_THE_WAY) {
        let worker = site.worker("zentry")?;
        assert!(worker.is_some(), "{statement}");
        admin.batch_execute(statement).context(statement)?;
        if statement.starts_with("DROP") {
            break;
        }
        let name = if statement.starts_with("ALTER") {
            "renamed"
        } else {
            "zentry"
        };
        fire(&mut site.connect(name)?)?;
        webhook.wait_for_events(events, SOON);
        assert_ne!(site.worker(name)?, worker, "{statement}");
        if name == "renamed" {
            admin.batch_execute("ALTER DATABASE renamed RENAME TO zentry")?;
            fire(&mut site.connect("zentry")?)?;
            webhook.wait_for_events(events + 1, SOON);
        }
        // The session that was dropped must not be what the next statement waits for.
        wait_for(
            &mut site.cluster.connect()?,
            "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'zentry' AND backend_type = 'client backend'",
        )?;
    }
    assert!(!site.cluster.log_contains("terminated by signal")?);
    assert_eq!(site.emulator.complaints(), Vec::<String>::new());
    Ok(())
}

const IN_THE_WAY: [&str; 3] = [
    "CREATE DATABASE copy TEMPLATE zentry",
    "ALTER DATABASE zentry RENAME TO renamed",
    "DROP DATABASE zentry",
];
