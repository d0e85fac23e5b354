//! A worker's process is killed, as by a system that has no memory left, or crashes, while it runs what somebody else wrote: the server ends all
//! sessions and starts anew. That happens twice and not again and again, and what is killed by chance is blamed for nothing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use postgres::Client;
use zentry_e2e::cluster::StopMode;
use zentry_e2e::scene::{Channel, Delivery, SOON, register};
use zentry_e2e::site::{Site, fire, wait_for};
use zentry_e2e::wait::eventually;

use crate::stuck::{Pipe, line_is, owner, start, stick};

/// What a server says that begins anew because of a process.
const CRASH: &str = "all server processes terminated; reinitializing";

/// Kills the process, and waits until the server takes connections again.
fn crash(site: &Site, pid: i32) -> Result<Client> {
    let log = site.cluster.log_end()?;
    kill(Pid::from_raw(pid), Signal::SIGKILL)?;
    site.cluster.wait_for_log_since(log, CRASH, SOON)?;
    eventually(SOON, "the server to take connections", || {
        let mut client = site.connect("zentry").ok()?;
        client.batch_execute("SELECT 1").ok()?;
        Some(client)
    })
}

/// The worker that has locked the table to look something up for it.
fn looks_up(client: &mut Client, table: &str) -> Result<i32> {
    eventually(
        SOON,
        format!("a worker that looks something up for {table}"),
        || {
            let worker = client.query_opt(
                "SELECT a.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
              WHERE l.relation = $1::text::regclass AND a.backend_type = 'zentry_notify worker'",
                &[&table],
            );
            worker.ok()?.map(|row| row.get(0))
        },
    )
}

pub fn suspended(client: &mut Client) -> Result<Option<String>> {
    let row = client.query_one(
        "SELECT string_agg(suspended_reason, ' ') FROM zentry_notify.event_source WHERE suspended_at IS NOT NULL",
        &[],
    )?;
    Ok(row.get(0))
}

#[test]
fn what_a_process_is_killed_of_runs_twice() -> Result<()> {
    let (site, mut client, channel) = start()?;
    owner(&site, &mut client, "mallory")?;
    let pipe = Pipe::make(&site, "pipe")?;
    stick(&mut client, "mallory", &pipe)?;
    let log = site.cluster.log_end()?;
    for _ in 0..2 {
        let worker = looks_up(&mut client, "mallory.task")?;
        client = crash(&site, worker)?;
    }
    line_is(
        &mut client,
        "event task_completed",
        "broken",
        "mallory.task, suspended since %killed or crashed",
    )?;
    // Hers is told without, and the others' arrive.
    fire(&mut client)?;
    channel.webhook.wait_for_events(3, SOON);
    Delivery::settle(&mut client)?;
    assert_eq!(site.logged(log, CRASH)?, 2);
    assert_eq!(
        site.logged(log, "was killed or crashed while the look-ups of event source")?,
        1
    );
    let remedy: String = client
        .query_one(
            "SELECT remedy FROM zentry_status() WHERE subject = 'event task_completed' AND state = 'broken'",
            &[],
        )?
        .get(0);
    assert!(
        remedy.starts_with("-- see in the server log how they ended")
            && remedy.contains("zentry_attach('task_completed', 'mallory.task'"),
        "{remedy}"
    );
    Ok(())
}

/// Another process crashes while it runs, or it is killed while something else runs that comes to an end afterwards.
#[test]
fn who_is_killed_by_chance_is_blamed_for_nothing() -> Result<()> {
    let (site, mut client, channel) = start()?;
    owner(&site, &mut client, "mallory")?;
    let pipe = Pipe::make(&site, "pipe")?;
    stick(&mut client, "mallory", &pipe)?;
    for _ in 0..3 {
        looks_up(&mut client, "mallory.task")?;
        let session: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
        client = crash(&site, session)?;
    }
    assert_eq!(suspended(&mut client)?, None);
    // Once is no proof.
    let worker = looks_up(&mut client, "mallory.task")?;
    client = crash(&site, worker)?;
    pipe.release_until(|| channel.webhook.event_count() >= 2)?;
    Delivery::settle(&mut client)?;
    assert_eq!(suspended(&mut client)?, None);
    // It has come to an end since, so this is the first time again.
    let pipe = Pipe::make(&site, "another")?;
    stick(&mut client, "mallory", &pipe)?;
    let worker = looks_up(&mut client, "mallory.task")?;
    client = crash(&site, worker)?;
    pipe.release_until(|| channel.webhook.event_count() >= 3)?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(4, SOON);
    Delivery::settle(&mut client)?;
    assert_eq!(suspended(&mut client)?, None);
    Ok(())
}

/// Where the worker of a database notes what it runs.
fn note_of(site: &Site, client: &mut Client) -> Result<PathBuf> {
    let row = client.query_one(
        "SELECT oid FROM pg_database WHERE datname = current_database()",
        &[],
    )?;
    let name = format!("data/pg_stat_tmp/zentry_notify.{}", row.get::<_, u32>(0));
    Ok(site.cluster.dir().join(name))
}

/// What the worker has noted: its process, what it runs, of which role, and for which events; what is suspected in the same way.
fn noted(note: &Path) -> Option<[i64; 8]> {
    let bytes = fs::read(note).ok()?;
    let mut numbers = [0; 8];
    for (number, bytes) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
        *number = i64::from_ne_bytes(bytes.try_into().ok()?);
    }
    Some(numbers)
}

/// The process that runs a filter in the database, as its worker has noted it.
fn filters(site: &Site, note: &Path) -> Option<i32> {
    let [process, runs, ..] = noted(note)?;
    let worker = site.worker("zentry").ok()??;
    (runs < 0 && process == i64::from(worker)).then_some(worker)
}

/// What a process dies of at the end of a backlog is run for its beginning first, each time, and comes to an end there.
#[test]
fn what_a_process_is_killed_of_late_in_a_backlog_runs_twice() -> Result<()> {
    // More than are worked on together.
    const MANY: i64 = 2_500;
    let (site, mut client, channel) = start()?;
    owner(&site, &mut client, "mallory")?;
    client.execute(
        "SELECT zentry_update_webhook($1, event_types => '{project_created}')",
        &[&channel.id],
    )?;
    let webhook = site.emulator.register(zentry_e2e::emulator::Kind::Discord);
    let id = register(&mut client, &webhook, None, Some(&["task_completed"]))?;
    client.execute("SELECT zentry_update_webhook($1, digest => '1 day')", &[&id])?;
    let note = note_of(&site, &mut client)?;
    let pipe = Pipe::make(&site, "pipe")?;
    client.batch_execute("BEGIN")?;
    client.execute(
        "INSERT INTO mallory.task SELECT i, 'a title', 'completed' FROM generate_series(1, $1::bigint) i",
        &[&MANY],
    )?;
    stick(&mut client, "mallory", &pipe)?;
    client.batch_execute("COMMIT")?;
    let last: i64 = client
        .query_one("SELECT max(id) FROM zentry_notify.event", &[])?
        .get(0);
    let log = site.cluster.log_end()?;
    for _ in 0..2 {
        let worker = eventually(SOON, "a worker that is at the last event", || {
            let [process, runs, _, until, ..] = noted(&note)?;
            let worker = site.worker("zentry").ok()??;
            (runs > 0 && until == last && process == i64::from(worker)).then_some(worker)
        })?;
        client = crash(&site, worker)?;
    }
    line_is(
        &mut client,
        "event task_completed",
        "broken",
        "mallory.task, suspended since %killed or crashed",
    )?;
    wait_for(&mut client, "SELECT zentry_notify.unrouted_events() = 0")?;
    assert_eq!(site.logged(log, CRASH)?, 2);
    Ok(())
}

/// A note of another boot of the machine, of whatever has such a name, and one of a database that is gone.
#[test]
fn what_stands_in_a_notes_place_is_no_note() -> Result<()> {
    let (mut site, mut client, channel) = start()?;
    let note = note_of(&site, &mut client)?;
    let gone = note.with_file_name("zentry_notify.4000000000");
    let elsewhere = site.cluster.dir().join("elsewhere");
    let log = site.cluster.log_end()?;
    let of_another_boot: Vec<u8> = [1_i64, 1, 10, 1, 1, 10, 1, 1]
        .into_iter()
        .flat_map(i64::to_ne_bytes)
        .collect();
    let mut heard = channel.webhook.event_count();
    for content in [&of_another_boot[..], b"", b"junk", &[0xff; 200]] {
        site.cluster.stop(StopMode::Fast)?;
        fs::write(&note, content)?;
        fs::write(&gone, content)?;
        site.cluster.start_again()?;
        client = site.connect("zentry")?;
        fire(&mut client)?;
        heard += 1;
        channel.webhook.wait_for_events(heard, SOON);
        assert!(!gone.exists());
    }
    // A link to something of somebody's.
    site.cluster.stop(StopMode::Fast)?;
    fs::remove_file(&note)?;
    fs::write(&elsewhere, "somebody's")?;
    std::os::unix::fs::symlink(&elsewhere, &note)?;
    site.cluster.start_again()?;
    client = site.connect("zentry")?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(heard + 1, SOON);
    assert_eq!(fs::read_to_string(&elsewhere)?, "somebody's");
    assert_eq!(site.logged(log, "was killed or crashed")?, 0);
    assert_eq!(suspended(&mut client)?, None);
    Ok(())
}

#[test]
fn a_filter_that_a_process_is_killed_of_is_switched_off_alone() -> Result<()> {
    let (site, mut client, channel) = start()?;
    client.batch_execute(
        r#"CREATE TABLE public.measurement (id bigint, samples jsonb);
           SELECT zentry_attach('badge_earned', 'public.measurement', '{"samples": "samples"}', operation => 'insert',
             audience => '{"all": true}')"#,
    )?;
    let with_filter = |client: &mut Client, filter: &str| -> Result<Channel> {
        let webhook = site.emulator.register(zentry_e2e::emulator::Kind::Discord);
        let id = register(client, &webhook, None, Some(&["badge_earned"]))?;
        client.execute("SELECT zentry_update_webhook($1, filter => $2)", &[&id, &filter])?;
        Ok(Channel { id, webhook })
    };
    // As long as it may take: that is more time for being killed.
    let mut nested = "@ == 1".to_owned();
    for _ in 0..4 {
        nested = format!("exists($.samples[*] ? ({nested}))");
    }
    let slow = with_filter(&mut client, &nested)?;
    let high = with_filter(&mut client, "exists($.samples[*] ? (@ > 5))")?;
    let note = note_of(&site, &mut client)?;
    let state = "SELECT is_active, switched_off_reason FROM zentry_notify.webhook_integration WHERE id = $1";
    let mut events = 0;
    loop {
        let row = client.query_one(state, &[&slow.id])?;
        if !row.get::<_, bool>(0) {
            let reason: Option<String> = row.get(1);
            assert_eq!(
                reason.as_deref(),
                Some("its filter ran in two processes in a row that were killed or crashed")
            );
            break;
        }
        anyhow::ensure!(events < 50, "it is never switched off");
        events += 1;
        client.batch_execute(
            "INSERT INTO public.measurement SELECT 1, (SELECT jsonb_agg(CASE WHEN i = 1 THEN 9 ELSE 0 END) FROM generate_series(1, 400) i)",
        )?;
        let settled = "SELECT zentry_notify.unrouted_events() = 0";
        let worker = eventually(SOON, "the filter to be evaluated, or to have been", || {
            if let Some(worker) = filters(&site, &note) {
                return Some(Some(worker));
            }
            let row = client.query_one(settled, &[]).ok()?;
            row.get::<_, bool>(0).then_some(None)
        })?;
        if let Some(worker) = worker {
            client = crash(&site, worker)?;
        }
    }
    line_is(
        &mut client,
        &format!("webhook {}", slow.id),
        "broken",
        "switched off since %its filter ran in two processes in a row that were killed or crashed",
    )?;
    // The others, with a filter and without, hear everything.
    for channel in [&high, &channel] {
        wait_for(
            &mut client,
            &format!(
                "SELECT count(DISTINCT event_id) >= {events} FROM zentry_notify.delivery WHERE webhook_integration_id = {} AND status = 's'",
                channel.id
            ),
        )?;
    }
    let remedy: String = client
        .query_one(
            "SELECT remedy FROM zentry_status() WHERE subject = $1",
            &[&format!("webhook {}", slow.id)],
        )?
        .get(0);
    client.batch_execute(&remedy).context(remedy)?;
    client.batch_execute("INSERT INTO public.measurement VALUES (2, '[9]')")?;
    wait_for(
        &mut client,
        &format!(
            "SELECT count(*) > 0 FROM zentry_notify.delivery WHERE webhook_integration_id = {} AND status = 's'",
            slow.id
        ),
    )
}
