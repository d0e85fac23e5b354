//! Many databases, few workers.

use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::Result;
use zentry_e2e::cluster::{Cluster, ClusterOptions, StopMode};
use zentry_e2e::emulator::Behaviour;
use zentry_e2e::scene::{Delivery, SOON};
use zentry_e2e::site::{Site, fire};

fn few_workers(count: usize) -> ClusterOptions {
    ClusterOptions::default().set("zentry_notify.max_workers", count)
}

#[test]
fn databases_beyond_max_workers_do_not_wait_for_idle_workers_to_leave() -> Result<()> {
    // Workers would stay for an hour.
    let site = Site::start(few_workers(1).set("zentry_notify.idle_timeout", 3600))?;
    let mut databases = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        let mut client = site.database(name)?;
        let channel = site.channel(&mut client)?;
        databases.push((client, channel));
    }
    for round in 1..=2 {
        for (client, channel) in &mut databases {
            fire(client)?;
            channel.webhook.wait_for_events(round, SOON);
        }
    }
    assert_eq!(site.emulator.complaints(), Vec::<String>::new());
    Ok(())
}

#[test]
fn a_database_that_is_never_idle_does_not_starve_others() -> Result<()> {
    let site = Site::start(few_workers(1))?;
    let mut busy = site.database("busy")?;
    let hanging = site.channel(&mut busy)?;
    // Each answer takes a moment, and there is always another delivery: the worker never runs out of work.
    hanging.webhook.limit(Default::default());
    hanging.webhook.always(Behaviour::Slow(Duration::from_millis(50)));
    busy.execute(
        "UPDATE zentry_notify.webhook_integration SET max_events_per_message = 1",
        &[],
    )?;
    busy.execute(
        "INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload) \
         SELECT $1, 'daily_streak', zentry_notify.sample_event('daily_streak') FROM generate_series(1, 5000)",
        &[&hanging.id],
    )?;
    fire(&mut busy)?;
    hanging.webhook.wait_for_events(1, SOON);

    let mut other = site.database("other")?;
    let channel = site.channel(&mut other)?;
    fire(&mut other)?;
    channel.webhook.wait_for_events(1, SOON);

    // And the busy one gets its turn again, where it was.
    let sent = hanging.webhook.event_count();
    hanging.webhook.wait_for_events(sent + 20, SOON);
    let events = hanging.webhook.event_count();
    let recorded = Delivery::all(&mut busy)?
        .iter()
        .filter(|d| d.status == "sent")
        .count() as u64;
    // The last one's answer may be on its way.
    assert!(
        events <= recorded + 1,
        "{events} events for {recorded} deliveries: some were sent twice"
    );
    assert_eq!(site.emulator.complaints(), Vec::<String>::new());
    Ok(())
}

#[test]
fn a_worker_leaves_when_idle_and_comes_back_for_the_next_commit() -> Result<()> {
    let site = Site::start(few_workers(4).set("zentry_notify.idle_timeout", 1))?;
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    for round in 1..=2 {
        fire(&mut client)?;
        channel.webhook.wait_for_events(round, SOON);
        site.wait_until_left("zentry")?;
    }
    assert_eq!(site.emulator.complaints(), Vec::<String>::new());
    Ok(())
}

#[test]
fn a_worker_that_has_left_comes_back_for_a_due_retry() -> Result<()> {
    let site = Site::start(few_workers(4).set("zentry_notify.idle_timeout", 1))?;
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    channel.webhook.script([Behaviour::RateLimited {
        retry_after: Duration::from_secs(4),
        global: false,
    }]);
    fire(&mut client)?;
    channel.webhook.wait_for(1, SOON);
    site.wait_until_left("zentry")?;
    assert_eq!(channel.webhook.requests(), 1, "it left before the retry was due");
    channel.webhook.wait_for_events(1, SOON);
    assert_eq!(Delivery::settle(&mut client)?[0].status, "sent");
    assert_eq!(site.emulator.complaints(), Vec::<String>::new());
    Ok(())
}

/// Make a quarter of the databases, without the extension. `ZENTRY_DATABASES` says of how many (60; `make torture`: 200): each is
/// 300 files to be removed again.
fn make_empty(cluster: &Cluster, session: usize) -> Result<()> {
    let databases: usize = match env::var("ZENTRY_DATABASES") {
        Ok(number) => number.parse()?,
        Err(_) => 60,
    };
    let mut admin = cluster.connect()?;
    (0..databases / 4)
        .try_for_each(|number| Ok(admin.batch_execute(&format!("CREATE DATABASE empty_{session}_{number}"))?))
}

#[test]
fn a_cluster_of_many_databases_starts_and_serves() -> Result<()> {
    let mut site = Site::start(few_workers(2))?;
    let mut first = site.database("first")?;
    let channel = site.channel(&mut first)?;
    // Most of it is waiting for the disk.
    thread::scope(|scope| {
        let cluster = &site.cluster;
        let made: Vec<_> = (0..4)
            .map(|session| scope.spawn(move || make_empty(cluster, session)))
            .collect();
        made.into_iter()
            .try_for_each(|session| session.join().expect("the thread"))
    })?;
    let mut last = site.database("last")?;
    let other = site.channel(&mut last)?;

    let begun = Instant::now();
    site.cluster.restart(StopMode::Fast)?;
    let restarted = begun.elapsed();
    for (database, channel) in [("last", &other), ("first", &channel)] {
        fire(&mut site.connect(database)?)?;
        channel.webhook.wait_for_events(1, SOON);
    }
    // For whoever wants to know (--nocapture): each database is looked at once, two at a time.
    println!(
        "restarted in {restarted:?}, both served after {:?}",
        begun.elapsed()
    );
    assert_eq!(site.emulator.complaints(), Vec::<String>::new());
    Ok(())
}

#[test]
fn that_no_background_worker_is_free_is_said_once_and_sending_goes_on_when_one_is() -> Result<()> {
    // One for the launcher, one for a worker.
    let options = few_workers(4)
        .set("max_worker_processes", 2)
        .set("max_logical_replication_workers", 0)
        .set("zentry_notify.idle_timeout", 1)
        .set("zentry_notify.request_timeout", "3s");
    let site = Site::start(options)?;
    let mut busy = site.database("busy")?;
    let slow = site.channel(&mut busy)?;
    let mut other = site.database("other")?;
    let channel = site.channel(&mut other)?;
    site.wait_until_left("busy")?;
    site.wait_until_left("other")?;

    slow.webhook.always(Behaviour::Hang);
    fire(&mut busy)?;
    slow.webhook.wait_for(1, SOON);
    fire(&mut other)?;
    const WARNING: &str = "no background worker is free";
    site.cluster.wait_for_log(WARNING, SOON)?;
    // The busy worker gives its place up once it knows what became of its request.
    channel.webhook.wait_for_events(1, SOON);
    assert_eq!(site.logged(0, WARNING)?, 1);
    Ok(())
}
