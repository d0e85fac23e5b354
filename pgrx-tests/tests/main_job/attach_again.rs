//! `zentry_attach()` looks first: what fits stays as it is, what does not fit is said, and nobody waits for it.

use std::time::Duration;

use postgres::Client;
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry;

use crate::support::{connect_listening, sqlstate};

/// What became of the source of the event.
fn state(client: &mut Client, event: &str) -> String {
    let sql = "SELECT state FROM zentry_attach() WHERE event_type = $1";
    client.query_one(sql, &[&event]).unwrap().get(0)
}

/// An empty database, then Zentry's tables as `change` leaves them, then the extension; what CREATE EXTENSION says.
fn installed_after(change: &str) -> (Scene, Vec<String>) {
    let mut scene = Scene::empty().unwrap();
    zentry::load(&mut scene.client).unwrap();
    scene.client.batch_execute(change).unwrap();
    let (mut client, notices) = connect_listening(&scene.database, "postgres");
    client.batch_execute("CREATE EXTENSION zentry_notify").unwrap();
    let said = notices
        .take()
        .iter()
        .map(|notice| notice.message().to_owned())
        .collect();
    (scene, said)
}

const TRIGGERS: &str = "SELECT coalesce(string_agg(concat_ws(' ', t.oid, t.tgrelid::regclass, t.tgname, t.tgenabled, t.xmin), E'\\n' ORDER BY t.oid), '')
    FROM pg_trigger t WHERE t.tgfoid = 'zentry_notify.capture()'::regprocedure";

#[test]
fn each_source_by_itself() {
    for (change, event, table, why) in [
        (
            "ALTER TABLE tasks_task DROP COLUMN status CASCADE",
            "task_completed",
            "public.tasks_task",
            "column \"status\" of table public.tasks_task does not exist",
        ),
        (
            "ALTER TABLE tasks_task ALTER status TYPE json USING to_json(status)",
            "task_completed",
            "public.tasks_task",
            "type json, whose values cannot be compared",
        ),
        (
            "CREATE TYPE state AS ENUM ('open', 'closed'); ALTER TABLE tasks_task ALTER status TYPE state USING 'open'",
            "task_completed",
            "public.tasks_task",
            "cannot be \"completed\": invalid input value for enum",
        ),
        (
            "ALTER TABLE users_user DROP COLUMN current_streak",
            "daily_streak",
            "public.users_user",
            "column \"current_streak\" of table public.users_user does not exist",
        ),
        (
            "ALTER TABLE users_user ALTER current_streak TYPE json USING to_json(current_streak)",
            "daily_streak",
            "public.users_user",
            "of which no value is greater than another",
        ),
        (
            "ALTER TABLE users_user RENAME TO people; CREATE VIEW users_user AS SELECT * FROM people",
            "daily_streak",
            "public.users_user",
            "is a view",
        ),
        (
            "DROP TABLE achievements_userbadge; CREATE SEQUENCE achievements_userbadge",
            "badge_earned",
            "public.achievements_userbadge",
            "is no table",
        ),
        (
            "DROP TABLE achievements_userbadge; CREATE TYPE achievements_userbadge AS (id int)",
            "badge_earned",
            "public.achievements_userbadge",
            "is no table",
        ),
        (
            "DROP TABLE achievements_userbadge; CREATE TABLE achievements_userbadge (a int, b int)",
            "badge_earned",
            "public.achievements_userbadge",
            "does not exist",
        ),
        (
            "DROP TABLE achievements_badge CASCADE",
            "badge_earned",
            "public.achievements_userbadge",
            "table public.achievements_badge, which is looked into, does not exist",
        ),
    ] {
        let (mut scene, said) = installed_after(change);
        let told = said
            .iter()
            .find(|said| said.contains(&format!("{table} ({event}) does not fit: ")) && said.contains(why));
        assert!(told.is_some(), "{change}: {said:#?}");
        assert!(
            said.iter()
                .any(|said| said.starts_with("zentry_notify: attached to ")),
            "the others: {change}: {said:#?}"
        );
        assert!(state(&mut scene.client, event).contains(why), "{change}");
        assert_eq!(
            state(&mut scene.client, "project_created"),
            "attached",
            "{change}"
        );
    }
}

#[test]
fn what_fits_again_is_attached_again() {
    let mut scene = Scene::start().unwrap();
    scene
        .client
        .batch_execute("ALTER TABLE tasks_task RENAME title TO headline")
        .unwrap();
    assert!(state(&mut scene.client, "task_completed").starts_with("does not fit: column \"title\""));
    let reason =
        "SELECT suspended_reason FROM zentry_notify.event_source WHERE event_type = 'task_completed'";
    let suspended: Option<String> = scene.client.query_one(reason, &[]).unwrap().get(0);
    assert!(suspended.unwrap().contains("title"));
    scene
        .client
        .batch_execute("ALTER TABLE tasks_task RENAME headline TO title")
        .unwrap();
    assert_eq!(state(&mut scene.client, "task_completed"), "attached");
    let suspended: Option<String> = scene.client.query_one(reason, &[]).unwrap().get(0);
    assert_eq!(suspended, None);
}

#[test]
fn triggers_that_an_administrator_has_set_stay_so() {
    let mut scene = Scene::start().unwrap();
    scene
        .client
        .batch_execute(
            "ALTER TABLE tasks_task ENABLE ALWAYS TRIGGER zentry_notify_task_completed_insert, \
               DISABLE TRIGGER zentry_notify_task_completed_update; \
             ALTER TABLE users_user ENABLE REPLICA TRIGGER zentry_notify_daily_streak_update",
        )
        .unwrap();
    let before: String = scene.client.query_one(TRIGGERS, &[]).unwrap().get(0);
    assert_eq!(state(&mut scene.client, "task_completed"), "attached");
    scene
        .client
        .batch_execute(
            "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; \
             CREATE TRIGGER quiet BEFORE UPDATE ON tasks_task FOR EACH ROW EXECUTE FUNCTION quiet()",
        )
        .unwrap();
    assert_eq!(state(&mut scene.client, "daily_streak"), "attached");
    let after: String = scene.client.query_one(TRIGGERS, &[]).unwrap().get(0);
    assert_eq!(after, before, "nothing was written");
    // One that has to be made anew keeps it too.
    scene
        .client
        .batch_execute(
            "SELECT zentry_attach('daily_streak', 'users_user', condition => $$NEW.current_streak > OLD.current_streak$$)",
        )
        .unwrap();
    let enabled: String = scene
        .client
        .query_one(
            "SELECT tgenabled::text FROM pg_trigger WHERE tgname = 'zentry_notify_daily_streak_update'",
            &[],
        )
        .unwrap()
        .get(0);
    assert_eq!(enabled, "R");
}

#[test]
fn with_nothing_to_do_it_locks_nothing() {
    let mut scene = Scene::start().unwrap();
    let mut holder = scene.database.connect().unwrap();
    holder
        .batch_execute("BEGIN; LOCK TABLE tasks_task, users_user IN SHARE ROW EXCLUSIVE MODE")
        .unwrap();
    scene.client.batch_execute("BEGIN").unwrap();
    assert_eq!(state(&mut scene.client, "task_completed"), "attached");
    let locks: i64 = scene
        .client
        .query_one(
            "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND mode NOT IN ('AccessShareLock', 'RowShareLock', 'ExclusiveLock') \
               AND relation IN ('tasks_task'::regclass, 'users_user'::regclass)",
            &[],
        )
        .unwrap()
        .get(0);
    assert_eq!(locks, 0);
    scene.client.batch_execute("ROLLBACK").unwrap();
}

/// A table that is locked keeps neither the others from being attached nor its own writers waiting.
#[test]
fn a_busy_table_is_named_and_its_writers_go_on() {
    let mut scene = Scene::start().unwrap();
    let mut holder = scene.database.connect().unwrap();
    scene
        .client
        .batch_execute("SELECT zentry_detach('tasks_task'); SELECT zentry_detach('users_user')")
        .unwrap();
    holder
        .batch_execute("BEGIN; UPDATE tasks_task SET title = title WHERE id = 1")
        .unwrap();
    let (mut patient, notices) = connect_listening(&scene.database, "postgres");
    patient.batch_execute("SET lock_timeout = '1500ms'").unwrap();
    let attaching = std::thread::spawn(move || {
        let rows = patient
            .query("SELECT event_type, state FROM zentry_attach()", &[])
            .unwrap();
        let rows: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        (rows, notices.take())
    });
    // Writers are never kept waiting for long, while it waits.
    let mut writer = scene.database.connect().unwrap();
    writer.batch_execute("SET statement_timeout = '1000ms'").unwrap();
    while !attaching.is_finished() {
        writer
            .batch_execute("UPDATE tasks_task SET title = title WHERE id = 2")
            .unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    let (rows, said) = attaching.join().unwrap();
    let of = |event: &str| rows.iter().find(|(name, _)| name == event).unwrap().1.clone();
    assert_eq!(
        of("task_completed"),
        "busy: table public.tasks_task is busy: another transaction has it locked"
    );
    assert_eq!(of("daily_streak"), "attached");
    assert!(
        said[0]
            .message()
            .contains("task_completed is not attached: table public.tasks_task is busy"),
        "{said:#?}"
    );
    // One table by its name is an error.
    scene.client.batch_execute("SET lock_timeout = '200ms'").unwrap();
    let attached = scene
        .client
        .batch_execute("SELECT zentry_attach('task_completed', 'tasks_task')");
    assert_eq!(sqlstate(attached), "55P03");
    holder.batch_execute("COMMIT").unwrap();
    eventually(SOON, "the table to be free", || {
        (state(&mut scene.client, "task_completed") == "attached").then_some(())
    })
    .unwrap();
}

#[test]
fn what_is_given_by_hand_is_not_read_again() {
    let mut scene = Scene::start().unwrap();
    scene
        .client
        .batch_execute(
            "SELECT zentry_attach('task_completed', 'tasks_task', condition => $$NEW.status = 'completed' AND NEW.priority = 'urgent'$$); \
             UPDATE zentry_notify.event_source SET update_when = 'true) EXECUTE FUNCTION evil(); --', suspended_at = now() \
              WHERE event_type = 'task_completed'",
        )
        .unwrap();
    assert_eq!(state(&mut scene.client, "task_completed"), "attached");
    scene
        .client
        .batch_execute("DROP TRIGGER zentry_notify_task_completed_update ON tasks_task")
        .unwrap();
    let said = state(&mut scene.client, "task_completed");
    assert!(
        said.starts_with("failed: trigger zentry_notify_task_completed_update is gone: attach it again"),
        "{said}"
    );
}

#[test]
fn another_triggers_name_is_not_taken() {
    let mut scene = Scene::empty().unwrap();
    zentry::load(&mut scene.client).unwrap();
    scene
        .client
        .batch_execute(
            "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; \
             CREATE TRIGGER zentry_notify_task_completed_update AFTER UPDATE ON tasks_task FOR EACH ROW EXECUTE FUNCTION quiet(); \
             CREATE EXTENSION zentry_notify",
        )
        .unwrap();
    assert!(state(&mut scene.client, "task_completed").contains("calls another function"));
    assert_eq!(state(&mut scene.client, "daily_streak"), "attached");
}
