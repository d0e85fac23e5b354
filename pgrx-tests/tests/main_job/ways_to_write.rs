//! The ways in which rows get into a table.

use std::io::Write;

use postgres::{Client, GenericClient};
use serde_json::{Value, json};
use zentry_e2e::cluster::Stage;
use zentry_e2e::scene::Scene;
use zentry_e2e::zentry::{self, id};

use crate::support::{assert_clean, connect_listening, listener, sent, values};

const INSERT: &str = "INSERT INTO tasks_task (id, title, description, status, priority, emoji, experience_reward, completed_at, \
                      created_at, updated_at, assigned_to_id, created_by_id, project_id)";

fn insert_user(client: &mut impl GenericClient, user: i64, name: &str) {
    client
        .execute(
            "INSERT INTO users_user SELECT (jsonb_populate_record(u, jsonb_build_object('id', $1::bigint, 'username', $2::text))).* \
             FROM users_user u WHERE id = 1",
            &[&user, &name],
        )
        .unwrap();
}

fn insert_project(client: &mut impl GenericClient, project: i64, owner: i64) {
    client
        .execute(
            "INSERT INTO tasks_project (id, name, description, emoji, created_by_id, created_at, updated_at) \
             VALUES ($1, 'Atlas', 'Maps', '', $2, now(), now())",
            &[&project, &owner],
        )
        .unwrap();
}

fn insert_completed(client: &mut impl GenericClient, task: i64, user: i64, project: i64) {
    client
        .execute(
            &format!("{INSERT} VALUES ($1, 'Late', '', 'completed', 'low', '', 10, now(), now(), now(), $2, $2, $3)"),
            &[&task, &user, &project],
        )
        .unwrap();
}

fn titles(scene: &mut Scene) -> Vec<Value> {
    values(&sent(scene, "task_completed"), "task_title")
}

#[test]
fn a_row_before_the_rows_that_it_refers_to() {
    let mut scene = Scene::start().unwrap();
    for event_type in ["task_completed", "badge_earned", "project_created"] {
        listener(&mut scene, event_type);
    }
    let mut transaction = scene.client.transaction().unwrap();
    insert_completed(&mut transaction, 500, 700, 600);
    zentry::award_badge(&mut transaction, 700, 800).unwrap();
    insert_project(&mut transaction, 600, 700);
    insert_user(&mut transaction, 700, "late");
    transaction
        .execute(
            "INSERT INTO achievements_badge VALUES (800, 'Latecomer', 'Be late', '', 'tasks', 1, 1)",
            &[],
        )
        .unwrap();
    transaction.commit().unwrap();

    let tasks = sent(&mut scene, "task_completed");
    assert_eq!(tasks.len(), 1);
    assert_eq!(
        (
            &tasks[0]["user_name"],
            &tasks[0]["project_name"],
            &tasks[0]["task_id"]
        ),
        (&json!("late"), &json!("Atlas"), &json!(500))
    );
    let badges = sent(&mut scene, "badge_earned");
    assert_eq!(badges.len(), 1);
    assert_eq!(
        (
            &badges[0]["user_name"],
            &badges[0]["badge_name"],
            &badges[0]["badge_description"]
        ),
        (&json!("late"), &json!("Latecomer"), &json!("Be late"))
    );
    let projects = sent(&mut scene, "project_created");
    assert_eq!(values(&projects, "user_name"), ["late"]);
    assert_clean(&scene);
}

/// What a released savepoint wrote is kept, what a rolled back one wrote is not, also where names came later.
#[test]
fn rows_before_others_in_savepoints() {
    let mut scene = Scene::start().unwrap();
    listener(&mut scene, "task_completed");
    let mut transaction = scene.client.transaction().unwrap();
    let mut savepoint = transaction.transaction().unwrap();
    insert_completed(&mut savepoint, 501, 700, 1);
    let mut inner = savepoint.transaction().unwrap();
    insert_completed(&mut inner, 502, 700, 1);
    inner.rollback().unwrap();
    let mut inner = savepoint.transaction().unwrap();
    insert_completed(&mut inner, 503, 700, 1);
    inner.commit().unwrap();
    savepoint.commit().unwrap();
    let mut savepoint = transaction.transaction().unwrap();
    insert_completed(&mut savepoint, 504, 700, 1);
    savepoint.rollback().unwrap();
    insert_user(&mut transaction, 700, "late");
    transaction.commit().unwrap();

    let tasks = sent(&mut scene, "task_completed");
    assert_eq!(values(&tasks, "task_id"), [501, 503]);
    assert_eq!(values(&tasks, "user_name"), ["late", "late"]);
}

#[test]
fn a_reference_to_nothing_gives_null() {
    let mut scene = Scene::start().unwrap();
    let channel = listener(&mut scene, "badge_earned");
    scene
        .client
        .batch_execute("ALTER TABLE achievements_userbadge DROP CONSTRAINT achievements_userbadge_user_id_fk")
        .unwrap();
    zentry::award_badge(&mut scene.client, 999, id::TASK_MASTER).unwrap();
    let payloads = sent(&mut scene, "badge_earned");
    assert_eq!(
        (&payloads[0]["user_id"], &payloads[0]["user_name"]),
        (&json!(999), &Value::Null)
    );
    assert_eq!(
        channel.webhook.shown()[0].text,
        "Somebody earned the badge Task Master."
    );
    assert_clean(&scene);
}

#[test]
fn insert_on_conflict() {
    let mut scene = Scene::start().unwrap();
    listener(&mut scene, "task_completed");
    let upsert = format!(
        "{INSERT} VALUES (2, 'A', '', 'completed', 'low', '', 1, now(), now(), now(), 3, 1, 1), \
                         (1, 'B', '', 'completed', 'low', '', 1, now(), now(), now(), 3, 1, 1), \
                         (700, 'C', '', 'completed', 'low', '', 1, now(), now(), now(), 3, 1, 1) \
         ON CONFLICT (id) DO UPDATE SET status = EXCLUDED.status"
    );
    // 2 is completed by the update, 1 was completed before, 700 is inserted.
    scene.client.batch_execute(&upsert).unwrap();
    let nothing = upsert.replace("DO UPDATE SET status = EXCLUDED.status", "DO NOTHING");
    scene.client.batch_execute(&nothing).unwrap();
    assert_eq!(titles(&mut scene), ["Write the landing page", "C"]);
    assert_clean(&scene);
}

#[test]
fn copy() {
    let mut scene = Scene::start().unwrap();
    let channel = listener(&mut scene, "task_completed");
    let mut copy = scene
        .client
        .copy_in("COPY tasks_task FROM STDIN (FORMAT csv)")
        .unwrap();
    for task in 501..=700 {
        let status = if task % 2 == 0 { "completed" } else { "todo" };
        writeln!(
            copy,
            "{task},Task {task},\"A, \"\"B\"\"\",{status},low,\"\",10,,,2024-01-01 00:00Z,2024-01-01 00:00Z,3,1,1"
        )
        .unwrap();
    }
    assert_eq!(copy.finish().unwrap(), 200);
    let payloads = sent(&mut scene, "task_completed");
    let expected: Vec<i64> = (501..=700).filter(|task| task % 2 == 0).collect();
    assert_eq!(values(&payloads, "task_id"), expected);
    assert_eq!(payloads[0]["task_description"], "A, \"B\"");
    assert_eq!(channel.webhook.event_count(), 100);
    assert_clean(&scene);
}

#[test]
fn merge() {
    if Stage::get().unwrap().major() < 15 {
        return; // there is no MERGE
    }
    let mut scene = Scene::start().unwrap();
    listener(&mut scene, "task_completed");
    scene
        .client
        .batch_execute(
            "MERGE INTO tasks_task t USING (VALUES (1), (2), (3), (701)) AS s (id) ON t.id = s.id \
             WHEN MATCHED AND t.id = 3 THEN DELETE \
             WHEN MATCHED THEN UPDATE SET status = 'completed' \
             WHEN NOT MATCHED THEN INSERT (id, title, description, status, priority, emoji, experience_reward, created_at, updated_at, created_by_id, project_id) \
             VALUES (s.id, 'Merged', '', 'completed', 'low', '', 1, now(), now(), 1, 1)",
        )
        .unwrap();
    let mut titles: Vec<String> = titles(&mut scene)
        .iter()
        .map(|title| title.as_str().unwrap().to_owned())
        .collect();
    titles.sort();
    assert_eq!(titles, ["Merged", "Write the landing page"]);
    assert_clean(&scene);
}

#[test]
fn several_writes_in_one_statement() {
    let mut scene = Scene::start().unwrap();
    for event_type in ["task_completed", "badge_earned", "daily_streak"] {
        listener(&mut scene, event_type);
    }
    scene
        .client
        .batch_execute(
            "WITH done AS (UPDATE tasks_task SET status = 'completed' WHERE id IN (2, 3) RETURNING assigned_to_id), \
                  streaks AS (UPDATE users_user SET current_streak = current_streak + 1 WHERE id IN (SELECT assigned_to_id FROM done)) \
             INSERT INTO achievements_userbadge (user_id, badge_id, earned_at) SELECT assigned_to_id, 3, now() FROM done",
        )
        .unwrap();
    assert_eq!(sent(&mut scene, "task_completed").len(), 2);
    assert_eq!(sent(&mut scene, "daily_streak").len(), 2);
    assert_eq!(sent(&mut scene, "badge_earned").len(), 2);
    assert_clean(&scene);
}

fn run(client: &mut Client, statements: &[&str]) {
    for statement in statements {
        client.batch_execute(statement).unwrap();
    }
}

#[test]
fn functions_procedures_and_triggers_of_the_application() {
    let mut scene = Scene::start().unwrap();
    listener(&mut scene, "task_completed");
    run(
        &mut scene.client,
        &[
            "CREATE FUNCTION complete(task bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$ \
             BEGIN UPDATE public.tasks_task SET status = 'completed' WHERE id = task; END $$",
            "CREATE FUNCTION complete_in_sql(task bigint) RETURNS void LANGUAGE sql AS \
             'UPDATE tasks_task SET status = ''completed'' WHERE id = task'",
            "CREATE PROCEDURE complete_each(tasks bigint[]) LANGUAGE plpgsql AS $$ DECLARE task bigint; \
             BEGIN FOREACH task IN ARRAY tasks LOOP UPDATE tasks_task SET status = 'completed' WHERE id = task; COMMIT; END LOOP; END $$",
            "CREATE FUNCTION close_tasks() RETURNS trigger LANGUAGE plpgsql AS $$ \
             BEGIN UPDATE tasks_task SET status = 'completed' WHERE project_id = NEW.id AND id = 12; RETURN NULL; END $$",
            "CREATE TRIGGER close_tasks AFTER UPDATE ON tasks_project FOR EACH ROW EXECUTE FUNCTION close_tasks()",
            "SELECT complete(2)",
            "SELECT complete_in_sql(3)",
            "CALL complete_each('{4, 5}')",
            "UPDATE tasks_project SET name = 'Closing' WHERE id = 2",
        ],
    );
    let tasks = values(&sent(&mut scene, "task_completed"), "task_id");
    assert_eq!(tasks, [2, 3, 4, 5, 12]);
    assert_clean(&scene);
}

/// What a BEFORE trigger of the application makes of the row is what counts.
#[test]
fn rows_that_a_trigger_of_the_application_changes() {
    let mut scene = Scene::start().unwrap();
    listener(&mut scene, "task_completed");
    run(
        &mut scene.client,
        &[
            "CREATE FUNCTION review() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF NEW.id = 2 THEN NEW.status := 'in_progress'; ELSE NEW.title := upper(NEW.title); NEW.status := 'completed'; END IF; \
             RETURN NEW; END $$",
            "CREATE TRIGGER review BEFORE UPDATE ON tasks_task FOR EACH ROW EXECUTE FUNCTION review()",
            "UPDATE tasks_task SET status = 'completed' WHERE id = 2",
            "UPDATE tasks_task SET priority = 'low' WHERE id = 9",
        ],
    );
    assert_eq!(titles(&mut scene), ["GO LIVE"]);
}

/// Our triggers ask of every UPDATE whatever it names, also in a transaction that has checks pending.
#[test]
fn a_before_trigger_that_comes_in_the_middle_of_a_transaction() {
    let mut scene = Scene::start().unwrap();
    listener(&mut scene, "task_completed");
    let (mut client, notices) = connect_listening(&scene.database, "postgres");
    let mut transaction = client.transaction().unwrap();
    insert_completed(&mut transaction, 500, 3, 1);
    transaction
        .batch_execute(
            "CREATE FUNCTION finish() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.status := 'completed'; RETURN NEW; END $$; \
             CREATE TRIGGER finish BEFORE UPDATE ON tasks_task FOR EACH ROW EXECUTE FUNCTION finish(); \
             UPDATE tasks_task SET priority = 'low' WHERE id = 9",
        )
        .unwrap();
    transaction.commit().unwrap();
    assert_eq!(titles(&mut scene), ["Late", "Go live"]);
    assert!(notices.take().is_empty());
}

#[test]
fn cascaded_updates_and_deferred_triggers() {
    let mut scene = Scene::start().unwrap();
    listener(&mut scene, "task_completed");
    let mut transaction = scene.client.transaction().unwrap();
    transaction
        .batch_execute(
            "CREATE TABLE stage AS SELECT DISTINCT status AS name FROM tasks_task; ALTER TABLE stage ADD PRIMARY KEY (name); \
             INSERT INTO stage VALUES ('almost'); \
             ALTER TABLE tasks_task ADD FOREIGN KEY (status) REFERENCES stage ON UPDATE CASCADE; \
             CREATE FUNCTION complete_later() RETURNS trigger LANGUAGE plpgsql AS $$ \
             BEGIN UPDATE tasks_task SET status = 'completed' WHERE id = 12; RETURN NULL; END $$; \
             CREATE CONSTRAINT TRIGGER complete_later AFTER UPDATE ON tasks_project DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW EXECUTE FUNCTION complete_later()",
        )
        .unwrap();
    transaction.commit().unwrap();
    // The key that the tasks refer to changes, and they with it.
    scene
        .client
        .batch_execute(
            "DELETE FROM tasks_task WHERE status = 'completed'; DELETE FROM stage WHERE name = 'completed'; \
             UPDATE tasks_task SET status = 'almost' WHERE id IN (2, 3)",
        )
        .unwrap();
    assert_eq!(sent(&mut scene, "task_completed").len(), 0);
    scene
        .client
        .batch_execute("UPDATE stage SET name = 'completed' WHERE name = 'almost'")
        .unwrap();
    let mut tasks = values(&sent(&mut scene, "task_completed"), "task_id");
    tasks.sort_by_key(Value::as_i64);
    assert_eq!(tasks, [2, 3]);
    // At the end of the transaction, when the statement is long over.
    scene
        .client
        .batch_execute("UPDATE tasks_project SET name = 'Later' WHERE id = 2")
        .unwrap();
    assert_eq!(values(&sent(&mut scene, "task_completed"), "task_id")[2..], [12]);
    assert_clean(&scene);
}
