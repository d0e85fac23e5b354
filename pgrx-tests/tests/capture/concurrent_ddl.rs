//! Somebody changes our tables or the attached ones in a transaction while a session waits with its next write: whatever the
//! order, no session crashes, and the write succeeds or fails as PostgreSQL alone would have it.

use std::thread;

use zentry_e2e::scene::SOON;
use zentry_e2e::wait::eventually;

use crate::support::{Bed, Session};

/// What is done to a table, and what undoes it.
struct Change {
    make: &'static str,
    undo: &'static str,
    /// The write may be refused by PostgreSQL.
    may_refuse: bool,
    /// The event may be missing: it is lost, or its source is suspended or detached.
    may_miss: bool,
}

const fn change(make: &'static str, undo: &'static str) -> Change {
    Change {
        make,
        undo,
        may_refuse: false,
        may_miss: false,
    }
}

const fn missing(make: &'static str, undo: &'static str) -> Change {
    Change {
        may_miss: true,
        ..change(make, undo)
    }
}

const fn refusing(make: &'static str, undo: &'static str) -> Change {
    Change {
        may_refuse: true,
        ..missing(make, undo)
    }
}

const UNSUSPEND: &str = "UPDATE zentry_notify.event_source SET suspended_at = NULL, suspended_reason = NULL";

const CHANGES: &[Change] = &[
    change(
        "CREATE INDEX more ON zentry_notify.event (source_id)",
        "DROP INDEX zentry_notify.more",
    ),
    change(
        "CREATE INDEX more ON zentry_notify.event ((data ->> 'id'))",
        "DROP INDEX zentry_notify.more",
    ),
    change(
        "DROP INDEX IF EXISTS zentry_notify.ready",
        "CREATE INDEX ready ON zentry_notify.event (created_at)",
    ),
    change(
        "ALTER TABLE zentry_notify.event DROP CONSTRAINT event_pkey",
        "ALTER TABLE zentry_notify.event ADD CONSTRAINT event_pkey PRIMARY KEY (id)",
    ),
    change("REINDEX TABLE zentry_notify.event", ""),
    change("CLUSTER zentry_notify.event USING event_pkey", ""),
    change("TRUNCATE zentry_notify.event RESTART IDENTITY", ""),
    change(
        "ALTER TABLE zentry_notify.event ADD note text",
        "ALTER TABLE zentry_notify.event DROP note",
    ),
    change(
        "ALTER TABLE zentry_notify.event ALTER source_id TYPE numeric",
        "ALTER TABLE zentry_notify.event ALTER source_id TYPE bigint",
    ),
    change(
        "ALTER TABLE zentry_notify.event ALTER id SET CACHE 1",
        "SELECT setval('zentry_notify.event_id_seq', 1)",
    ),
    missing(
        "ALTER TABLE zentry_notify.event RENAME TO ev",
        "ALTER TABLE zentry_notify.ev RENAME TO event",
    ),
    missing(
        "ALTER TABLE zentry_notify.event SET SCHEMA public",
        "ALTER TABLE public.event SET SCHEMA zentry_notify",
    ),
    missing(
        "ALTER TABLE zentry_notify.event RENAME TO ev; CREATE TABLE zentry_notify.event (LIKE zentry_notify.ev INCLUDING ALL)",
        "DROP TABLE zentry_notify.event; ALTER TABLE zentry_notify.ev RENAME TO event",
    ),
    missing(
        "ALTER TABLE zentry_notify.event RENAME data TO payload",
        "ALTER TABLE zentry_notify.event RENAME payload TO data",
    ),
    change(
        "ALTER TABLE written ALTER v TYPE bigint",
        "ALTER TABLE written ALTER v TYPE integer",
    ),
    change(
        "ALTER TABLE written ALTER v TYPE text",
        "ALTER TABLE written ALTER v TYPE integer USING v::integer",
    ),
    change(
        "ALTER TABLE written ADD more integer DEFAULT 7",
        "ALTER TABLE written DROP more",
    ),
    change(
        "ALTER TYPE pair ADD ATTRIBUTE c integer CASCADE",
        "ALTER TYPE pair DROP ATTRIBUTE c CASCADE",
    ),
    change(
        "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'",
        "ALTER TYPE mood RENAME VALUE 'blue' TO 'sad'",
    ),
    missing(
        "ALTER TABLE written RENAME v TO w",
        "ALTER TABLE written RENAME w TO v",
    ),
    missing("ALTER TABLE written DROP v", "ALTER TABLE written ADD v integer"),
    missing(
        "ALTER TABLE written RENAME TO older; CREATE TABLE written (LIKE older INCLUDING ALL)",
        "DROP TABLE written; ALTER TABLE older RENAME TO written",
    ),
    refusing(
        "ALTER TABLE written RENAME TO older",
        "ALTER TABLE older RENAME TO written",
    ),
    missing(
        "UPDATE zentry_notify.event_source SET columns = '{\"id\": \"none\"}'",
        "UPDATE zentry_notify.event_source SET columns = '{\"id\": \"id\"}'",
    ),
    change(
        "UPDATE zentry_notify.event_source SET columns = '{\"id\": \"id\", \"v\": \"v\"}' WHERE relation = 'written'::regclass",
        "",
    ),
    refusing(
        "ALTER TABLE parted DETACH PARTITION parted_1",
        "ALTER TABLE parted ATTACH PARTITION parted_1 FOR VALUES IN (1)",
    ),
    refusing(
        "ALTER TABLE parted DETACH PARTITION parted_1; ALTER TABLE parted ATTACH PARTITION parted_b FOR VALUES IN (1)",
        "ALTER TABLE parted DETACH PARTITION parted_b; ALTER TABLE parted ATTACH PARTITION parted_1 FOR VALUES IN (1)",
    ),
];

fn bed() -> Bed {
    let mut bed = Bed::start();
    bed.session.run(
        "CREATE TYPE pair AS (a integer, b text); CREATE TYPE mood AS ENUM ('sad', 'happy'); \
         CREATE TABLE written (id integer, v integer, p pair DEFAULT ROW(1, 'x'), m mood DEFAULT 'happy'); \
         CREATE TABLE parted (id integer, part integer) PARTITION BY LIST (part); \
         CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1); \
         CREATE TABLE parted_b (extra text, part integer, id integer); ALTER TABLE parted_b DROP extra; \
         CREATE INDEX ready ON zentry_notify.event (created_at); \
         GRANT INSERT ON zentry_notify.event TO zentry_notify_agent",
    );
    bed.attach("written", &["id", "v", "p", "m"]);
    bed.attach("parted", &["id"]);
    bed
}

/// The number in the environment variable, or the default.
fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Waits until the session waits for a lock or has nothing to do.
fn wait_until_stuck(bed: &mut Bed, pid: i32) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND (wait_event_type = 'Lock' OR state LIKE 'idle%')";
    eventually(SOON, "the writer to wait or to be done", || {
        let count: i64 = bed.session.client.query_one(sql, &[&pid]).ok()?.get(0);
        (count > 0).then_some(())
    })
    .unwrap();
}

fn events(session: &mut Session) -> i64 {
    // Under whatever name and column the table has just now.
    session.number(
        "SELECT count(*) FROM zentry_notify.event WHERE to_jsonb(event) ->> 'event_type' = 'row_written' \
         AND (to_jsonb(event) -> 'data' ->> 'id')::integer = (SELECT last FROM last_written)",
    )
}

#[test]
fn no_order_of_changes_and_writes_crashes_a_session() {
    let seed = number("ZENTRY_SEED", u64::from(std::process::id()));
    let orders = number("ZENTRY_ORDERS", 120);
    eprintln!("ZENTRY_SEED={seed} ZENTRY_ORDERS={orders}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bed = bed();
    bed.session
        .run("CREATE TABLE last_written (last integer); INSERT INTO last_written VALUES (0)");
    let mut changer = bed.connect();
    let mut writer = bed.connect();
    let before = bed
        .session
        .client
        .query_one("SELECT pg_postmaster_start_time()::text", &[])
        .unwrap();
    for order in 1..=orders {
        let change = &CHANGES[random.usize(..CHANGES.len())];
        let into = match change.make {
            make if make.contains("parted") => "parted",
            make if make.contains("written") => "written",
            _ if random.bool() => "parted",
            _ => "written",
        };
        let (into, values) = match into {
            "parted" => ("parted (id, part)", format!("({order}, 1)")),
            _ => ("written (id)", format!("({order})")),
        };
        let write = format!("INSERT INTO {into} VALUES {values}");
        let commits = random.u8(..4) > 0;
        let what = format!(
            "order {order}: {} {}, {write}",
            change.make,
            if commits { "COMMIT" } else { "ROLLBACK" }
        );
        if random.bool() {
            // A session that knows nothing yet.
            writer = bed.connect();
        }
        bed.session
            .run(&format!("UPDATE last_written SET last = {order}"));
        changer.run("BEGIN");
        // What one round has left may be in the way of another one's.
        if let Err(error) = changer.client.batch_execute(change.make) {
            panic!("{what}: {error:?}");
        }
        let pid: i32 = writer
            .client
            .query_one("SELECT pg_backend_pid()", &[])
            .unwrap()
            .get(0);
        let (outcome, back) = thread::scope(|scope| {
            let statement = write.as_str();
            let running = scope.spawn(move || {
                let outcome = writer.client.batch_execute(statement);
                (outcome, writer)
            });
            wait_until_stuck(&mut bed, pid);
            changer.run(if commits { "COMMIT" } else { "ROLLBACK" });
            running.join().unwrap()
        });
        writer = back;
        if let Err(error) = outcome {
            let code = error.as_db_error().map(|error| error.code().code().to_owned());
            assert!(change.may_refuse && commits, "{what}: {error:?}");
            assert!(
                ["42P01", "23514", "42703"].contains(&code.as_deref().unwrap_or("none")),
                "{what}: {error:?}"
            );
        }
        if commits {
            changer.run(change.undo);
        }
        changer.run(UNSUSPEND);
        // The session goes on, and so does the event.
        writer.run(&format!("UPDATE last_written SET last = {order}"));
        if !(change.make.starts_with("TRUNCATE") || change.may_miss && commits) {
            assert_eq!(events(&mut bed.session), 1, "{what}");
        }
        writer.run(&format!(
            "DELETE FROM zentry_notify.event; INSERT INTO {into} VALUES {values}"
        ));
        assert_eq!(events(&mut bed.session), 1, "{what}, and once more");
    }
    let after = bed
        .session
        .client
        .query_one("SELECT pg_postmaster_start_time()::text", &[])
        .unwrap();
    assert_eq!(before.get::<_, String>(0), after.get::<_, String>(0));
    bed.session.run("SELECT count(*) FROM written");
}
