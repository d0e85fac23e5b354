//! A table of somebody else's that ends who plans a statement on it: it is left out by itself, and nobody's source is suspended for it.

use std::fs;

use anyhow::{Context, Result};
use postgres::Client;
use zentry_e2e::scene::{Delivery, SOON};
use zentry_e2e::site::{Site, fire, wait_for};

use crate::crashes::suspended;
use crate::stuck::{Pipe, line_is, start, wait_for_stuck};

/// In a database where a function of PostgreSQL's own that reads files is declared to give the same at all times, so that it is called when a
/// statement is planned: a table of hers whose index has a predicate that reads one.
fn predicate(site: &Site, client: &mut Client, table: &str) -> Result<()> {
    let path = site.cluster.dir().join("predicate");
    fs::write(&path, "")?;
    let path = path.to_string_lossy();
    client.batch_execute(
        "UPDATE pg_proc SET provolatile = 'i' WHERE oid = 'pg_read_file(text)'::regprocedure; \
         CREATE ROLE mallory LOGIN; GRANT pg_read_server_files TO mallory; GRANT EXECUTE ON FUNCTION pg_read_file(text) TO mallory; \
         CREATE SCHEMA mallory AUTHORIZATION mallory; GRANT USAGE ON SCHEMA mallory TO PUBLIC",
    )?;
    client.batch_execute(table)?;
    client.batch_execute(&format!(
        "SET ROLE mallory; CREATE INDEX planned ON mallory.bait (id) WHERE pg_read_file('{path}') IS NULL; RESET ROLE"
    ))?;
    Ok(())
}

/// From now on, who plans a statement on that table waits.
fn bait(site: &Site) -> Result<Pipe> {
    fs::remove_file(site.cluster.dir().join("predicate"))?;
    Pipe::make(site, "predicate")
}

/// Whoever owns a table that is looked into: that look-up is left out, and nobody's source.
#[test]
fn a_table_that_cannot_be_planned_is_left_out_alone() -> Result<()> {
    let (site, mut client, channel) = start()?;
    predicate(
        &site,
        &mut client,
        "CREATE TABLE mallory.bait (id bigint, username text) WITH (autovacuum_enabled = off); INSERT INTO mallory.bait SELECT i, 'x' FROM generate_series(1, 100) i; \
         ALTER TABLE mallory.bait OWNER TO mallory",
    )?;
    client.batch_execute(
        r#"SELECT zentry_attach('task_completed', 'tasks_task',
             '{"task_title": "title", "loud": "upper(title)",
               "user_name": {"from": "mallory.bait", "match": "id", "key": "assigned_to_id", "column": "username"},
               "project_name": {"from": "tasks_project", "match": "id", "key": "project_id", "column": "name"}}',
             audience => '{"all": true}')"#,
    )?;
    let pipe = bait(&site)?;
    client.batch_execute("UPDATE tasks_task SET status = 'completed' WHERE id = (SELECT min(id) FROM tasks_task WHERE status <> 'completed')")?;
    wait_for_stuck(&mut client, 1)?;
    let deliveries = Delivery::wait_until(&mut client, "the task to be told", |all| {
        all.iter()
            .any(|delivery| delivery.event_type == "task_completed" && delivery.status == "sent")
    })?;
    let told = deliveries
        .iter()
        .find(|delivery| delivery.event_type == "task_completed")
        .context("it is there")?;
    for key in ["task_title", "loud", "project_name"] {
        assert!(told.payload[key].is_string(), "{key}: {told:#?}");
    }
    assert!(told.payload["user_name"].is_null(), "{told:#?}");
    assert_eq!(suspended(&mut client)?, None);
    line_is(
        &mut client,
        "event task_completed",
        "attention",
        "%left out, with null in its place: mallory.bait is left out for an hour: reading a table of its owner has ended a worker%",
    )?;
    drop(pipe);
    fire(&mut client)?;
    channel.webhook.wait_for_events(3, SOON);
    Ok(())
}

/// The same of a partition, whose table's rows are counted.
#[test]
fn a_partition_that_cannot_be_planned_stops_no_milestones() -> Result<()> {
    let (site, mut client, channel) = start()?;
    predicate(
        &site,
        &mut client,
        "CREATE TABLE public.work (id bigint, project_id bigint, status text) PARTITION BY RANGE (id); \
         CREATE TABLE public.ours PARTITION OF public.work FOR VALUES FROM (0) TO (100); \
         CREATE TABLE mallory.bait PARTITION OF public.work FOR VALUES FROM (100) TO (200) WITH (autovacuum_enabled = off); \
         INSERT INTO public.work SELECT i, 7, 'todo' FROM generate_series(1, 4) i; \
         ALTER TABLE mallory.bait OWNER TO mallory",
    )?;
    client.batch_execute(
        r#"SELECT zentry_attach('milestone_reached', 'public.work', '{"project_id": "project_id"}', audience => '{"all": true}')"#,
    )?;
    let pipe = bait(&site)?;
    client.batch_execute("UPDATE public.ours SET status = 'completed' WHERE id <= 2")?;
    wait_for_stuck(&mut client, 1)?;
    wait_for(
        &mut client,
        "SELECT count(*) = 2 FROM zentry_notify.logs WHERE event_type = 'milestone_reached' AND status = 'sent'",
    )?;
    assert_eq!(suspended(&mut client)?, None);
    drop(pipe);
    fire(&mut client)?;
    channel.webhook.wait_for_events(4, SOON);
    Ok(())
}
