//! Whatever somebody who may write every table has written into ours, zentry_status() says how things are.
//!
//! `ZENTRY_STATUS_ROUNDS` says how often (150), `ZENTRY_SEED` repeats what happens.

use std::env;

use fastrand::Rng;
use postgres::Client;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;
use zentry_e2e::site::{fire, wait_for};

/// A column that can be written.
struct Column {
    table: String,
    name: String,
    r#type: String,
}

const COLUMNS: &str = "SELECT c.oid::regclass::text, a.attname::text, format_type(a.atttypid, a.atttypmod) \
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
    WHERE c.relnamespace = 'zentry_notify'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped \
    ORDER BY 1, a.attnum";

/// Literals of a type that are as odd as it lets them be.
fn values(r#type: &str) -> &'static [&'static str] {
    match r#type {
        "bigint" | "oid" => &[
            "0",
            "1",
            "2",
            "-1",
            "9223372036854775807",
            "-9223372036854775808",
            "4294967295",
        ],
        "integer" => &["0", "1", "-1", "2147483647", "-2147483648"],
        "smallint" => &["0", "1", "50", "-1", "32767", "-32768"],
        "boolean" => &["true", "false"],
        "double precision" => &["0", "-1", "NaN", "Infinity", "-Infinity", "1e308"],
        "timestamp with time zone" => &[
            "now",
            "infinity",
            "-infinity",
            "4713-01-01 00:00:00+00 BC",
            "294276-12-31 23:59:59+00",
            "2000-01-01 00:00:00+00",
        ],
        "interval" => &[
            "0",
            "1 second",
            "1 year",
            "-1 year",
            "178000000 years",
            "-178000000 years",
        ],
        "int8multirange" => &[
            "{}",
            "{(,)}",
            "{(,1)}",
            "{(,5)}",
            "{(,3),[5,9)}",
            "{[9223372036854775806,9223372036854775807)}",
            "{(,9223372036854775807)}",
            "{[-9223372036854775808,-9223372036854775807)}",
        ],
        "json" | "jsonb" => &[
            "null",
            "1",
            "\"x\"",
            "true",
            "[]",
            "[1, \"a\", null, {}, []]",
            "{}",
            "{\"a\": 1}",
            "{\"1\": [2, \"x\", {}, null]}",
            "{\"1\": 2, \"2\": {\"3\": 4}, \"x\": null}",
            "{\"a\": {\"expression\": 5}, \"b\": {\"from\": {}}, \"c\": {\"from\": \"\\\"\", \"match\": [], \"key\": 1}}",
            "{\"all\": \"no\"}",
            "{\"person\": 5, \"projects\": {\"from\": 3}}",
            "{\"column\": null, \"to\": []}",
            "{\"routed\": \"yes\", \"progress\": 5}",
        ],
        "jsonpath" => &["$", "$.a", "$.a > 1", "strict $.a", "$.* ? (@ > 5)"],
        "\"char\"" => &["p", "r", "s", "f", "", "x"],
        "bytea" => &["", "x"],
        "uuid" => &["00000000-0000-0000-0000-000000000000"],
        "xid8" => &["0", "1", "18446744073709551615"],
        "name" => &["", "postgres", "nobody \" at all"],
        "regclass" => &["0", "4294967295", "pg_class", "tasks_task", "zentry_notify.event"],
        "text[]" => &["{}", "{a}", "{NULL}", "{{a},{b}}", "{\"\",\"\\\"\"}"],
        "bigint[]" => &[
            "{}",
            "{1}",
            "{NULL}",
            "{{1},{2}}",
            "{9223372036854775807,9223372036854775807}",
        ],
        "integer[]" => &["{}", "{50}", "{NULL}", "{{1},{2}}"],
        "timestamp with time zone[]" => &[
            "{}",
            "{now}",
            "{infinity,-infinity,NULL}",
            "{{now},{\"4713-01-01 00:00:00+00 BC\"}}",
            "{\"294276-12-31 23:59:59+00\"}",
        ],
        other if other.starts_with("character varying") || other == "text" => &[
            "",
            "x",
            "1",
            "discord",
            "task_completed",
            "milestone_reached",
            "sent",
            "pending",
            "retry",
            "failed",
            "minute",
            "hour",
            "ever",
            "no",
            "awaited",
            "yes",
            "0",
            "1/h",
            "25/5min",
            "22:00-07:00 Europe/Berlin",
            "1 hour",
            "0 9 * * 1-5",
            "http://",
            "https://discord.com/api/webhooks/12345678901234567/x",
            "%s %I %L %",
            "'; SELECT 1 --",
            "@extschema@.zentry_",
            "is not a public address, by way of zentry_notify.proxy, permission denied for row-level security",
        ],
        other => panic!("no values of {other}"),
    }
}

/// A statement that writes garbage.
fn garbage(random: &mut Rng, columns: &[Column]) -> String {
    let any = &columns[random.usize(..columns.len())];
    let of_table: Vec<&Column> = columns
        .iter()
        .filter(|column| column.table == any.table)
        .collect();
    let value = |random: &mut Rng, column: &Column| {
        if random.u8(..12) == 0 {
            return "NULL".to_owned();
        }
        let values = values(&column.r#type);
        let value = values[random.usize(..values.len())].replace('\'', "''");
        format!("'{value}'::{}", column.r#type)
    };
    if random.u8(..3) == 0 {
        let names: Vec<&str> = of_table.iter().map(|column| column.name.as_str()).collect();
        let row: Vec<String> = of_table.iter().map(|column| value(random, column)).collect();
        return format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})",
            any.table,
            names.join(", "),
            row.join(", ")
        );
    }
    let mut set: Vec<String> = Vec::new();
    for column in of_table {
        if column.name == any.name || random.u8(..6) == 0 {
            set.push(format!("{} = {}", column.name, value(random, column)));
        }
    }
    format!("UPDATE {} SET {}", any.table, set.join(", "))
}

/// Every table has rows that something can be written into.
fn filled() -> Scene {
    let mut scene = Scene::start().unwrap();
    scene.channel(Kind::Discord).unwrap();
    scene.channel(Kind::Workflow).unwrap();
    let client = &mut scene.client;
    fire(client).unwrap();
    wait_for(
        client,
        "SELECT count(*) = 2 FROM zentry_notify.logs WHERE status = 'sent'",
    )
    .unwrap();
    client
        .batch_execute(
            "INSERT INTO zentry_notify.webhook_circuit SELECT w.id, 5, now(), now(), 'x' FROM zentry_notify.webhook w; \
             INSERT INTO zentry_notify.webhook_state (webhook_integration_id) SELECT w.id FROM zentry_notify.webhook w ON CONFLICT DO NOTHING; \
             INSERT INTO zentry_notify.event_detail SELECT e.id, '{}' FROM zentry_notify.event e ON CONFLICT DO NOTHING; \
             INSERT INTO zentry_notify.deleted_webhook VALUES (77); \
             INSERT INTO zentry_notify.project_progress VALUES (4, '1', 50); \
             INSERT INTO zentry_notify.legacy_delivery (id, webhook_integration_id, event_type, payload, status) VALUES (-1, 1, 'x', '{}', 'sent'), (-2, 1, 'x', '{}', 'failed'); \
             SELECT zentry_set_wording('task_completed', title => 'Done')",
        )
        .unwrap();
    scene
}

/// The lines, of which none lacks anything.
fn status(client: &mut Client, seed: &str, written: &[String]) -> Vec<(String, String)> {
    let rows = client
        .query("SELECT subject, state, detail, remedy FROM zentry_status()", &[])
        .unwrap_or_else(|error| panic!("{seed}: {error:?} after {written:#?}"));
    let text = |row: &postgres::Row, column: usize| -> String {
        row.try_get(column)
            .unwrap_or_else(|error| panic!("{seed}: {error} after {written:#?}"))
    };
    rows.iter()
        .map(|row| {
            let _ = (text(row, 1), text(row, 3));
            (text(row, 0), text(row, 2))
        })
        .collect()
}

#[test]
fn whatever_is_written_into_our_tables() {
    let seed = env::var("ZENTRY_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    let rounds = env::var("ZENTRY_STATUS_ROUNDS").map_or(150, |rounds| rounds.parse().unwrap());
    let seed_is = format!("ZENTRY_SEED={seed}");
    let mut random = Rng::with_seed(seed);
    let mut scene = filled();
    let writer = format!("{}_writer", scene.database.name());
    let client = &mut scene.client;
    client
        .batch_execute(&format!(
            "CREATE ROLE {writer}; GRANT pg_write_all_data TO {writer}"
        ))
        .unwrap();
    let columns: Vec<Column> = client
        .query(COLUMNS, &[])
        .unwrap()
        .iter()
        .map(|row| Column {
            table: row.get(0),
            name: row.get(1),
            r#type: row.get(2),
        })
        .collect();
    assert!(columns.len() > 100);
    let mut taken = 0;
    let mut unknown = Vec::new();
    for _ in 0..rounds {
        // Nobody else sees it.
        client.batch_execute("BEGIN").unwrap();
        let mut written = Vec::new();
        for _ in 0..random.usize(1..8) {
            let statement = garbage(&mut random, &columns);
            client
                .batch_execute(&format!("SAVEPOINT before; SET LOCAL ROLE {writer}"))
                .unwrap();
            match client.batch_execute(&statement) {
                Ok(()) => {
                    taken += 1;
                    client
                        .batch_execute("RESET ROLE; RELEASE SAVEPOINT before")
                        .unwrap();
                    written.push(statement);
                }
                Err(_) => client.batch_execute("ROLLBACK TO SAVEPOINT before").unwrap(),
            }
        }
        for (subject, detail) in status(client, &seed_is, &written) {
            if detail.starts_with("unknown") {
                unknown.push((subject, detail, written.clone()));
            }
        }
        client.batch_execute("ROLLBACK").unwrap();
    }
    client.batch_execute(&format!("DROP ROLE {writer}")).unwrap();
    assert!(
        taken > rounds / 2,
        "{seed_is}: {taken} statements of {rounds} rounds were taken"
    );
    assert!(unknown.is_empty(), "{seed_is}: {unknown:#?}");
}

/// What the types permit and the extension never writes has a line that says so.
#[test]
fn what_does_not_belong_there_is_named() {
    let mut scene = filled();
    let client = &mut scene.client;
    for (statement, refused_by) in [
        (
            "UPDATE zentry_notify.route_cursor SET split = '[]'",
            "route_cursor_split_check",
        ),
        (
            "UPDATE zentry_notify.event_source SET columns = '5'",
            "event_source_columns_check",
        ),
        (
            "UPDATE zentry_notify.event_source SET audience = '[]'",
            "event_source_audience_check",
        ),
        (
            "UPDATE zentry_notify.event_source SET progress = 'null'",
            "event_source_progress_check",
        ),
        (
            "UPDATE zentry_notify.event_source SET transition = '\"x\"'",
            "event_source_transition_check",
        ),
    ] {
        let refused = client.batch_execute(statement).unwrap_err();
        let refused = refused.as_db_error().unwrap();
        assert_eq!(
            (refused.code().code(), refused.constraint()),
            ("23514", Some(refused_by)),
            "{refused:?}"
        );
    }
    client
        .batch_execute("UPDATE zentry_notify.route_cursor SET routed = '{(,1000000)}'")
        .unwrap();
    let lines = crate::status::status(client);
    let line = lines.iter().find(|line| line.subject == "routing").unwrap();
    assert_eq!(line.state, "broken", "{line:?}");
    assert!(line.detail.contains("has ids of future events"), "{line:?}");
    client.batch_execute(&line.remedy).unwrap();
    let before: i64 = client
        .query_one("SELECT count(*) FROM zentry_notify.delivery", &[])
        .unwrap()
        .get(0);
    client
        .batch_execute("DELETE FROM zentry_notify.webhook_circuit")
        .unwrap();
    fire(client).unwrap();
    wait_for(
        client,
        &format!("SELECT count(*) = {} FROM zentry_notify.delivery", before + 2),
    )
    .unwrap();
}
