//! The trigger writes without the executor, and the worker looks names up for many events at once: each event has its own data and
//! names, whatever the tables have become.

use postgres::GenericClient;
use serde_json::{Value, json};
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry::id;

use crate::support::{assert_clean, listener, sent, values};

fn complete(client: &mut impl GenericClient, task: i64) -> Result<u64, postgres::Error> {
    client.execute(
        "UPDATE tasks_task SET status = 'completed' WHERE id = $1",
        &[&task],
    )
}

/// Complete a task, and see what its payload says.
fn completed(scene: &mut Scene, task: i64) -> Value {
    complete(&mut scene.client, task).unwrap();
    sent(scene, "task_completed").pop().unwrap()
}

fn scene_after(preparation: &str) -> Scene {
    let mut scene = Scene::start().unwrap();
    listener(&mut scene, "task_completed");
    // What the session keeps is made before anything changes.
    completed(&mut scene, 9);
    scene.client.batch_execute(preparation).unwrap();
    scene
}

/// It is written and read without any of it: no write fails, and all are told.
#[test]
fn what_the_dba_adds_to_the_table_of_events_is_in_nobodys_way() {
    let changes = [
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$; \
         CREATE TRIGGER refuse BEFORE INSERT ON zentry_notify.event FOR EACH ROW EXECUTE FUNCTION refuse()",
        "ALTER TABLE zentry_notify.event ADD CHECK (data ->> 'task_id' = '9') NOT VALID",
        "CREATE RULE nothing AS ON INSERT TO zentry_notify.event DO INSTEAD NOTHING",
        "CREATE INDEX ON zentry_notify.event (event_type) WHERE source_id IS NOT NULL; \
         CREATE INDEX ON zentry_notify.event USING gin ((data::jsonb))",
    ];
    for change in changes {
        let mut scene = scene_after(change);
        assert_eq!(completed(&mut scene, 2)["task_id"], 2, "{change}");
        assert_eq!(completed(&mut scene, 3)["user_name"], "bruno", "{change}");
        assert_clean(&scene);
    }
}

#[test]
fn columns_that_the_dba_adds_to_the_table_of_events_get_their_defaults() {
    let mut scene = scene_after(
        "ALTER TABLE zentry_notify.event ADD gone integer, ADD fixed text DEFAULT 'yes'; \
         ALTER TABLE zentry_notify.event DROP gone; \
         ALTER TABLE zentry_notify.event ADD computed text DEFAULT upper('later'), \
             ADD shouted text GENERATED ALWAYS AS (upper(event_type)) STORED",
    );
    assert_eq!(completed(&mut scene, 2)["task_id"], 2);
    let row = scene
        .client
        .query_one(
            "SELECT concat_ws(' ', fixed, computed, shouted) FROM zentry_notify.event ORDER BY id DESC LIMIT 1",
            &[],
        )
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "yes LATER TASK_COMPLETED");
    assert_clean(&scene);
}

#[test]
fn indexes_that_the_dba_adds_to_the_table_of_events_are_kept_up() {
    let mut scene = scene_after(
        "CREATE INDEX ON zentry_notify.event (event_type) WHERE source_id IS NOT NULL; \
         CREATE INDEX ON zentry_notify.event USING gin ((data::jsonb))",
    );
    completed(&mut scene, 2);
    scene
        .client
        .batch_execute("SET enable_seqscan = off; SET enable_indexscan = off")
        .unwrap();
    for found in [
        "data::jsonb @> '{\"task_id\": 2}'",
        "event_type = 'task_completed' AND source_id IS NOT NULL",
    ] {
        let count = format!("SELECT count(*) FROM zentry_notify.event WHERE {found}");
        let count: i64 = scene.client.query_one(&count, &[]).unwrap().get(0);
        assert_eq!(count, if found.starts_with("data") { 1 } else { 2 }, "{found}");
    }
    assert_clean(&scene);
}

/// The owner of the tasks is one whom the policy hides the user from.
#[test]
fn a_policy_on_a_table_that_is_looked_up_holds() {
    let mut scene = scene_after(
        "CREATE ROLE short_cuts_owner; ALTER TABLE tasks_task OWNER TO short_cuts_owner; GRANT SELECT ON users_user, tasks_project TO short_cuts_owner; \
         ALTER TABLE users_user ENABLE ROW LEVEL SECURITY; CREATE POLICY but_chen ON users_user USING (username <> 'chen')",
    );
    // Where a policy would apply, nothing is read at all: neither name is told, and the reason is.
    for task in [2, 3] {
        let payload = completed(&mut scene, task);
        assert_eq!(
            (&payload["task_id"], &payload["user_name"]),
            (&json!(task), &Value::Null)
        );
        assert_eq!(payload["project_name"], "Website Relaunch");
    }
    let reason: String = scene
        .client
        .query_one(
            "SELECT suspended_reason FROM zentry_notify.event_sources WHERE event_type = 'task_completed' AND suspended_at IS NULL",
            &[],
        )
        .unwrap()
        .get(0);
    assert!(reason.contains("users_user has row-level security"), "{reason}");
    scene
        .client
        .batch_execute("ALTER TABLE users_user DISABLE ROW LEVEL SECURITY; SELECT zentry_attach()")
        .unwrap();
    assert_eq!(completed(&mut scene, 5)["user_name"], "bruno");
    scene.client.batch_execute("ALTER TABLE tasks_task OWNER TO postgres; DROP OWNED BY short_cuts_owner; DROP ROLE short_cuts_owner").unwrap();
}

#[test]
fn rows_of_a_table_that_inherits_are_found() {
    let mut scene = scene_after(
        "ALTER TABLE tasks_task DROP CONSTRAINT tasks_task_assigned_to_id_fk; \
         CREATE TABLE guest () INHERITS (users_user); \
         INSERT INTO guest SELECT (jsonb_populate_record(u, '{\"id\": 900, \"username\": \"guest\"}')).* FROM users_user u WHERE id = 1; \
         UPDATE tasks_task SET assigned_to_id = 900 WHERE id = 2",
    );
    assert_eq!(completed(&mut scene, 2)["user_name"], "guest");
    assert_clean(&scene);
}

#[test]
fn a_table_without_a_unique_index_is_searched() {
    let mut scene = scene_after(
        "ALTER TABLE users_user DROP CONSTRAINT users_user_pkey CASCADE; CREATE INDEX ON users_user (id)",
    );
    assert_eq!(completed(&mut scene, 2)["user_name"], "chen");
    assert_clean(&scene);
}

/// Another session changes what this one has prepared: attributes have other numbers, and other types.
#[test]
fn columns_that_another_session_moves_are_found() {
    let mut scene = scene_after("");
    let mut other = scene.database.connect().unwrap();
    other
        .batch_execute(
            "ALTER TABLE users_user ADD other varchar(150); UPDATE users_user SET other = username || '!'; \
             ALTER TABLE users_user DROP username; ALTER TABLE users_user RENAME other TO username; \
             ALTER TABLE tasks_project ALTER name TYPE text USING upper(name); \
             ALTER TABLE tasks_task ALTER assigned_to_id TYPE integer",
        )
        .unwrap();
    let payload = completed(&mut scene, 2);
    assert_eq!(payload["user_name"], "chen!");
    assert_eq!(payload["project_name"], "WEBSITE RELAUNCH");
    assert_eq!(payload["user_id"], 3);
    assert_clean(&scene);
}

/// Keys of other types than bigint, and values that are no plain numbers or texts.
#[test]
fn keys_and_values_of_many_types() {
    let mut scene = scene_after(
        "ALTER TABLE tasks_task DROP CONSTRAINT tasks_task_assigned_to_id_fk; \
         CREATE DOMAIN handle AS varchar(40); \
         ALTER TABLE users_user ADD handle text UNIQUE; UPDATE users_user SET handle = 'h' || id; \
         ALTER TABLE tasks_task ADD handle handle, ADD tags jsonb, ADD one jsonb, ADD doc json, ADD price numeric, ADD share float8; \
         UPDATE tasks_task SET handle = 'h' || assigned_to_id, tags = '{\"b\": [1, null], \"a\": {\"c\": true}}', one = '7', \
                doc = '[1.50, \"\\u0041\"]', price = 12.340, share = 0.5; \
         UPDATE zentry_notify.event_source SET columns = columns || jsonb_build_object('tags', 'tags', 'one', 'one', 'doc', 'doc', \
                'price', 'price', 'share', 'share', 'constant', jsonb_build_object('value', '[{\"k\": 1}]'::jsonb), \
                'user_name', '{\"from\": \"public.users_user\", \"match\": \"handle\", \"key\": \"handle\", \"column\": \"username\"}'::jsonb) \
          WHERE event_type = 'task_completed'",
    );
    let payload = completed(&mut scene, 2);
    assert_eq!(payload["user_name"], "chen");
    assert_eq!(payload["tags"], json!({"a": {"c": true}, "b": [1, null]}));
    assert_eq!(payload["one"], 7);
    assert_eq!(payload["doc"], json!([1.5, "A"]));
    assert_eq!(payload["share"], 0.5);
    assert_eq!(payload["constant"], json!([{"k": 1}]));
    let price = "SELECT payload ->> 'price' FROM zentry_notify.notification_log ORDER BY id DESC LIMIT 1";
    let price: String = scene.client.query_one(price, &[]).unwrap().get(0);
    assert_eq!(price, "12.340");
    assert_clean(&scene);
}

#[test]
fn what_the_same_statement_writes_is_found() {
    let mut scene = scene_after("");
    scene
        .client
        .batch_execute(
            "WITH u AS (INSERT INTO users_user SELECT (jsonb_populate_record(u, '{\"id\": 901, \"username\": \"new\"}')).* \
                        FROM users_user u WHERE id = 1 RETURNING id) \
             UPDATE tasks_task SET status = 'completed', assigned_to_id = u.id FROM u WHERE tasks_task.id = 2",
        )
        .unwrap();
    assert_eq!(values(&sent(&mut scene, "task_completed"), "user_name")[1], "new");
    assert_eq!(values(&sent(&mut scene, "task_completed"), "user_id"), [1, 901]);
    assert_clean(&scene);
}

#[test]
fn the_names_are_those_of_the_moment() {
    let mut scene = scene_after("");
    let mut transaction = scene.client.transaction().unwrap();
    transaction
        .execute(
            "UPDATE users_user SET username = 'chen wei' WHERE id = $1",
            &[&id::CHEN],
        )
        .unwrap();
    complete(&mut transaction, 2).unwrap();
    transaction.commit().unwrap();
    assert_eq!(
        values(&sent(&mut scene, "task_completed"), "user_name")[1],
        "chen wei"
    );
}

/// More people than the trigger keeps for a statement, in no order.
#[test]
fn each_row_of_a_statement_has_its_own_names() {
    const WRONG: &str = "SELECT count(*) FILTER (WHERE payload ->> 'user_name' <> 'person ' || (payload ->> 'user_id')), count(*) \
                         FROM zentry_notify.notification_log WHERE (payload ->> 'user_id')::integer > 1000";
    let mut scene = scene_after(
        "INSERT INTO users_user SELECT (jsonb_populate_record(u, jsonb_build_object('id', n, 'username', 'person ' || n))).* \
         FROM users_user u, generate_series(1001, 3000) n WHERE u.id = 1; \
         INSERT INTO tasks_task (title, description, status, priority, emoji, experience_reward, created_at, updated_at, \
                                 assigned_to_id, created_by_id, project_id) \
         SELECT 'Task', '', 'todo', 'medium', '', 10, now(), now(), 1001 + n * 7 % 2000, 1, 1 FROM generate_series(1, 6000) n",
    );
    let complete = "UPDATE tasks_task SET status = 'completed' WHERE assigned_to_id > 1000";
    assert_eq!(scene.client.execute(complete, &[]).unwrap(), 6_000);
    let found = eventually(SOON, "every row to be told", || {
        let row = scene.client.query_one(WRONG, &[]).unwrap();
        let found: (i64, i64) = (row.get(0), row.get(1));
        (found.1 == 6_000).then_some(found)
    });
    assert_eq!(found.unwrap(), (0, 6_000));
}

/// Between two rows of a statement somebody's trigger gives the person another name, and takes one back: all have the last that stays.
#[test]
fn names_that_change_between_the_rows_of_a_statement() {
    let mut scene = scene_after(
        "UPDATE tasks_task SET assigned_to_id = 3 WHERE id IN (2, 3, 4, 5); \
         CREATE FUNCTION rename() RETURNS trigger LANGUAGE plpgsql AS $$ \
         BEGIN \
             IF NEW.id = 5 THEN \
                 BEGIN \
                     UPDATE users_user SET username = 'taken back' WHERE id = 3; \
                     RAISE 'not this one'; \
                 EXCEPTION WHEN raise_exception THEN \
                     NULL; \
                 END; \
             ELSIF NEW.id > 2 THEN \
                 UPDATE users_user SET username = 'with task ' || NEW.id WHERE id = 3; \
             END IF; \
             RETURN NULL; \
         END $$; \
         CREATE TRIGGER a_rename AFTER UPDATE ON tasks_task FOR EACH ROW EXECUTE FUNCTION rename()",
    );
    let complete = "UPDATE tasks_task SET status = 'completed' WHERE id IN (2, 3, 4, 5)";
    assert_eq!(scene.client.execute(complete, &[]).unwrap(), 4);
    let names = values(&sent(&mut scene, "task_completed"), "user_name");
    assert_eq!(names[1..], ["with task 4"; 4]);
    assert_clean(&scene);
}
