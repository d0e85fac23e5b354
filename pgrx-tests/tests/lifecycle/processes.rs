//! Processes that are ended from outside: they come back, and nothing is lost.

use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::emulator::Behaviour;
use zentry_e2e::scene::{Channel, Delivery, SOON, all_sent};
use zentry_e2e::site::{Site, fire};
use zentry_e2e::wait::eventually;

fn start() -> Result<(Site, postgres::Client, Channel)> {
    let site = Site::start(ClusterOptions::default())?;
    let (client, channel) = site.served("zentry")?;
    Ok((site, client, channel))
}

fn send(signal: Signal, pid: i32) -> Result<()> {
    Ok(kill(Pid::from_raw(pid), signal)?)
}

/// Several deliveries wait, each to be sent by itself, and the first of them is in flight.
fn backlog(client: &mut postgres::Client, channel: &Channel) -> Result<()> {
    client.execute(
        "UPDATE zentry_notify.webhook_integration SET max_events_per_message = 1",
        &[],
    )?;
    channel.webhook.limit(Default::default());
    channel
        .webhook
        .script([Behaviour::Slow(Duration::from_millis(500))]);
    for _ in 0..4 {
        fire(client)?;
    }
    channel.webhook.wait_for(2, SOON);
    Ok(())
}

/// The delivery that the worker was started with, and the backlog.
fn assert_all_sent(deliveries: &[Delivery]) {
    assert_eq!(deliveries.len(), 5, "{deliveries:#?}");
    assert!(all_sent(deliveries), "{deliveries:#?}");
}

#[test]
fn a_busy_worker_comes_back_after_sigterm_and_sends_nothing_twice() -> Result<()> {
    let (site, mut client, channel) = start()?;
    backlog(&mut client, &channel)?;
    let worker = site.worker("zentry")?.expect("a worker");
    client.execute("SELECT pg_terminate_backend($1)", &[&worker])?;
    let deliveries = Delivery::settle(&mut client)?;
    assert_all_sent(&deliveries);
    assert_ne!(site.worker("zentry")?, Some(worker));
    assert_eq!(channel.webhook.event_count(), 5);
    Ok(())
}

/// SIGTERM cancels the look-up; what was in flight meanwhile is written down all the same, and not sent again.
#[test]
fn a_worker_that_is_ended_in_a_look_up_writes_down_what_it_has_sent() -> Result<()> {
    const WAITS: &str = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'zentry_notify worker' AND wait_event_type = 'Lock'";
    let (site, mut client, channel) = start()?;
    channel
        .webhook
        .script([Behaviour::Slow(Duration::from_millis(1500))]);
    fire(&mut client)?;
    channel.webhook.wait_for(2, SOON);
    let mut other = site.connect("zentry")?;
    let mut owner = other.transaction()?;
    owner.batch_execute("LOCK TABLE users_user IN ACCESS EXCLUSIVE MODE")?;
    client.batch_execute("UPDATE tasks_task SET status = 'completed' WHERE id = (SELECT min(id) FROM tasks_task WHERE status <> 'completed')")?;
    let worker: i32 = eventually(SOON, "the worker to wait for the table", || {
        Some(client.query_opt(WAITS, &[]).ok()??.get(0))
    })?;
    client.execute("SELECT pg_terminate_backend($1)", &[&worker])?;
    eventually(SOON, "the worker to end", || {
        site.worker("zentry")
            .is_ok_and(|now| now != Some(worker))
            .then_some(())
    })?;
    owner.rollback()?;
    let deliveries = Delivery::settle(&mut client)?;
    let statuses: Vec<_> = deliveries.iter().map(|d| d.status.as_str()).collect();
    assert_eq!(statuses, ["sent"; 3]);
    assert_eq!(channel.webhook.event_count(), 3);
    Ok(())
}

/// It cancels what runs in the database, as in any session; what was waiting arrives all the same, without a new commit.
#[test]
fn a_busy_worker_stays_after_sigint_and_sends_nothing_twice() -> Result<()> {
    let (site, mut client, channel) = start()?;
    backlog(&mut client, &channel)?;
    let worker = site.worker("zentry")?.expect("a worker");
    send(Signal::SIGINT, worker)?;
    assert_all_sent(&Delivery::settle(&mut client)?);
    assert_eq!(site.worker("zentry")?, Some(worker));
    assert_eq!(channel.webhook.event_count(), 5);
    Ok(())
}

#[test]
fn a_worker_reloads_on_sighup_and_stays() -> Result<()> {
    let (site, mut client, channel) = start()?;
    let worker = site.worker("zentry")?.expect("a worker");
    send(Signal::SIGHUP, worker)?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(2, SOON);
    assert_eq!(site.worker("zentry")?, Some(worker));
    Ok(())
}

/// As with any process that dies so, all sessions end and the server recovers; then the queue goes on by itself.
fn queue_goes_on_after(signal: Signal) -> Result<()> {
    let (site, mut client, channel) = start()?;
    backlog(&mut client, &channel)?;
    send(signal, site.worker("zentry")?.expect("a worker"))?;
    // It takes connections until it has noticed.
    eventually(SOON, "the server to end all sessions", || {
        client.simple_query("").err()
    })?;
    let mut client = eventually(SOON, "the server to recover", || site.connect("zentry").ok())?;
    assert_all_sent(&Delivery::settle(&mut client)?);
    assert!(channel.webhook.event_count() >= 5);
    Ok(())
}

#[test]
fn the_queue_goes_on_by_itself_after_sigkill() -> Result<()> {
    queue_goes_on_after(Signal::SIGKILL)
}

#[test]
fn the_queue_goes_on_by_itself_after_sigquit() -> Result<()> {
    queue_goes_on_after(Signal::SIGQUIT)
}

fn launcher_comes_back_after(signal: Signal) -> Result<()> {
    let (site, mut client, channel) = start()?;
    let launcher = site.launcher()?;
    // With no worker, so that there is something to launch.
    client.execute("SELECT pg_terminate_backend($1)", &[&site.worker("zentry")?])?;
    send(signal, launcher)?;
    eventually(SOON, "another launcher", || {
        site.launcher().ok().filter(|pid| *pid != launcher)
    })?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(2, SOON);
    Ok(())
}

#[test]
fn the_launcher_comes_back_after_sigterm() -> Result<()> {
    launcher_comes_back_after(Signal::SIGTERM)
}

#[test]
fn the_launcher_comes_back_after_sigint() -> Result<()> {
    let (site, mut client, channel) = start()?;
    send(Signal::SIGINT, site.launcher()?)?;
    client.execute("SELECT pg_terminate_backend($1)", &[&site.worker("zentry")?])?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(2, SOON);
    Ok(())
}

#[test]
fn workers_go_on_without_the_launcher() -> Result<()> {
    let (site, mut client, channel) = start()?;
    let worker = site.worker("zentry")?.expect("a worker");
    send(Signal::SIGTERM, site.launcher()?)?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(2, SOON);
    assert_eq!(site.worker("zentry")?, Some(worker));
    Ok(())
}

#[test]
fn a_worker_that_keeps_dying_is_started_at_growing_intervals() -> Result<()> {
    let (site, mut client, channel) = start()?;
    let start = site.cluster.log_end()?;
    // Nothing of ours can be read without the agent.
    client.batch_execute("ALTER ROLE zentry_notify_agent RENAME TO gone")?;
    client.execute("SELECT pg_terminate_backend($1)", &[&site.worker("zentry")?])?;
    for pause in ["in 1 s", "in 2 s", "in 4 s"] {
        site.cluster
            .wait_for_log_since(start, &format!("starting it again {pause}"), SOON)?;
    }
    assert_eq!(site.logged(start, "starting it again")?, 3);
    client.batch_execute("ALTER ROLE gone RENAME TO zentry_notify_agent")?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(2, SOON);
    Ok(())
}

#[test]
fn a_fast_shutdown_beside_a_busy_worker_succeeds() -> Result<()> {
    let (mut site, mut client, channel) = start()?;
    backlog(&mut client, &channel)?;
    drop(client);
    site.cluster.restart(zentry_e2e::cluster::StopMode::Fast)?;
    assert_all_sent(&Delivery::settle(&mut site.connect("zentry")?)?);
    // What was in flight had its moment to be answered.
    assert_eq!(channel.webhook.event_count(), 5);
    Ok(())
}
