//! Ways to write, and to rewrite tables, that newer versions of PostgreSQL have. On an older one there is nothing to test.

use postgres::Client;
use serde_json::Value;
use zentry_e2e::cluster::Stage;
use zentry_e2e::emulator::{Behaviour, Kind, Limits};
use zentry_e2e::scene::{Channel, Scene};
use zentry_e2e::zentry;

/// A database, if PostgreSQL is new enough, and a channel that hears of completed tasks.
fn from(major: u32) -> Option<(Scene, Channel)> {
    if Stage::get().unwrap().major() < major {
        return None;
    }
    let mut scene = Scene::start().unwrap();
    let channel = scene
        .channel_for(Kind::Discord, None, Some(&["task_completed"]))
        .unwrap();
    channel.webhook.limit(Limits::default());
    Some((scene, channel))
}

/// The values of a key in what was sent, once everything is.
fn sent(scene: &mut Scene, key: &str) -> Vec<Value> {
    let deliveries = scene.settle().unwrap();
    assert_eq!(scene.emulator.complaints(), [] as [&str; 0]);
    deliveries
        .iter()
        .inspect(|delivery| assert_eq!(delivery.status, "sent", "{delivery:?}"))
        .map(|delivery| delivery.payload[key].clone())
        .collect()
}

const NEW_TASK: &str = "(id, title, description, status, priority, emoji, experience_reward, created_at, updated_at, created_by_id, project_id)";

fn strings(client: &mut Client, sql: &str) -> Vec<String> {
    client
        .query(sql, &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect()
}

#[test]
fn merge_that_returns_and_that_looks_for_what_the_source_lacks() {
    let Some((mut scene, _)) = from(17) else { return };
    let done = strings(
        &mut scene.client,
        &format!(
            "WITH merged AS (
                 MERGE INTO tasks_task t USING (VALUES (1), (2), (701)) AS s (id) ON t.id = s.id
                 WHEN MATCHED THEN UPDATE SET status = 'completed'
                 WHEN NOT MATCHED BY TARGET THEN INSERT {NEW_TASK}
                      VALUES (s.id, 'Merged', '', 'completed', 'low', '', 1, now(), now(), 1, 1)
                 WHEN NOT MATCHED BY SOURCE AND t.id = 3 THEN UPDATE SET status = 'completed'
                 RETURNING merge_action() AS action, t.id)
             SELECT action || ' ' || id FROM merged ORDER BY id"
        ),
    );
    assert_eq!(done, ["UPDATE 1", "UPDATE 2", "UPDATE 3", "INSERT 701"]);
    // 1 was completed before.
    let mut ids: Vec<_> = sent(&mut scene, "task_id")
        .iter()
        .map(|id| id.as_i64().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, [2, 3, 701]);
}

#[test]
fn old_and_new_rows_that_are_returned() {
    let Some((mut scene, _)) = from(18) else { return };
    let done = strings(
        &mut scene.client,
        "UPDATE tasks_task SET status = 'completed' WHERE id IN (1, 2) RETURNING old.status || ' ' || new.status",
    );
    assert_eq!(done.len(), 2);
    assert_eq!(sent(&mut scene, "task_id"), [2]);
}

/// A key without overlaps and one that refers to a period: what keeps them is a trigger and an index like any other.
#[test]
fn temporal_keys() {
    let Some((mut scene, _)) = from(18) else { return };
    scene
        .client
        .batch_execute(
            "CREATE EXTENSION btree_gist;
             ALTER TABLE tasks_project ADD valid daterange NOT NULL DEFAULT '[2020-01-01,)', ADD UNIQUE (id, valid WITHOUT OVERLAPS);
             ALTER TABLE tasks_task ADD valid daterange NOT NULL DEFAULT '[2024-01-01,)', ADD UNIQUE (id, valid WITHOUT OVERLAPS),
                 ADD FOREIGN KEY (project_id, PERIOD valid) REFERENCES tasks_project (id, PERIOD valid)",
        )
        .unwrap();
    let refused = scene
        .client
        .batch_execute("UPDATE tasks_task SET status = 'completed', valid = '[2019-01-01,)' WHERE id = 2")
        .unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "23503", "{refused:?}");
    scene
        .client
        .batch_execute(
            "UPDATE tasks_task SET status = 'completed', valid = '[2025-01-01,)' WHERE id = 2;
             UPDATE tasks_project SET valid = '[2021-01-01,)' WHERE id = 1",
        )
        .unwrap();
    assert_eq!(sent(&mut scene, "project_name"), ["Website Relaunch"]);
}

/// Such a column is in no row that a trigger is given: it is refused, by itself and within an expression, and its own expression is not.
#[test]
fn virtual_generated_columns_are_refused() {
    let Some((mut scene, _)) = from(18) else { return };
    scene
        .client
        .batch_execute("ALTER TABLE tasks_task ADD shouted text GENERATED ALWAYS AS (upper(title)) VIRTUAL")
        .unwrap();
    let attach = |title: &str| {
        format!("SELECT zentry_attach('task_completed', 'tasks_task', '{{\"task_title\": \"{title}\"}}')")
    };
    for title in ["shouted", "shouted || '!'"] {
        let sql = attach(&title.replace('\'', "''"));
        let refused = scene.client.batch_execute(&sql).unwrap_err();
        let refused = refused.as_db_error().unwrap();
        assert_eq!(refused.code().code(), "0A000", "{title}: {refused:?}");
        assert_eq!(
            refused.message(),
            "column \"shouted\" of table public.tasks_task is a virtual generated column, which a trigger cannot see"
        );
        assert_eq!(
            refused.hint(),
            Some("Make it STORED, or give the expression that it is generated by.")
        );
    }
    scene.client.batch_execute(&attach("upper(title)")).unwrap();
    scene
        .client
        .batch_execute("UPDATE tasks_task SET status = 'completed' WHERE id = 2")
        .unwrap();
    assert_eq!(sent(&mut scene, "task_title"), ["WRITE THE LANDING PAGE"]);
}

/// No event is told with a null that nobody wrote.
#[test]
fn a_column_that_becomes_a_virtual_one_suspends_its_source() {
    let Some((mut scene, _)) = from(18) else { return };
    scene
        .client
        .batch_execute(
            "ALTER TABLE tasks_task DROP title, ADD title text GENERATED ALWAYS AS (upper(description)) VIRTUAL;
             UPDATE tasks_task SET status = 'completed' WHERE id = 2",
        )
        .unwrap();
    let reason = strings(
        &mut scene.client,
        "SELECT suspended_reason FROM zentry_notify.event_source WHERE event_type = 'task_completed'",
    );
    assert!(reason[0].contains("is a virtual generated column"), "{reason:?}");
    assert_eq!(sent(&mut scene, "task_title"), [] as [&str; 0]);
}

/// PostgreSQL computes them in a trigger's WHEN, and so do we where we ask it ourselves: of a row that has moved to another partition.
#[test]
fn virtual_generated_columns_in_a_condition() {
    let Some((mut scene, _)) = from(18) else { return };
    scene
        .client
        .batch_execute(
            "CREATE TABLE public.chore (id integer, points integer, worth integer GENERATED ALWAYS AS (points * 2) VIRTUAL, shelf integer)
                 PARTITION BY LIST (shelf);
             CREATE TABLE public.chore_1 PARTITION OF public.chore FOR VALUES IN (1);
             CREATE TABLE public.chore_2 PARTITION OF public.chore FOR VALUES IN (2);
             SELECT zentry_attach('task_completed', 'public.chore', '{\"task_id\": \"id\"}', operation => 'update',
                                  condition => 'NEW.worth > 10 AND OLD.worth <= 10');
             INSERT INTO public.chore VALUES (1, 1, DEFAULT, 1), (2, 1, DEFAULT, 1), (3, 1, DEFAULT, 1), (4, 9, DEFAULT, 1);
             UPDATE public.chore SET points = 6 WHERE id = 1;
             UPDATE public.chore SET points = 5 WHERE id = 2;
             UPDATE public.chore SET points = 6, shelf = 2 WHERE id = 3;
             UPDATE public.chore SET points = 8, shelf = 2 WHERE id = 4",
        )
        .unwrap();
    assert_eq!(sent(&mut scene, "task_id"), [1, 3]);
}

/// It fires BEFORE INSERT triggers alone where the row is there.
#[test]
fn insert_on_conflict_do_select() {
    let Some((mut scene, _)) = from(19) else { return };
    let selected = strings(
        &mut scene.client,
        &format!(
            "INSERT INTO tasks_task {NEW_TASK} VALUES
                 (2, 'A', '', 'completed', 'low', '', 1, now(), now(), 1, 1), (700, 'B', '', 'completed', 'low', '', 1, now(), now(), 1, 1)
             ON CONFLICT (id) DO SELECT FOR UPDATE RETURNING status"
        ),
    );
    assert_eq!(selected, ["in_progress", "completed"]);
    assert_eq!(sent(&mut scene, "task_id"), [700]);
}

/// All tables of a schema that can be repacked while others write.
fn repack(client: &mut Client, schema: &str) {
    let tables = strings(
        client,
        &format!(
            "SELECT format('%I.%I', relnamespace::regnamespace, c.relname) FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid
              WHERE c.relkind = 'r' AND relnamespace = '{schema}'::regnamespace AND i.indisprimary ORDER BY 1"
        ),
    );
    assert!(tables.len() > 3, "{tables:?}");
    for table in tables {
        client
            .batch_execute(&format!("REPACK (CONCURRENTLY) {table}"))
            .unwrap_or_else(|error| panic!("{table}: {error:?}"));
    }
}

/// It fires nothing, and gives every row a new xmin: what waits is sent once all the same.
#[test]
fn repack_concurrently() {
    let Some((mut scene, channel)) = from(19) else {
        return;
    };
    channel.webhook.always(Behaviour::Status(503));
    let mut client = scene.database.connect().unwrap();
    zentry::complete_task(&mut client, 2, jiff::Timestamp::now()).unwrap();
    scene
        .wait_until("the first try to fail", |all| {
            all.iter().any(|delivery| delivery.status == "retry")
        })
        .unwrap();
    repack(&mut client, "zentry_notify");
    zentry::complete_task(&mut client, 3, jiff::Timestamp::now()).unwrap();
    repack(&mut client, "public");
    repack(&mut client, "zentry_notify");
    channel.webhook.recover();
    zentry::complete_task(&mut client, 4, jiff::Timestamp::now()).unwrap();
    assert_eq!(sent(&mut scene, "task_id"), [2, 3, 4]);
    assert_eq!(channel.webhook.event_count(), 3);
}
