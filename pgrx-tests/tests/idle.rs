//! A cluster where nothing happens: we do nothing either. That takes its time to see, so it is a program of its own, which
//! runs beside the others.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use postgres::Client;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::scene::SOON;
use zentry_e2e::site::{Site, fire};
use zentry_e2e::wait::eventually;

/// How long nothing has to happen.
const WATCHED: Duration = Duration::from_secs(60);
/// How long until then: what was going on before may take a while to end.
const PATIENCE: Duration = Duration::from_secs(150);

/// How often the threads of a process have given up the processor: each wake-up counts.
fn wake_ups(pid: i32) -> Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        let count = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))
            .context("no voluntary_ctxt_switches")?;
        sum += count.trim().parse::<u64>()?;
    }
    Ok(sum)
}

/// What can be seen of a database from `postgres`, in one session: another one for each look would cost more than all
/// that is looked at.
struct Watch(Client);

impl Watch {
    fn over(site: &Site) -> Result<Self> {
        Ok(Self(site.cluster.connect()?))
    }

    /// Transactions of a database that nobody watches from within.
    fn transactions(&mut self, database: &str) -> Result<i64> {
        const SQL: &str = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = $1";
        Ok(self.0.query_one(SQL, &[&database])?.get(0))
    }

    /// Calls of statements by others than who watches.
    fn statements(&mut self) -> Result<i64> {
        const SQL: &str = "SELECT coalesce(sum(s.calls), 0)::bigint FROM pg_stat_statements s \
                           LEFT JOIN pg_database d ON d.oid = s.dbid WHERE d.datname IS DISTINCT FROM 'postgres'";
        Ok(self.0.query_one(SQL, &[])?.get(0))
    }

    /// The process id of a worker, if there is any.
    fn worker(&mut self) -> Result<Option<i32>> {
        const SQL: &str = "SELECT max(pid) FROM pg_stat_activity WHERE backend_type = 'zentry_notify worker'";
        Ok(self.0.query_one(SQL, &[])?.get(0))
    }
}

/// A cluster in which nobody else does anything by themselves.
fn quiet() -> Result<Site> {
    let options = ClusterOptions::default()
        .set("autovacuum", "off")
        .set("shared_preload_libraries", "zentry_notify, pg_stat_statements");
    let site = Site::start(options)?;
    site.cluster
        .connect()?
        .batch_execute("CREATE EXTENSION pg_stat_statements")?;
    Ok(site)
}

/// Waits until `value` has not changed for a while: what had been going on is over and nothing else comes.
fn stays<T: PartialEq>(what: &str, mut value: impl FnMut() -> Result<T>) -> Result<()> {
    let mut since = Instant::now();
    let mut last = value()?;
    eventually(PATIENCE, format!("{what} to stay as it is"), || {
        let now = value().ok()?;
        if now != last {
            last = now;
            since = Instant::now();
        }
        (since.elapsed() >= WATCHED).then_some(())
    })
}

#[test]
fn the_launcher_and_an_idle_worker_are_not_woken_and_run_no_transaction() -> Result<()> {
    let mut site = quiet()?;
    site.cluster.conf(&[("zentry_notify.idle_timeout", "1h")])?;
    drop(site.served("zentry")?);
    let (launcher, worker) = (site.launcher()?, site.worker("zentry")?.expect("a worker"));
    let mut watch = Watch::over(&site)?;
    stays("everything", || {
        Ok((
            wake_ups(launcher)?,
            wake_ups(worker)?,
            watch.transactions("zentry")?,
            watch.statements()?,
        ))
    })
}

#[test]
fn without_workers_the_cluster_is_as_if_we_were_not_there() -> Result<()> {
    let mut site = quiet()?;
    site.cluster.conf(&[("zentry_notify.idle_timeout", "1s")])?;
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(1, SOON);
    drop(client);
    site.wait_until_left("zentry")?;
    let launcher = site.launcher()?;
    let mut watch = Watch::over(&site)?;
    stays("everything", || {
        Ok((
            wake_ups(launcher)?,
            watch.worker()?,
            watch.transactions("zentry")?,
            watch.statements()?,
        ))
    })
}

#[test]
fn pg_stat_activity_tells_who_is_who_and_what_they_do() -> Result<()> {
    let site = Site::start(ClusterOptions::default())?;
    let (mut client, _) = site.served("zentry")?;
    let urls: i64 = client
        .query_one(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'zentry%' AND query LIKE '%http%'",
            &[],
        )?
        .get(0);
    assert_eq!(urls, 0);
    let rows = eventually(SOON, "both to be idle", || {
        let rows = client
            .query(
                "SELECT backend_type, application_name, datname, state, wait_event_type FROM pg_stat_activity \
                 WHERE backend_type LIKE 'zentry%' AND state = 'idle' ORDER BY 1",
                &[],
            )
            .ok()?;
        (rows.len() == 2).then_some(rows)
    })?;
    let texts: Vec<Vec<Option<String>>> = rows
        .iter()
        .map(|row| (0..5).map(|column| row.get(column)).collect())
        .collect();
    let text = |value: &str| Some(value.to_owned());
    assert_eq!(
        texts,
        [
            [
                text("zentry_notify launcher"),
                text("zentry_notify launcher"),
                None,
                text("idle"),
                text("Extension")
            ],
            [
                text("zentry_notify worker"),
                text("zentry_notify worker"),
                text("zentry"),
                text("idle"),
                text("Extension")
            ],
        ]
    );
    Ok(())
}
