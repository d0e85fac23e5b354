//! Statements that write many rows: one event a row.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use zentry_e2e::scene::Scene;
use zentry_e2e::zentry::{self, Task, id};

use crate::support::{assert_clean, listener, sent, values};

fn distinct(values: Vec<Value>) -> BTreeSet<i64> {
    let count = values.len();
    let distinct: BTreeSet<i64> = values.iter().filter_map(Value::as_i64).collect();
    assert_eq!(
        distinct.len(),
        count,
        "some occur twice, or are no numbers: {values:?}"
    );
    distinct
}

#[test]
fn an_update_of_many_tasks() {
    let mut scene = Scene::start().unwrap();
    let channel = listener(&mut scene, "task_completed");
    let tasks = zentry::bulk_create_tasks(&mut scene.client, id::MOBILE_APP, id::BRUNO, 300).unwrap();
    assert_eq!(zentry::bulk_complete(&mut scene.client, &tasks).unwrap(), 300);
    assert_eq!(zentry::bulk_complete(&mut scene.client, &tasks).unwrap(), 300);
    let payloads = sent(&mut scene, "task_completed");
    assert_eq!(
        distinct(values(&payloads, "task_id")),
        tasks.into_iter().collect()
    );
    assert_eq!(channel.webhook.event_count(), 300);
    assert!(channel.webhook.requests() < 300, "none of them left together");
    assert_clean(&scene);
}

/// `bulk_update` gives each row its own value in one statement.
#[test]
fn an_update_that_completes_some_of_its_rows() {
    let mut scene = Scene::start().unwrap();
    let channel = listener(&mut scene, "task_completed");
    scene
        .client
        .batch_execute(
            "UPDATE tasks_task SET status = CASE id WHEN 1 THEN 'completed' WHEN 2 THEN 'completed' WHEN 3 THEN 'in_progress' \
             WHEN 4 THEN 'completed' WHEN 5 THEN 'todo' END::varchar(20) WHERE id IN (1, 2, 3, 4, 5)",
        )
        .unwrap();
    let payloads = sent(&mut scene, "task_completed");
    assert_eq!(distinct(values(&payloads, "task_id")), BTreeSet::from([2, 4]));
    assert_eq!(channel.webhook.event_count(), 2);
    assert_clean(&scene);
}

/// `bulk_create`: completed ones among others, with and without an assignee.
#[test]
fn an_insert_of_many_tasks() {
    let mut scene = Scene::start().unwrap();
    listener(&mut scene, "task_completed");
    scene
        .client
        .batch_execute(
            "INSERT INTO tasks_task (id, title, description, status, priority, emoji, experience_reward, completed_at, created_at, updated_at, \
                                     assigned_to_id, created_by_id, project_id) VALUES \
             (501, 'One', '', 'completed', 'low', '', 10, '2024-03-01T00:00:00+02', now(), now(), 3, 1, 1), \
             (502, 'Two', '', 'todo', 'low', '', 10, NULL, now(), now(), 3, 1, 1), \
             (503, 'Three', '', 'completed', 'low', '', 0, NULL, now(), now(), NULL, 1, 2)",
        )
        .unwrap();
    let payloads = sent(&mut scene, "task_completed");
    assert_eq!(
        payloads,
        [
            json!({"task_id": 501, "task_title": "One", "task_description": "", "user_name": "chen", "user_id": 3,
                   "project_name": "Website Relaunch", "project_id": 1, "points": 10, "completed_at": "2024-02-29T22:00:00Z"}),
            json!({"task_id": 503, "task_title": "Three", "task_description": "", "user_name": null, "user_id": null,
                   "project_name": "Mobile App", "project_id": 2, "points": 0, "completed_at": null}),
        ]
    );
    assert_clean(&scene);
}

#[test]
fn a_task_that_is_inserted_as_completed() {
    let mut scene = Scene::start().unwrap();
    listener(&mut scene, "task_completed");
    let task = Task::get(&mut scene.client, 1).unwrap();
    Task { id: 1000, ..task }.insert(&mut scene.client).unwrap();
    let payloads = sent(&mut scene, "task_completed");
    assert_eq!(values(&payloads, "task_id"), [1000]);
    assert_eq!(values(&payloads, "completed_at"), ["2024-01-10T15:20:00Z"]);
}

#[test]
fn badges_streaks_and_projects_in_bulk() {
    let mut scene = Scene::start().unwrap();
    for event_type in ["badge_earned", "daily_streak", "project_created"] {
        listener(&mut scene, event_type);
    }
    scene
        .client
        .batch_execute(
            "INSERT INTO achievements_userbadge (user_id, badge_id, earned_at) SELECT id, 3, now() FROM users_user; \
             UPDATE users_user SET current_streak = CASE WHEN id = 2 THEN 1 ELSE current_streak + 1 END; \
             INSERT INTO tasks_project (name, description, emoji, created_by_id, created_at, updated_at) \
             SELECT 'Project ' || n, '', '', 1, now(), now() FROM generate_series(1, 20) n",
        )
        .unwrap();
    assert_eq!(
        distinct(values(&sent(&mut scene, "badge_earned"), "user_id")),
        BTreeSet::from([1, 2, 3, 4])
    );
    assert_eq!(
        distinct(values(&sent(&mut scene, "daily_streak"), "user_id")),
        BTreeSet::from([1, 3, 4])
    );
    assert_eq!(
        distinct(values(&sent(&mut scene, "project_created"), "project_id")).len(),
        20
    );
    assert_clean(&scene);
}

#[test]
fn completed_reopened_and_completed_again_is_two_happenings() {
    let mut scene = Scene::start().unwrap();
    listener(&mut scene, "task_completed");
    let mut transaction = scene.client.transaction().unwrap();
    for status in ["completed", "todo", "completed", "completed"] {
        let mut task = Task::get(&mut transaction, id::LANDING_PAGE).unwrap();
        task.status = status.to_owned();
        task.save(&mut transaction).unwrap();
    }
    transaction.commit().unwrap();
    assert_eq!(sent(&mut scene, "task_completed").len(), 2);
}
