//! Writes that must fire nothing.

use zentry_e2e::scene::Scene;
use zentry_e2e::zentry::{self, Task, id};

use crate::support::assert_silent;

const COMPLETED: i64 = 1;

#[test]
fn a_completed_task_that_is_saved_again() {
    let mut scene = Scene::start().unwrap();
    assert_silent(&mut scene, |scene| {
        let mut task = Task::get(&mut scene.client, COMPLETED).unwrap();
        assert_eq!(task.status, "completed");
        task.save(&mut scene.client).unwrap();
        task.title = "Choose two colour palettes".to_owned();
        task.save(&mut scene.client).unwrap();
    });
}

#[test]
fn a_task_that_moves_to_any_other_status() {
    let mut scene = Scene::start().unwrap();
    assert_silent(&mut scene, |scene| {
        for (task, status) in [
            (id::REDIRECTS, "in_progress"),
            (id::LANDING_PAGE, "todo"),
            (COMPLETED, "todo"),
        ] {
            let mut task = Task::get(&mut scene.client, task).unwrap();
            task.status = status.to_owned();
            task.save(&mut scene.client).unwrap();
        }
        let task = Task::get(&mut scene.client, id::REDIRECTS).unwrap();
        Task { id: 1000, ..task }.insert(&mut scene.client).unwrap();
    });
}

#[test]
fn an_update_that_changes_nothing_or_meets_no_row() {
    let mut scene = Scene::start().unwrap();
    assert_silent(&mut scene, |scene| {
        let tasks: Vec<i64> = (1..=20).collect();
        for task in tasks.iter().filter(|id| **id != 10) {
            Task::get(&mut scene.client, *task)
                .unwrap()
                .save(&mut scene.client)
                .unwrap();
        }
        scene
            .client
            .batch_execute(
                "UPDATE tasks_task SET status = status; UPDATE users_user SET current_streak = current_streak; \
                 UPDATE tasks_project SET name = name; UPDATE achievements_userbadge SET earned_at = earned_at; \
                 UPDATE tasks_task SET status = 'completed' WHERE false",
            )
            .unwrap();
        assert_eq!(zentry::bulk_complete(&mut scene.client, &[999]).unwrap(), 0);
    });
}

#[test]
fn a_transaction_that_is_rolled_back() {
    let mut scene = Scene::start().unwrap();
    assert_silent(&mut scene, |scene| {
        let mut transaction = scene.client.transaction().unwrap();
        everything(&mut transaction);
        transaction.rollback().unwrap();
        // One that fails, too.
        let mut transaction = scene.client.transaction().unwrap();
        everything(&mut transaction);
        transaction.batch_execute("SELECT 1/0").unwrap_err();
        assert!(
            transaction.commit().is_ok(),
            "COMMIT of a failed transaction rolls back"
        );
        // And one that only its deferred constraints make fail.
        let mut transaction = scene.client.transaction().unwrap();
        everything(&mut transaction);
        zentry::award_badge(&mut transaction, 999, id::TASK_MASTER).unwrap();
        transaction.commit().unwrap_err();
    });
}

#[test]
fn a_savepoint_that_is_rolled_back() {
    let mut scene = Scene::start().unwrap();
    assert_silent(&mut scene, |scene| {
        let mut transaction = scene.client.transaction().unwrap();
        let mut savepoint = transaction.transaction().unwrap();
        everything(&mut savepoint);
        let mut inner = savepoint.transaction().unwrap();
        everything_again(&mut inner);
        inner.commit().unwrap();
        savepoint.rollback().unwrap();
        // An exception block of PL/pgSQL is a savepoint as well.
        transaction
            .batch_execute(
                "DO $$ BEGIN UPDATE users_user SET current_streak = current_streak + 1; PERFORM 1/0; \
                 EXCEPTION WHEN division_by_zero THEN NULL; END $$",
            )
            .unwrap();
        transaction.commit().unwrap();
    });
}

/// A write of each kind of event, also one whose lookups find nothing yet.
fn everything(client: &mut impl postgres::GenericClient) {
    zentry::bulk_complete(client, &[2, 3, 4, 5, 6, 7, 8, 9]).unwrap();
    zentry::extend_streak(client, id::CHEN).unwrap();
    zentry::award_badge(client, id::CHEN, id::TASK_MASTER).unwrap();
    client
        .execute(
            "INSERT INTO tasks_project (name, description, emoji, created_by_id, created_at, updated_at) \
             VALUES ('Atlas', '', '', 500, now(), now())",
            &[],
        )
        .unwrap();
    client
        .batch_execute("INSERT INTO users_user SELECT (jsonb_populate_record(u, '{\"id\": 500, \"username\": \"new\"}')).* FROM users_user u WHERE id = 1")
        .unwrap();
}

fn everything_again(client: &mut impl postgres::GenericClient) {
    zentry::bulk_complete(client, &[12, 13, 14, 15]).unwrap();
    zentry::extend_streak(client, id::CHEN).unwrap();
    zentry::award_badge(client, id::DALIA, 1).unwrap();
}

#[test]
fn a_streak_that_falls_or_stays() {
    let mut scene = Scene::start().unwrap();
    assert_silent(&mut scene, |scene| {
        zentry::reset_streak(&mut scene.client, id::CHEN).unwrap();
        zentry::reset_streak(&mut scene.client, id::CHEN).unwrap();
        scene
            .client
            .batch_execute(
                "UPDATE users_user SET longest_streak = 100, experience_points = experience_points + 1",
            )
            .unwrap();
    });
}

#[test]
fn users_badges_and_members_that_come_and_go() {
    let mut scene = Scene::start().unwrap();
    assert_silent(&mut scene, |scene| {
        scene
            .client
            .batch_execute(
                "INSERT INTO users_user SELECT (jsonb_populate_record(u, '{\"id\": 500, \"username\": \"new\"}')).* FROM users_user u WHERE id = 1; \
                 INSERT INTO achievements_badge SELECT 500, 'New', description, emoji, badge_type, requirement_value, experience_reward FROM achievements_badge WHERE id = 1; \
                 INSERT INTO achievements_userbadge (user_id, badge_id, earned_at) VALUES (1, 1, now()) ON CONFLICT DO NOTHING; \
                 DELETE FROM achievements_userbadge WHERE user_id = 1; \
                 INSERT INTO tasks_project_members (project_id, user_id) VALUES (1, 4); \
                 UPDATE tasks_project SET name = 'Renamed' WHERE id = 1; \
                 DELETE FROM tasks_task WHERE project_id = 2; DELETE FROM tasks_project_members WHERE project_id = 2; \
                 DELETE FROM tasks_project WHERE id = 2",
            )
            .unwrap();
    });
}
