//! What is looked up for a table heeds no interrupts, because it is within a function of PostgreSQL's own: neither a cancel nor SIGTERM ends it.
//! Here that function opens a pipe, and waits until the test opens the other end.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use nix::libc::O_NONBLOCK;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use postgres::Client;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::scene::{Channel, Delivery, SOON};
use zentry_e2e::site::{Site, fire, wait_for};
use zentry_e2e::wait::eventually;

/// A pipe that nobody writes to. Who reads it waits until this value is dropped.
pub struct Pipe(PathBuf);

impl Pipe {
    pub fn make(site: &Site, name: &str) -> Result<Self> {
        let path = site.cluster.dir().join(name);
        mkfifo(&path, Mode::from_bits_truncate(0o644))?;
        Ok(Pipe(path))
    }

    /// Puts a file in its place, and lets who waits for the pipe go on, until what follows from that is there.
    pub fn release_until(&self, mut done: impl FnMut() -> bool) -> Result<()> {
        let aside = self.0.with_extension("aside");
        fs::rename(&self.0, &aside)?;
        fs::write(&self.0, "told")?;
        eventually(SOON, "what waits for the pipe to go on", || {
            // An error when nobody does.
            let _ = open(&aside);
            done().then_some(())
        })
    }
}

fn open(pipe: &Path) -> std::io::Result<fs::File> {
    OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(pipe)
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // The end of the file, for who waits; an error when nobody does.
        let _ = open(&self.0);
    }
}

/// Workers that were told to end and have not, and that others have the work of.
fn stuck(client: &mut Client) -> Result<Vec<i32>> {
    let rows = client.query(
        "SELECT pid FROM zentry_notify.stuck_workers() WHERE replaced ORDER BY since",
        &[],
    )?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

pub fn wait_for_stuck(client: &mut Client, count: usize) -> Result<Vec<i32>> {
    eventually(SOON, format!("{count} workers that are stuck"), || {
        stuck(client).ok().filter(|pids| pids.len() == count)
    })
}

fn is_there(client: &mut Client, pid: i32) -> Result<bool> {
    let row = client.query_one(
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE pid = $1",
        &[&pid],
    )?;
    Ok(row.get(0))
}

pub fn start() -> Result<(Site, Client, Channel)> {
    let site = Site::start(ClusterOptions::default().set("max_worker_processes", 16))?;
    let (client, channel) = site.served("zentry")?;
    Ok((site, client, channel))
}

/// A role that may read the server's files, with a table that it has attached: the titles of its tasks are read from files.
pub fn owner(site: &Site, client: &mut Client, name: &str) -> Result<()> {
    client.batch_execute(&format!(
        "CREATE ROLE {name} LOGIN; GRANT pg_read_server_files TO {name}; GRANT EXECUTE ON FUNCTION pg_read_file(text) TO {name}; \
         CREATE SCHEMA {name} AUTHORIZATION {name}; SELECT zentry_grant('{name}', 'manager')"
    ))?;
    site.cluster.connect_as(name, "zentry")?.batch_execute(&format!(
        "CREATE TABLE {name}.task (id bigint, title text, status text); \
         SELECT zentry_attach('task_completed', '{name}.task', \
           '{{\"task_id\": \"id\", \"task_title\": \"CASE WHEN title LIKE ''/%'' THEN pg_catalog.pg_read_file(title) ELSE title END\"}}', \
           operation => 'insert', audience => '{{\"all\": true}}')"
    ))?;
    Ok(())
}

/// A task of the role's whose title is not to be had.
pub fn stick(client: &mut Client, name: &str, pipe: &Pipe) -> Result<()> {
    let path = pipe.0.to_string_lossy();
    client.execute(
        &format!("INSERT INTO {name}.task VALUES (1, $1, 'completed')"),
        &[&path.as_ref()],
    )?;
    Ok(())
}

pub fn line_is(client: &mut Client, subject: &str, state: &str, detail: &str) -> Result<()> {
    wait_for(
        client,
        &format!(
            "SELECT bool_or(s.state = '{state}' AND s.detail LIKE '{detail}') FROM zentry_status() s WHERE s.subject = '{subject}'"
        ),
    )
}

#[test]
fn another_worker_has_the_work_of_one_that_does_not_end() -> Result<()> {
    let (site, mut client, channel) = start()?;
    owner(&site, &mut client, "mallory")?;
    let pipe = Pipe::make(&site, "pipe")?;
    let log = site.cluster.log_end()?;
    stick(&mut client, "mallory", &pipe)?;
    fire(&mut client)?;
    // The one of before, hers, and the other.
    channel.webhook.wait_for_events(3, SOON);
    let pid = wait_for_stuck(&mut client, 1)?[0];
    assert!(is_there(&mut client, pid)?);
    line_is(
        &mut client,
        "event task_completed",
        "broken",
        "mallory.task, suspended since %goes on when it is cancelled",
    )?;
    line_is(
        &mut client,
        "stuck worker",
        "attention",
        &format!("pid {pid} does not end, since %Another one has its work%"),
    )?;
    line_is(&mut client, "worker", "ok", "pid %")?;
    let worker: i32 = client
        .query_one(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'zentry_notify worker' AND pid <> $1",
            &[&pid],
        )?
        .get(0);
    let database: u32 = client
        .query_one(
            "SELECT oid FROM pg_database WHERE datname = current_database()",
            &[],
        )?
        .get(0);
    assert_eq!(
        site.logged(
            log,
            &format!("the worker of database {database} (pid {pid}) does not end")
        )?,
        1
    );
    // It is left to itself, also by who knows no better.
    client.execute("SELECT pg_terminate_backend($1)", &[&pid])?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(4, SOON);
    assert!(is_there(&mut client, pid)?);

    drop(pipe);
    eventually(SOON, "the stuck worker to end", || {
        is_there(&mut client, pid).is_ok_and(|there| !there).then_some(())
    })?;
    wait_for_stuck(&mut client, 0)?;
    // It leaves nothing behind, and takes nothing with it.
    fire(&mut client)?;
    channel.webhook.wait_for_events(5, SOON);
    Delivery::settle(&mut client)?;
    assert_eq!(channel.webhook.event_count(), 5);
    line_is(&mut client, "worker", "ok", &format!("pid {worker}, since %"))?;
    line_is(
        &mut client,
        "event task_completed",
        "broken",
        "mallory.task, suspended since %",
    )?;
    let told: i64 = client
        .query_one(
            "SELECT count(*) FROM zentry_status() WHERE subject = 'stuck worker'",
            &[],
        )?
        .get(0);
    assert_eq!(told, 0);
    assert_eq!(site.logged(log, "died, starting it again")?, 0);
    Ok(())
}

/// There are never many of them: then the next one keeps its place until one has ended.
#[test]
fn few_workers_are_left_to_themselves() -> Result<()> {
    const MOST: usize = 3;
    let (site, mut client, channel) = start()?;
    let names: Vec<String> = (0..=MOST).map(|number| format!("mallory_{number}")).collect();
    let mut pipes = Vec::new();
    for name in &names {
        owner(&site, &mut client, name)?;
        pipes.push(Pipe::make(&site, name)?);
    }
    for (place, name) in names.iter().enumerate() {
        stick(&mut client, name, &pipes[place])?;
        if place < MOST {
            wait_for_stuck(&mut client, place + 1)?;
            // What is sent and not written down when a worker is replaced is sent again.
            wait_for(
                &mut client,
                &format!(
                    "SELECT count(*) = {} FROM zentry_notify.logs WHERE status = 'sent'",
                    2 + place
                ),
            )?;
        }
    }
    line_is(
        &mut client,
        "worker",
        "broken",
        "pid % does not end, since %none takes its place until one of them has ended",
    )?;
    let before = wait_for_stuck(&mut client, MOST)?;
    fire(&mut client)?;
    drop(pipes.remove(0));
    // Its place goes to the last one, which another one has the work of from then on.
    channel.webhook.wait_for_events(1 + names.len() as u64 + 1, SOON);
    let now = wait_for_stuck(&mut client, MOST)?;
    assert!(
        now[..MOST - 1] == before[1..] && now[MOST - 1] != before[0],
        "{before:?} {now:?}"
    );
    drop(pipes);
    wait_for_stuck(&mut client, 0)?;
    fire(&mut client)?;
    channel.webhook.wait_for_events(1 + names.len() as u64 + 2, SOON);
    Delivery::settle(&mut client)?;
    assert_eq!(channel.webhook.event_count(), 1 + names.len() as u64 + 2);
    Ok(())
}
