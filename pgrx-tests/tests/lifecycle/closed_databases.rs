//! What is due in a database that is closed is sent when it is open again.

use std::time::Duration;

use anyhow::Result;
use zentry_e2e::emulator::Behaviour;
use zentry_e2e::scene::SOON;
use zentry_e2e::site::{fire, wait_for};

use crate::due_work::*;

/// A delivery falls due while `close` holds, and is sent once `open` was run.
fn falls_due_behind(close: &str, open: &str) -> Result<()> {
    let (site, mut client, channel) = start()?;
    let mut admin = site.cluster.connect()?;
    channel.webhook.script([Behaviour::RateLimited {
        retry_after: Duration::from_secs(4),
        global: false,
    }]);
    fire(&mut client)?;
    channel.webhook.wait_for(1, SOON);
    site.wait_until_left("zentry")?;
    assert_eq!(channel.webhook.requests(), 1, "it left before the retry was due");
    admin.batch_execute(close)?;
    // The launcher's second look at it is over by then.
    wait_for(
        &mut client,
        "SELECT now() > next_attempt_at + interval '1.5 s' FROM zentry_notify.notification_log",
    )?;
    assert_eq!(channel.webhook.requests(), 1, "{close}");
    assert_eq!(site.worker("zentry")?, None);
    admin.batch_execute(open)?;
    channel.webhook.wait_for_events(1, SOON);
    assert_eq!(site.logged(0, "died")?, 0);
    Ok(())
}

#[test]
fn a_database_that_is_closed() -> Result<()> {
    falls_due_behind(
        "ALTER DATABASE zentry ALLOW_CONNECTIONS false",
        "ALTER DATABASE zentry ALLOW_CONNECTIONS true",
    )
}

#[test]
fn a_database_that_is_closed_in_the_catalogue() -> Result<()> {
    falls_due_behind(
        "UPDATE pg_database SET datallowconn = false WHERE datname = 'zentry'",
        "UPDATE pg_database SET datallowconn = true WHERE datname = 'zentry'",
    )
}

#[test]
fn a_template() -> Result<()> {
    falls_due_behind(
        "ALTER DATABASE zentry IS_TEMPLATE true",
        "ALTER DATABASE zentry IS_TEMPLATE false",
    )
}

#[test]
fn a_database_that_was_closed_when_the_server_started() -> Result<()> {
    let (mut site, mut client, channel) = start()?;
    channel.webhook.script([Behaviour::RateLimited {
        retry_after: Duration::from_secs(2),
        global: false,
    }]);
    fire(&mut client)?;
    channel.webhook.wait_for(1, SOON);
    site.cluster
        .connect()?
        .batch_execute("ALTER DATABASE zentry ALLOW_CONNECTIONS false")?;
    drop(client);
    site.cluster.restart(zentry_e2e::cluster::StopMode::Fast)?;
    site.launcher()?;
    let mut admin = site.cluster.connect()?;
    wait_for(
        &mut admin,
        "SELECT now() > pg_postmaster_start_time() + interval '3 s'",
    )?;
    assert_eq!(channel.webhook.requests(), 1);
    admin.batch_execute("ALTER DATABASE zentry ALLOW_CONNECTIONS true")?;
    channel.webhook.wait_for_events(1, SOON);
    Ok(())
}

#[test]
fn an_invalid_database_is_left_alone() -> Result<()> {
    let (site, mut client, channel) = start()?;
    let mut other = site.database("half_dropped")?;
    let hanging = site.channel(&mut other)?;
    hanging.webhook.script([Behaviour::RateLimited {
        retry_after: Duration::from_secs(6),
        global: false,
    }]);
    fire(&mut other)?;
    hanging.webhook.wait_for(1, SOON);
    site.wait_until_left("half_dropped")?;
    let start = site.cluster.log_end()?;
    // What an interrupted DROP DATABASE leaves behind.
    let mut admin = site.cluster.connect()?;
    admin.batch_execute("UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half_dropped'")?;
    admin.batch_execute("SELECT pg_reload_conf()")?;
    wait_for(
        &mut other,
        "SELECT now() > next_attempt_at + interval '1.5 s' FROM zentry_notify.notification_log",
    )?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(1, SOON);
    for needle in ["invalid database", "died"] {
        assert_eq!(site.logged(start, needle)?, 0, "{needle}");
    }
    assert_eq!(hanging.webhook.requests(), 1);
    drop(other);
    admin.batch_execute("DROP DATABASE half_dropped")?;
    Ok(())
}
