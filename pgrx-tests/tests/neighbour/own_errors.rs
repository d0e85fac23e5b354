//! Errors of writes to attached tables are those that the tables' own definitions give; errors of our functions are the same with and
//! without RUST_BACKTRACE.

use postgres::Client;
use zentry_e2e::cluster::Cluster;
use zentry_e2e::zentry;

use crate::errors::{bare, preloaded};
use crate::session::{Fields, Session};

/// What an application has on its tables, and what it does wrong.
const RULES: &str = "
    ALTER TABLE tasks_task ADD CONSTRAINT task_reward CHECK (experience_reward >= 0);
    CREATE UNIQUE INDEX task_title ON tasks_task (title);
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'refused %', NEW.id USING ERRCODE = 'ZZ001', DETAIL = 'd', HINT = 'h', CONSTRAINT = 'c', COLUMN = 'o', TABLE = TG_TABLE_NAME;
        END $$;
    CREATE TRIGGER zz_refuse AFTER UPDATE ON tasks_task FOR EACH ROW WHEN (NEW.priority = 'refused') EXECUTE FUNCTION refuse();
    CREATE CONSTRAINT TRIGGER zz_refuse_late AFTER UPDATE ON tasks_task DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.priority = 'late') EXECUTE FUNCTION refuse();";

const WRITES: &[&str] = &[
    "UPDATE tasks_task SET status = 'completed', experience_reward = -1 WHERE id = 2",
    "UPDATE tasks_task SET status = 'completed', title = (SELECT title FROM tasks_task WHERE id = 3) WHERE id = 2",
    "UPDATE tasks_task SET status = 'completed', project_id = 999 WHERE id = 2",
    "UPDATE tasks_task SET status = 'completed', priority = 'refused' WHERE id = 2",
    "UPDATE tasks_task SET status = 'completed', priority = 'late' WHERE id = 2",
    "UPDATE tasks_task SET status = 'much longer than what the column takes' WHERE id = 2",
    "UPDATE tasks_task SET status = NULL WHERE id = 2",
    "UPDATE tasks_task SET nothing = 1",
    "DO $$ BEGIN UPDATE tasks_task SET status = 'completed', priority = 'refused' WHERE id = 2; END $$",
    "BEGIN",
    "UPDATE tasks_task SET status = 'completed', project_id = 999 WHERE id = 2",
    "SET CONSTRAINTS ALL IMMEDIATE",
    "COMMIT",
    "INSERT INTO achievements_userbadge (user_id, badge_id, earned_at) VALUES (1, 999, now())",
    "INSERT INTO achievements_userbadge (user_id, badge_id, earned_at) SELECT user_id, badge_id, earned_at FROM achievements_userbadge LIMIT 1",
    "DELETE FROM users_user WHERE id = 1",
    "ALTER TABLE tasks_task ALTER status TYPE int USING status::int",
    "ALTER TABLE tasks_task ADD CONSTRAINT short CHECK (length(title) < 2)",
    "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
    "UPDATE tasks_task SET status = 'completed' WHERE id = 2",
    "ROLLBACK",
];

/// What our functions refuse. The last of them by errors of Rust, of PL/pgSQL and of PostgreSQL.
const REFUSED: &[&str] = &[
    "SELECT zentry_register_webhook('n', 'discord', 'http://example.com/')",
    "SELECT zentry_register_webhook('n', 'pigeon', 'https://discord.com/api/webhooks/1/x')",
    "SELECT zentry_register_webhook(NULL, 'discord', NULL)",
    "SELECT zentry_delete_webhook(-1)",
    "SELECT zentry_test_webhook(-1)",
    "SELECT zentry_retry(-1)",
    "SELECT zentry_attach('no_such_event', 'tasks_task')",
    "SELECT zentry_detach('pg_class')",
    "DO $$ BEGIN PERFORM zentry_register_webhook('n', 'discord', 'not a url'); END $$",
    "SELECT zentry_notify.check_webhook_url('discord', 'not a url')",
    "SELECT zentry_notify.check_quiet_hours('sometimes')",
];

fn extended(cluster: &Cluster) -> Client {
    let mut client = cluster.connect().unwrap();
    zentry::load(&mut client).unwrap();
    client.batch_execute(RULES).unwrap();
    client
}

fn hear(cluster: &Cluster, statements: &[&str]) -> Vec<(String, Vec<Fields>)> {
    let mut session = Session::open(cluster, "postgres");
    statements
        .iter()
        .map(|sql| ((*sql).to_owned(), session.run(sql)))
        .collect()
}

#[test]
fn a_write_to_an_attached_table_fails_as_to_one_that_is_not() {
    let without = Cluster::start(bare()).unwrap();
    extended(&without);
    let expected = hear(&without, WRITES);
    for options in [preloaded(), preloaded().env("RUST_BACKTRACE", "1")] {
        let with = Cluster::start(options).unwrap();
        let mut client = extended(&with);
        client.batch_execute("CREATE EXTENSION zentry_notify").unwrap();
        let row = client
            .query_one(
                "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'zentry_notify_%'",
                &[],
            )
            .unwrap();
        assert!(row.get::<_, i64>(0) > 0, "no table is attached");
        for (expected, said) in expected.iter().zip(&hear(&with, WRITES)) {
            assert_eq!(expected, said);
        }
    }
}

#[test]
fn a_refusal_of_ours_is_the_same_with_a_backtrace_wanted() {
    let said = [preloaded(), preloaded().env("RUST_BACKTRACE", "1")].map(|options| {
        let cluster = Cluster::start(options).unwrap();
        extended(&cluster)
            .batch_execute("CREATE EXTENSION zentry_notify")
            .unwrap();
        let said = hear(&cluster, REFUSED);
        assert!(!cluster.log_contains("backtrace").unwrap());
        said
    });
    let [without, with] = &said;
    assert_eq!(without, with);
    for (statement, fields) in without {
        let error = fields
            .last()
            .unwrap_or_else(|| panic!("{statement} is not refused"));
        assert!(
            error.contains(&"severity: ERROR".to_owned()),
            "{statement}: {error:#?}"
        );
        let code = error.iter().find(|field| field.starts_with("code: ")).unwrap();
        assert_ne!(code, "code: XX000", "{statement}: {error:#?}");
    }
}
