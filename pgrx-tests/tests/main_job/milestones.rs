//! Milestones: which, when, and once.

use postgres::Client;
use serde_json::Value;
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry::{self, id};

use crate::support::{assert_clean, listener, sent, values};

/// A project with this many open tasks; the tasks.
pub fn project(client: &mut Client, tasks: i32) -> (i64, Vec<i64>) {
    let project = zentry::create_project(client, "Atlas", "", id::ADA, &[]).unwrap();
    (
        project,
        zentry::bulk_create_tasks(client, project, id::ADA, tasks).unwrap(),
    )
}

/// Milestone and progress of each event so far.
pub fn reached(scene: &mut Scene) -> Vec<(u64, u64)> {
    sent(scene, "milestone_reached")
        .iter()
        .map(|payload| {
            let name = payload["milestone_name"].as_str().unwrap();
            let milestone = name.strip_suffix("% Project Completion").unwrap();
            (milestone.parse().unwrap(), payload["progress"].as_u64().unwrap())
        })
        .collect()
}

#[test]
fn each_as_the_project_gets_there() {
    let mut scene = Scene::start().unwrap();
    let channel = listener(&mut scene, "milestone_reached");
    let (_, tasks) = project(&mut scene.client, 8);
    let mut after = Vec::new();
    for task in tasks {
        zentry::bulk_complete(&mut scene.client, &[task]).unwrap();
        after.push(reached(&mut scene).len());
    }
    assert_eq!(after, [0, 1, 1, 2, 2, 3, 3, 4]);
    assert_eq!(reached(&mut scene), [(25, 25), (50, 50), (75, 75), (100, 100)]);
    assert_eq!(channel.webhook.event_count(), 4);
    assert_clean(&scene);
}

#[test]
fn a_project_that_could_not_be_counted_is_counted_again_without_another_event() {
    const NOTED: &str = "SELECT count(*) FROM zentry_notify.progress_note";
    const QUEUED: &str =
        "SELECT count(*) FROM pg_locks WHERE relation = 'tasks_task'::regclass AND NOT granted";
    let mut scene = Scene::start().unwrap();
    let channel = listener(&mut scene, "milestone_reached");
    let (_, tasks) = project(&mut scene.client, 4);
    assert_eq!(reached(&mut scene), []);
    let ask = |sql: &'static str, client: &mut Client| {
        eventually(SOON, sql, || {
            let count: i64 = client.query_one(sql, &[]).ok()?.get(0);
            (count > 0).then_some(())
        })
        .unwrap();
    };
    // The lock is there before the worker is: who asks for it stands in line first.
    let mut locker = scene.database.connect().unwrap();
    scene.client.batch_execute("BEGIN").unwrap();
    zentry::bulk_complete(&mut scene.client, &tasks[..2]).unwrap();
    let locker = std::thread::spawn(move || {
        let locked = locker.batch_execute("BEGIN; LOCK TABLE tasks_task IN ACCESS EXCLUSIVE MODE");
        locked.map(|()| locker)
    });
    let mut other = scene.database.connect().unwrap();
    ask(QUEUED, &mut other);
    scene.client.batch_execute("COMMIT").unwrap();
    let mut locker = locker.join().unwrap().unwrap();
    ask(NOTED, &mut other);
    assert_eq!(channel.webhook.event_count(), 0);
    locker.batch_execute("ROLLBACK").unwrap();
    assert_eq!(reached(&mut scene), [(25, 50), (50, 50)]);
    assert_eq!(channel.webhook.event_count(), 2);
}

#[test]
fn several_in_one_statement() {
    let mut scene = Scene::start().unwrap();
    listener(&mut scene, "milestone_reached");
    let (_, tasks) = project(&mut scene.client, 100);
    zentry::bulk_complete(&mut scene.client, &tasks[..79]).unwrap();
    assert_eq!(reached(&mut scene), [(25, 79), (50, 79), (75, 79)]);
    zentry::bulk_complete(&mut scene.client, &tasks).unwrap();
    assert_eq!(reached(&mut scene)[3..], [(100, 100)]);
    assert_clean(&scene);
}

/// Per cent are rounded down: 100 means all.
#[test]
fn all_but_one_is_not_all() {
    let mut scene = Scene::start().unwrap();
    listener(&mut scene, "milestone_reached");
    let (_, tasks) = project(&mut scene.client, 1000);
    zentry::bulk_complete(&mut scene.client, &tasks[1..]).unwrap();
    assert_eq!(reached(&mut scene), [(25, 99), (50, 99), (75, 99)]);
}

#[test]
fn projects_of_one_statement_are_counted_apart() {
    let mut scene = Scene::start().unwrap();
    listener(&mut scene, "milestone_reached");
    let (one, mut tasks) = project(&mut scene.client, 4);
    let (two, others) = project(&mut scene.client, 4);
    tasks.truncate(1);
    tasks.extend(&others[..2]);
    zentry::bulk_complete(&mut scene.client, &tasks).unwrap();
    let fired = sent(&mut scene, "milestone_reached");
    let of = |project: i64| -> Vec<&Value> {
        fired
            .iter()
            .filter(|payload| payload["project_id"] == project)
            .map(|payload| &payload["progress"])
            .collect()
    };
    assert_eq!(
        (of(one), of(two)),
        (vec![&Value::from(25)], vec![&Value::from(50); 2])
    );
}

#[test]
fn not_again_after_falling_back() {
    let mut scene = Scene::start().unwrap();
    listener(&mut scene, "milestone_reached");
    let (project, tasks) = project(&mut scene.client, 4);
    zentry::bulk_complete(&mut scene.client, &tasks[..2]).unwrap();
    assert_eq!(reached(&mut scene), [(25, 50), (50, 50)]);
    let reopen = "UPDATE tasks_task SET status = 'todo' WHERE project_id = $1";
    scene.client.execute(reopen, &[&project]).unwrap();
    zentry::bulk_complete(&mut scene.client, &tasks[..1]).unwrap();
    zentry::bulk_complete(&mut scene.client, &tasks[..2]).unwrap();
    assert_eq!(reached(&mut scene).len(), 2);
    // More open tasks, then beyond where it was.
    zentry::bulk_create_tasks(&mut scene.client, project, id::ADA, 4).unwrap();
    zentry::bulk_complete(&mut scene.client, &tasks).unwrap();
    assert_eq!(reached(&mut scene).len(), 2);
    let finish = "UPDATE tasks_task SET status = 'completed' WHERE project_id = $1";
    scene.client.execute(finish, &[&project]).unwrap();
    assert_eq!(reached(&mut scene)[2..], [(75, 100), (100, 100)]);
}

/// Five of nine were completed before the extension came.
#[test]
fn what_was_passed_before_the_extension_came_is_not_told() {
    let mut scene = Scene::empty().unwrap();
    zentry::load(&mut scene.client).unwrap();
    zentry::bulk_complete(&mut scene.client, &[2, 3, 4, 5]).unwrap();
    scene.install().unwrap();
    let channel = listener(&mut scene, "milestone_reached");
    zentry::bulk_complete(&mut scene.client, &[6]).unwrap();
    assert_eq!(reached(&mut scene), []);
    zentry::bulk_complete(&mut scene.client, &[7]).unwrap();
    assert_eq!(reached(&mut scene), [(75, 77)]);
    assert_eq!(channel.webhook.event_count(), 1);
    assert_clean(&scene);
}

#[test]
fn what_was_passed_while_nobody_listened_is_not_told() {
    let mut scene = Scene::start().unwrap();
    let (_, tasks) = project(&mut scene.client, 10);
    zentry::bulk_complete(&mut scene.client, &tasks[..6]).unwrap();
    listener(&mut scene, "milestone_reached");
    zentry::bulk_complete(&mut scene.client, &tasks[..7]).unwrap();
    assert_eq!(reached(&mut scene), []);
    zentry::bulk_complete(&mut scene.client, &tasks[..8]).unwrap();
    assert_eq!(reached(&mut scene), [(75, 80)]);
}

/// Heard at 20 %, not heard from there to 60 %, heard again.
#[test]
fn what_was_passed_while_the_listener_was_off_is_not_told() {
    let mut scene = Scene::start().unwrap();
    let channel = listener(&mut scene, "milestone_reached");
    let (_, tasks) = project(&mut scene.client, 10);
    zentry::bulk_complete(&mut scene.client, &tasks[..2]).unwrap();
    assert_eq!(reached(&mut scene), []);
    let set = "SELECT zentry_update_webhook($1, is_active => $2)";
    scene.client.execute(set, &[&channel.id, &false]).unwrap();
    zentry::bulk_complete(&mut scene.client, &tasks[..6]).unwrap();
    scene.client.execute(set, &[&channel.id, &true]).unwrap();
    zentry::bulk_complete(&mut scene.client, &tasks[..7]).unwrap();
    assert_eq!(reached(&mut scene), []);
    zentry::bulk_complete(&mut scene.client, &tasks[..8]).unwrap();
    assert_eq!(reached(&mut scene), [(75, 80)]);
}

#[test]
fn deleting_open_tasks_raises_the_share() {
    let mut scene = Scene::start().unwrap();
    listener(&mut scene, "milestone_reached");
    let (_, tasks) = project(&mut scene.client, 10);
    zentry::bulk_complete(&mut scene.client, &tasks[..2]).unwrap();
    let delete = "DELETE FROM tasks_task WHERE id = ANY ($1)";
    scene.client.execute(delete, &[&&tasks[2..4]]).unwrap();
    assert_eq!(reached(&mut scene), [(25, 25)]);
    // A completed one lowers it.
    scene.client.execute(delete, &[&&tasks[..1]]).unwrap();
    assert_eq!(reached(&mut scene).len(), 1);
    scene.client.execute(delete, &[&&tasks[4..]]).unwrap();
    assert_eq!(reached(&mut scene)[1..], [(50, 100), (75, 100), (100, 100)]);
    // Nothing left is nothing reached.
    scene.client.execute(delete, &[&tasks]).unwrap();
    assert_eq!(reached(&mut scene).len(), 4);
}

#[test]
fn tasks_that_are_inserted_as_completed_or_move_raise_the_share() {
    let mut scene = Scene::start().unwrap();
    listener(&mut scene, "milestone_reached");
    let (one, tasks) = project(&mut scene.client, 4);
    scene
        .client
        .execute(
            "INSERT INTO tasks_task SELECT (jsonb_populate_record(t, jsonb_build_object('id', 900 + n, 'project_id', $1::bigint))).* \
             FROM tasks_task t, generate_series(1, 4) n WHERE t.id = 1",
            &[&one],
        )
        .unwrap();
    assert_eq!(reached(&mut scene), [(25, 50), (50, 50)]);
    // An open one moves away: 4 of 7 at first, then 4 of 5.
    let moved = "UPDATE tasks_task SET project_id = 1 WHERE id = ANY ($1)";
    scene.client.execute(moved, &[&&tasks[..1]]).unwrap();
    assert_eq!(reached(&mut scene).len(), 2);
    scene.client.execute(moved, &[&&tasks[..3]]).unwrap();
    assert_eq!(reached(&mut scene)[2..], [(75, 80)]);
    // Completed ones move to the relaunch: 1 of 12, then 4 of 15.
    let moved = "UPDATE tasks_task SET project_id = 1 WHERE id BETWEEN 901 AND 903";
    scene.client.batch_execute(moved).unwrap();
    assert_eq!(reached(&mut scene)[3..], [(25, 26)]);
}

/// Two triggers fire for it, and it counts once: 1 of 3 tasks was completed before, so that 25 % is no news.
#[test]
fn a_task_that_moves_and_is_completed_counts_once() {
    let mut scene = Scene::start().unwrap();
    let (one, tasks) = project(&mut scene.client, 3);
    zentry::bulk_complete(&mut scene.client, &tasks[..1]).unwrap();
    listener(&mut scene, "milestone_reached");
    scene
        .client
        .execute(
            "UPDATE tasks_task SET project_id = $1, status = 'completed' WHERE id = 2",
            &[&one],
        )
        .unwrap();
    assert_eq!(reached(&mut scene), [(50, 50)]);
}

/// With other milestones than the default, set before a worker starts.
pub fn with_milestones(milestones: &str) -> Scene {
    let mut scene = Scene::empty().unwrap();
    scene
        .database
        .set("zentry_notify.milestones", milestones)
        .unwrap();
    zentry::load(&mut scene.client).unwrap();
    scene.install().unwrap();
    scene
}

#[test]
fn the_setting_names_them() {
    let mut scene = with_milestones("90, 10,33");
    listener(&mut scene, "milestone_reached");
    let (_, tasks) = project(&mut scene.client, 10);
    for task in tasks {
        zentry::bulk_complete(&mut scene.client, &[task]).unwrap();
        scene.settle().unwrap();
    }
    assert_eq!(reached(&mut scene), [(10, 10), (33, 40), (90, 90)]);
}

#[test]
fn no_milestones_at_all() {
    let mut scene = with_milestones("");
    listener(&mut scene, "milestone_reached");
    let (_, tasks) = project(&mut scene.client, 10);
    zentry::bulk_complete(&mut scene.client, &tasks).unwrap();
    assert_eq!(reached(&mut scene), []);
}

#[test]
fn two_channels_hear_the_same_milestone() {
    let mut scene = Scene::start().unwrap();
    let channels = [(); 2].map(|()| listener(&mut scene, "milestone_reached"));
    zentry::bulk_complete(&mut scene.client, &[2, 3]).unwrap();
    let fired = sent(&mut scene, "milestone_reached");
    assert_eq!(values(&fired, "milestone_name"), ["25% Project Completion"; 2]);
    assert!(channels.iter().all(|channel| channel.webhook.event_count() == 1));
}
