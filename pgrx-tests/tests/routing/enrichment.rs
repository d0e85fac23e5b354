//! What can't be found out about an event is null, and holds up nobody.

use std::collections::HashSet;

use serde_json::{Value, json};
use zentry_e2e::emulator::Kind;
use zentry_e2e::numbered;
use zentry_e2e::scene::{Delivery, SOON, Scene, all_sent};
use zentry_e2e::zentry::{self, id};

use crate::{channel, number};

/// The payloads of completed tasks by title, once everything is sent.
fn told(scene: &mut Scene) -> Vec<Value> {
    let deliveries: Vec<Delivery> = scene.settle().unwrap();
    assert!(all_sent(&deliveries), "{deliveries:#?}");
    let completed = deliveries
        .into_iter()
        .filter(|delivery| delivery.event_type == "task_completed");
    completed.map(|delivery| delivery.payload).collect()
}

/// What is written down as wrong with the source of completed tasks.
fn reason(scene: &mut Scene) -> String {
    let reason =
        "SELECT suspended_reason FROM zentry_notify.event_source WHERE event_type = 'task_completed'";
    scene.client.query_one(reason, &[]).unwrap().get(0)
}

fn attach(scene: &mut Scene, columns: &Value) {
    scene
        .client
        .execute(
            "SELECT zentry_attach('task_completed', 'tasks_task', $1)",
            &[&columns],
        )
        .unwrap();
}

#[test]
fn what_is_written_later_in_the_transaction_is_found() {
    let mut scene = Scene::start().unwrap();
    let _channel = channel(&mut scene);
    let mut transaction = scene.client.transaction().unwrap();
    // Foreign keys are checked at commit.
    transaction
        .batch_execute(
            "UPDATE tasks_task SET status = 'completed', assigned_to_id = 77, project_id = 88 WHERE id = 2",
        )
        .unwrap();
    transaction
        .batch_execute(
            "INSERT INTO users_user SELECT 77, password, last_login, false, 'late', 'Late', 'Comer', email, false, true, date_joined, level, \
               experience_points, 0, 0, 0, last_activity FROM users_user WHERE id = 1; \
             INSERT INTO tasks_project VALUES (88, 'Later', '', '', now(), now(), 77)",
        )
        .unwrap();
    transaction.commit().unwrap();
    let told = told(&mut scene);
    assert_eq!(told[0]["project_name"], "Later");
    assert_eq!(told[0]["user_id"], 77);
    assert_eq!(told[0]["user_name"], "late");
}

#[test]
fn one_event_that_can_not_be_enriched_fails_alone_with_its_id_in_the_log() {
    let mut scene = Scene::start().unwrap();
    let channel = channel(&mut scene);
    attach(
        &mut scene,
        &json!({"share": "100 / (experience_reward - 10)", "double": "2 * experience_reward"}),
    );
    let cluster = scene.database.cluster();
    let before = cluster.log_end().unwrap();
    scene
        .client
        .batch_execute("UPDATE tasks_task SET experience_reward = CASE id WHEN 5 THEN 10 ELSE 60 END WHERE id BETWEEN 2 AND 8; \
                        UPDATE tasks_task SET status = 'completed' WHERE id BETWEEN 2 AND 8")
        .unwrap();
    let told = told(&mut scene);
    assert_eq!(told.len(), 7);
    for event in &told {
        let bad = event["task_id"] == 5;
        assert_eq!(event["share"], if bad { Value::Null } else { json!(2) });
        assert_eq!(event["double"], if bad { json!(20) } else { json!(120) });
        assert!(event["project_name"].is_string(), "{event}");
    }
    let bad = number(
        &mut scene.client,
        "SELECT id FROM zentry_notify.event WHERE data ->> 'task_id' = '5'",
    );
    let log = cluster.log_since(before).unwrap();
    assert!(log.contains(&format!("event {bad} (task_completed)")), "{log}");
    assert!(log.contains("SQLSTATE 22012"), "{log}");
    assert_eq!(channel.webhook.event_count(), 7);
    let suspended = number(
        &mut scene.client,
        "SELECT count(*) FROM zentry_notify.event_source WHERE suspended_at IS NOT NULL",
    );
    assert_eq!(suspended, 0);
}

#[test]
fn events_that_share_a_project_and_a_person_are_looked_up_together_and_evaluated_apart() {
    let mut scene = Scene::start().unwrap();
    let _channel = channel(&mut scene);
    attach(&mut scene, &json!({"stamp": "gen_random_uuid()::text"}));
    // More than a page of look-ups; every fourth task is nobody's.
    scene
        .client
        .batch_execute(
            "INSERT INTO tasks_project SELECT n, 'Project ' || n, '', '', now(), now(), 1 FROM generate_series(91, 93) n; \
             INSERT INTO tasks_task \
               SELECT (jsonb_populate_record(t, jsonb_build_object('id', n, 'title', 'Task ' || n, 'project_id', 91 + n % 3, \
                                                                   'assigned_to_id', nullif(n % 4, 0)))).* \
                 FROM tasks_task t, generate_series(1000, 1599) n WHERE t.id = 2; \
             UPDATE tasks_task SET status = 'completed' WHERE id BETWEEN 1000 AND 1599",
        )
        .unwrap();
    let told = told(&mut scene);
    assert_eq!(told.len(), 600);
    let names = scene
        .client
        .query(
            "SELECT username FROM users_user WHERE id IN (1, 2, 3) ORDER BY id",
            &[],
        )
        .unwrap();
    let names: Vec<String> = names.iter().map(|row| row.get(0)).collect();
    for event in &told {
        let task = event["task_id"].as_i64().unwrap();
        assert_eq!(
            event["project_name"],
            format!("Project {}", 91 + task % 3),
            "{event}"
        );
        let person = usize::try_from(task % 4).unwrap();
        let name = person.checked_sub(1).map(|place| names[place].clone());
        assert_eq!(event["user_name"], json!(name), "{event}");
    }
    // What the owner wrote may give another value for each event.
    let stamps: HashSet<&str> = told
        .iter()
        .map(|event| event["stamp"].as_str().unwrap())
        .collect();
    assert_eq!(stamps.len(), 600);
}

#[test]
fn a_look_up_that_hangs_is_left_out_and_holds_up_nobody_else() {
    let mut scene = Scene::start().unwrap();
    let _tasks = channel(&mut scene);
    let badges = scene
        .channel_for(zentry_e2e::emulator::Kind::Discord, None, Some(&["badge_earned"]))
        .unwrap();
    scene
        .client
        .batch_execute(
            "CREATE FUNCTION public.slow(bigint) RETURNS text LANGUAGE sql AS 'SELECT pg_sleep(600)::text'",
        )
        .unwrap();
    attach(&mut scene, &json!({"slow": "public.slow(id)"}));
    scene
        .client
        .batch_execute(
            "UPDATE tasks_task SET experience_reward = 999, status = 'completed' WHERE id IN (2, 3)",
        )
        .unwrap();
    zentry::award_badge(&mut scene.client, id::DALIA, id::TASK_MASTER).unwrap();
    let told = told(&mut scene);
    assert_eq!(told.len(), 2);
    assert!(
        told.iter()
            .all(|event| event["slow"].is_null() && event["task_id"].is_i64())
    );
    assert_eq!(badges.webhook.event_count(), 1);
    let source = scene
        .client
        .query_one(
            "SELECT suspended_reason, suspended_at IS NULL FROM zentry_notify.event_source WHERE event_type = 'task_completed'",
            &[],
        )
        .unwrap();
    let reason: String = source.get(0);
    assert!(
        reason.contains("left out") && reason.contains("slow (it takes too long)") && source.get(1),
        "{reason}"
    );
    // Told all the same, and at once.
    numbered::complete(&mut scene.client, [1]).unwrap();
    assert_eq!(self::told(&mut scene).len(), 3);
}

/// Each is within the limit, and all of them would hold up what others write for ever. A change of the configuration, which others make all the
/// time, gives its owner no more.
#[test]
fn a_look_up_that_is_slow_each_time_is_given_up_before_long() {
    let mut scene = Scene::start().unwrap();
    let channel = channel(&mut scene);
    scene
        .client
        .batch_execute(
            "CREATE FUNCTION public.slow(bigint) RETURNS text LANGUAGE sql \
             AS $$SELECT 'slow' FROM pg_sleep(CASE WHEN $1 IS NULL THEN 0 ELSE 1.5 END)$$",
        )
        .unwrap();
    attach(&mut scene, &json!({"slow": "public.slow(id)"}));
    let mut found = 0;
    // What half a minute and a fifth of the time are enough for is less than half as many.
    for _ in 0..60 {
        scene
            .client
            .batch_execute("UPDATE tasks_task SET status = 'todo' WHERE id = 2; UPDATE tasks_task SET status = 'completed' WHERE id = 2")
            .unwrap();
        let told = told(&mut scene);
        if told.last().unwrap()["slow"].is_null() {
            break;
        }
        found += 1;
        scene
            .client
            .execute(
                "SELECT zentry_update_webhook($1, name => 'renamed ' || $2::text)",
                &[&channel.id, &found.to_string()],
            )
            .unwrap();
    }
    assert!((1..60).contains(&found), "{found}");
    let reason = reason(&mut scene);
    assert!(reason.contains("take too long"), "{reason}");
}

/// It is null, and the others are told as ever. PostgreSQL 18 does not count the values of a single column that it sorts, so that they
/// never go to the disk: there are two.
#[test]
fn a_look_up_that_takes_more_of_the_disk_than_it_may_is_left_out() {
    let mut scene = Scene::start().unwrap();
    let _channel = channel(&mut scene);
    scene
        .client
        .batch_execute(
            "CREATE FUNCTION public.large(bigint) RETURNS bigint LANGUAGE sql SET work_mem = '64kB' \
             AS $$SELECT count(*) FROM (SELECT repeat('x', 1000000) || g AS t, g FROM generate_series($1, $1 + 300) g ORDER BY 1, 2 OFFSET 0) x$$",
        )
        .unwrap();
    attach(
        &mut scene,
        &json!({"large": "public.large(id)", "double": "2 * id"}),
    );
    let before = scene.database.cluster().log_end().unwrap();
    scene
        .client
        .batch_execute("UPDATE tasks_task SET status = 'completed' WHERE id = 2")
        .unwrap();
    let told = told(&mut scene);
    assert_eq!(told[0]["large"], Value::Null);
    assert_eq!(told[0]["double"], 4);
    assert!(told[0]["project_name"].is_string(), "{told:?}");
    let log = scene.database.cluster().log_since(before).unwrap();
    assert!(log.contains("SQLSTATE 53400"), "{log}");
}

/// A function that names what is not there, or waits, for some rows: these are told without it, and the others with it.
#[test]
fn a_look_up_that_works_for_some_is_not_suspended() {
    let mut scene = Scene::start().unwrap();
    let _tasks = channel(&mut scene);
    scene
        .client
        .batch_execute(
            "CREATE FUNCTION public.odd(reward int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN \
               CASE reward WHEN 1 THEN RETURN (SELECT x FROM no_such_table); WHEN 2 THEN RETURN pg_sleep(600)::text; \
                           WHEN 3 THEN SET ROLE postgres; WHEN 4 THEN RAISE lock_not_available; ELSE RETURN 'fine'; END CASE; \
             END $$",
        )
        .unwrap();
    attach(&mut scene, &json!({"odd": "public.odd(experience_reward)"}));
    for _ in 0..2 {
        scene
            .client
            .batch_execute("UPDATE tasks_task SET status = 'todo', experience_reward = id - 1")
            .unwrap();
        // One after the other: the time that a batch has may not do for all of them on a busy machine.
        for task in 2..=8_i64 {
            zentry::bulk_complete(&mut scene.client, &[task]).unwrap();
            scene.settle().unwrap();
        }
    }
    let told = told(&mut scene);
    assert_eq!(told.len(), 14);
    for event in &told {
        let fine = event["task_id"].as_i64().unwrap() > 5;
        assert_eq!(event["odd"], if fine { json!("fine") } else { Value::Null });
        assert!(event["project_name"].is_string(), "{event}");
    }
    let suspended = number(
        &mut scene.client,
        "SELECT count(*) FROM zentry_notify.event_source WHERE suspended_at IS NOT NULL",
    );
    assert_eq!(suspended, 0);
}

#[test]
fn views_and_policies_are_not_looked_into() {
    let mut scene = Scene::start().unwrap();
    let _channel = channel(&mut scene);
    scene
        .client
        .batch_execute(
            "ALTER TABLE tasks_project RENAME TO real_project; CREATE VIEW tasks_project AS SELECT id / 0 AS id, name, description, created_by_id FROM real_project; \
             UPDATE tasks_task SET status = 'completed' WHERE id = 2",
        )
        .unwrap();
    let told = told(&mut scene);
    assert_eq!(told[0]["project_name"], Value::Null);
    assert_eq!(told[0]["project_id"], 1);
    let reason = reason(&mut scene);
    assert!(reason.contains("is a view"), "{reason}");
}

#[test]
fn a_table_that_is_locked_costs_its_names_and_no_more() {
    let mut scene = Scene::start().unwrap();
    let _channel = channel(&mut scene);
    let mut other = scene.database.connect().unwrap();
    other
        .batch_execute("BEGIN; LOCK TABLE users_user IN ACCESS EXCLUSIVE MODE")
        .unwrap();
    scene
        .client
        .batch_execute("UPDATE tasks_task SET status = 'completed' WHERE id = 2")
        .unwrap();
    let first = told(&mut scene);
    assert_eq!(first[0]["user_name"], Value::Null);
    assert!(first[0]["project_name"].is_string(), "{first:?}");
    other.batch_execute("ROLLBACK").unwrap();
    scene
        .client
        .batch_execute("UPDATE tasks_task SET status = 'completed', assigned_to_id = 3 WHERE id = 3")
        .unwrap();
    let second = told(&mut scene);
    assert!(second[1]["user_name"].is_string(), "{second:?}");
}

/// Whoever holds the lock: what it costs is not the time of the role whose table is attached, and its other look-ups go on.
#[test]
fn a_table_that_stays_locked_costs_no_other_look_up() {
    /// A source has twenty seconds, which half a second each would have used up.
    const EVENTS: u64 = 64;
    // Apart: a row that the same transaction has written has its foreign keys checked, which waits for the lock.
    const COMPLETE: [&str; 2] = ["todo", "completed"];
    let complete = |scene: &mut Scene| {
        for status in COMPLETE {
            scene
                .client
                .batch_execute(&format!("UPDATE tasks_task SET status = '{status}' WHERE id = 2"))
                .unwrap();
        }
    };
    let mut scene = Scene::start().unwrap();
    // Discord's pace would be the test's.
    let channel = scene
        .channel_for(Kind::Mattermost, None, Some(&["task_completed"]))
        .unwrap();
    let mut other = scene.database.connect().unwrap();
    other
        .batch_execute("BEGIN; LOCK TABLE users_user IN ACCESS EXCLUSIVE MODE")
        .unwrap();
    for count in 1..=EVENTS {
        complete(&mut scene);
        // Each by itself.
        channel.webhook.wait_for_events(count, SOON);
    }
    other.batch_execute("ROLLBACK").unwrap();
    complete(&mut scene);
    let told = told(&mut scene);
    let (last, locked) = told.split_last().unwrap();
    assert_eq!(locked.len() as u64, EVENTS);
    for event in locked {
        assert_eq!(event["user_name"], Value::Null);
        assert!(event["project_name"].is_string(), "{event}");
    }
    assert!(last["user_name"].is_string(), "{last}");
}
